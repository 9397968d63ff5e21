"""The quality benchmark goes on where it stopped, and counts only what is still true."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from benchmarks import quality, quality_lines, quality_ways
from benchmarks.quality_foresight import FORESEEN, key_of, nearness
from benchmarks.quality_lines import BASE, Lines, Subject
from benchmarks.quality_perplexity import perplexity, sequence_losses
from benchmarks.quality_table import BUDGET, foreseen, measured, table

from tests.unit.calibration.test_hessians import SHARDS, run, write_tokens
from tests.unit.conftest import Folders

WAYS = ("rtn", "paper", "ours", "ours-rank0")
BLOCKS = (0, 1)


@pytest.fixture(scope="module")
def place(bases: Folders, tmp_path_factory: pytest.TempPathFactory) -> quality.Place:
    """A calibrated base of two blocks, compressed in some ways."""
    folder = tmp_path_factory.mktemp("quality")
    base = bases("llama")
    write_tokens(folder / "tokens.safetensors")
    run(base, folder)
    calibration = folder / "calibration"
    (calibration / "hessians").mkdir(parents=True)
    (folder / "tokens.safetensors").rename(calibration / "tokens.safetensors")
    for shard in SHARDS:
        name = f"{shard}.safetensors"
        (folder / name).rename(calibration / "hessians" / name)
    place = quality.Place(base, calibration, folder / "results")
    for way in WAYS:
        for bits in (2, 4):
            quality.compress_blocks(place, way, bits, BLOCKS)
    quality.foresee(place, (2, 4))
    return place


def text(place: quality.Place) -> str:
    return (place.folder / "quality.jsonl").read_text(encoding="utf-8")


def test_what_is_there_is_not_done_again(place: quality.Place) -> None:
    before = text(place)
    assert len(before.splitlines()) == 14 * len(WAYS) * 2 + 14
    quality.compress_blocks(place, "ours", 2, BLOCKS)
    quality.foresee(place, (2, 4))
    assert text(place) == before


def test_a_line_cut_off_is_done_again(place: quality.Place, tmp_path: Path) -> None:
    copy = quality.Place(place.base, place.calibration, tmp_path)
    lines = text(place).splitlines()
    (tmp_path / "quality").symlink_to(place.folder / "quality")
    whole, cut = lines[:3], lines[3][:50]
    (tmp_path / "quality.jsonl").write_text("\n".join([*whole, cut]) + "\n", encoding="utf-8")
    quality.compress_blocks(copy, "rtn", 2, BLOCKS)
    again = [json.loads(line) for line in text(copy).splitlines()[4:]]
    assert [line["module"] for line in again] == [json.loads(x)["module"] for x in lines[3:14]]


def test_other_settings_or_another_calibration_are_other_keys(
    place: quality.Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = Subject(place.base, place.calibration)
    keys = {subject.key(way, bits, "x") for way in WAYS for bits in (2, 4)}
    assert len(keys) == 2 * len(WAYS)
    (tmp_path / "tokens.safetensors").write_bytes(b"other tokens")
    assert Subject(place.base, tmp_path).key("rtn", 2, "x") not in keys
    (tmp_path / "tokens.safetensors").write_bytes(subject.tokens.read_bytes())
    shutil.copytree(place.calibration / "hessians", tmp_path / "hessians")
    assert Subject(place.base, tmp_path).key("rtn", 2, "x") in keys
    # Hessians of the same tokens differ where the model was run in another number format.
    (tmp_path / "hessians" / f"{SHARDS[0]}.safetensors").write_bytes(b"other Hessians")
    assert Subject(place.base, tmp_path).key("rtn", 2, "x") not in keys
    changed = {**quality_ways.WAYS["rtn"], "group_size": 64}
    monkeypatch.setitem(quality_ways.WAYS, "rtn", changed)
    assert subject.key("rtn", 2, "x") not in keys
    assert subject.key("ours", 2, "x") in keys


@pytest.mark.parametrize("what", ["cpu", "instructions", "format", "torch"])
def test_another_machine_or_version_is_another_key(
    what: str, place: quality.Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = quality_lines.environment()
    before = Subject(place.base, place.calibration).key("ours", 2, "x")
    monkeypatch.setattr(quality_lines, "environment", lambda: here | {what: "another"})
    assert Subject(place.base, place.calibration).key("ours", 2, "x") != before


def test_the_table_holds_what_the_lines_say(place: quality.Place) -> None:
    subject, lines = Subject(place.base, place.calibration), place.lines()
    rows = {(row["way"], row["bits"]): row for row in table(subject, lines, WAYS, (2, 4), BLOCKS)}
    assert {way for way, _ in rows} == {*WAYS, BUDGET, FORESEEN}
    for (way, bits), row in rows.items():
        assert row["matrices"] == 14
        assert row["ratio_to_paper"] == pytest.approx(
            row["held_out_error"] / rows["paper", bits]["held_out_error"]
        )
        if way in WAYS:
            found = [lines.get(subject.key(way, bits, m.sha256)) for m in subject.modules]
            errors = [line["held_out_error"] for line in found if line]
            assert row["held_out_error"] == pytest.approx(sum(errors) / 14)
        if way in (BUDGET, FORESEEN):
            assert row["bits_per_parameter"] <= rows["paper", bits]["bits_per_parameter"]
        if way == BUDGET:
            # Whatever is chosen, all options were compressed before.
            options = [rows[each, width] for each in ("ours", "ours-rank0") for width in (2, 4)]
            assert row["cpu_s_per_matrix"] == pytest.approx(
                sum(option["cpu_s_per_matrix"] for option in options)
            )
            assert row["peak_memory_mb"] == max(option["peak_memory_mb"] for option in options)
    # What was foreseen took time, and no more than one option was compressed.
    dearest = max(rows[each, 4]["cpu_s_per_matrix"] for each in ("ours", "ours-rank0"))
    seen = [lines.get(key_of(subject, m, (2, 4))) for m in subject.modules]
    spent = sum(line["cpu_s"] for line in seen if line) / 14
    assert spent < rows[FORESEEN, 4]["cpu_s_per_matrix"] <= spent + dearest
    assert table(subject, Lines(place.folder / "none"), WAYS, (2, 4), BLOCKS) == []


def test_the_page_says_how_near_foreseen_errors_come(place: quality.Place) -> None:
    subject, lines = Subject(place.base, place.calibration), place.lines()
    found = measured(subject, lines, WAYS, (2, 4), BLOCKS)
    rows = [row.split(" | ") for row in nearness(found, foreseen(subject, lines, (2, 4)))][1:]
    assert [row[:2] for row in rows] == [
        [f"| {bits}", f"`{way}`"] for way in ("ours", "ours-rank0") for bits in (2, 4)
    ]
    for row in rows:
        middle, low, high = map(float, row[2:5])
        assert 0.5 < low < middle < high < 2
    assert len([*nearness(found, {})]) == 1


def test_perplexity(place: quality.Place) -> None:
    subject = Subject(place.base, place.calibration)
    found = {}
    for way, bits in ((BASE, 16), ("rtn", 2), ("rtn", 4)):
        lines = {
            module.name: place.lines().get(subject.key(way, bits, module.sha256))
            for module in subject.modules
        }
        parts = {name: line["key"] for name, line in lines.items() if line}
        quality.measure_perplexity(place, way, bits, f"{way} {bits}", parts)
        line = place.lines().get(f"{way} {bits}")
        assert line is not None
        found[way, bits] = line["perplexity"]
        assert line["perplexity"] == pytest.approx(perplexity(line["losses"]))
        # A line of an earlier version, without losses, is measured again.
        old = {name: value for name, value in line.items() if name != "losses"}
        place.lines().add(old)
        quality.measure_perplexity(place, way, bits, f"{way} {bits}", parts)
        assert place.lines().get(f"{way} {bits}")["losses"] == line["losses"]  # type: ignore[index]
    assert found[BASE, 16] != found["rtn", 4] != found["rtn", 2]
    assert abs(found["rtn", 4] / found[BASE, 16] - 1) < abs(found["rtn", 2] / found[BASE, 16] - 1)


def test_perplexity_of_a_model_that_knows_nothing() -> None:
    class Flat(torch.nn.Module):
        def forward(self, ids: torch.Tensor) -> object:
            return type("Output", (), {"logits": torch.zeros(*ids.shape, 50)})()

    losses = sequence_losses(Flat(), torch.arange(30).view(3, 10))
    assert len(losses) == 3
    assert perplexity(losses) == pytest.approx(50)


def test_blocks_are_spread() -> None:
    assert quality.spread(1) == [0]
    assert quality.spread(9)[:3] == [0, 8, 4]
    assert sorted(quality.spread(30)) == list(range(30))
