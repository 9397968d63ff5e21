"""What the page says follows from the lines on file, and from nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks import results_page, results_table

from tests.unit.benchmarks.lines import line, old_line


def test_the_original_way_is_extrapolated_by_counts() -> None:
    made = line()
    found = results_table.originals(made)
    assert found["tokens"] == pytest.approx(4 * 0.1 + 400 * 0.05)
    assert found["Hessians"] == pytest.approx((12 * 2.0 + 2 * 3.0) / 0.5)
    # Rounding and an SVD, not the paper's algorithm.
    assert found["compression"] == pytest.approx((10 * 0.1 + 2 * 0.4 + 6 * 0.1) / 2)
    paper_s = results_table.matrices_s(made, "paper")
    assert paper_s == pytest.approx((10 * 2.0 + 2 * 8.0 + 6 * 2.0) / 2)
    # Half of the modules are compressed in the third condition: half of the slowdown.
    assert found["sampling"] == pytest.approx((1 + 50) + (5 + 250) + (3 + 150))


def test_the_whole_takes_our_seconds_where_no_peer_was_measured() -> None:
    made = line()
    peers = sum(results_table.originals(made).values())
    assert results_table.original_whole(made) == pytest.approx(peers + 5.0 + 2.0 + 3.0)
    spared = results_table.original_whole(made, dequantizing=False)
    assert results_table.original_whole(made) - spared == pytest.approx(459 - 153)
    kept = results_table.original_whole(made, ours=["compression"])
    assert results_table.original_whole(made) - kept == pytest.approx(1.2 - 20.0)


def test_the_original_compressed_to_other_bits_and_errors(tmp_path: Path) -> None:
    bits, error = results_table.compression_quality(line())["original"]
    assert bits == pytest.approx(5.0)
    assert error == pytest.approx((16 * 0.02 + 2 * 0.08) / 18)
    text = page(tmp_path, line())
    assert "| the original's rounding and SVD | 5.00 | 0.0267 | 1 |" in text
    assert "5.00 bits a parameter with an error of 0.0267" in text
    assert "| the paper's algorithm | 4.20 | 0.0200 | 24 |" in text


def test_what_an_old_line_lacks_is_not_made_up(tmp_path: Path) -> None:
    made = old_line()
    assert "compression" not in results_table.originals(made)
    text = page(tmp_path, made)
    assert "| compression | 1 | 20.0 | 20.0 |  |  |" in text
    assert "was measured (fetch, compression, scoring, analysis)" in text
    assert "the ways to compress were not measured in this run" in text
    assert (
        "in under 180 s on 2 cores | not measured; scripts of tokens, Hessians, compression took "
        "40 s in all conditions, without start-up | open |"
    ) in text


def test_compressing_one_condition_is_a_chain_of_jobs(tmp_path: Path) -> None:
    # 30 s of calibration_tokens and 40 s of the condition's own; `aggregate` is no part of it.
    several = line()
    several["run"]["conditions"]["half"] = {"jobs": 2, "process_s": 1000.0}
    assert results_table.compression_chain(several, "packed") == (3, 70.0)
    text = page(tmp_path, several)
    assert "| 70 s of 3 jobs one after another, beside other jobs, on 2 cores" in text
    wide = line()
    wide["machine"] = wide["machine"] | {"cores": 64}
    assert "beside other jobs, on 64 cores | open |" in page(tmp_path, wide)


def test_bounds_are_the_slowest_of_what_must_be_done() -> None:
    found = results_table.stage_bounds(line())
    assert found["sampling"] == (pytest.approx(5e10 / 4e9), "0.1 Tflop in bfloat16")
    assert found["fetch"] == (pytest.approx(2.0), "hashing 1 MB")
    assert found["Hessians"] == (pytest.approx(1.0), "writing 1 MB")
    # What a condition takes from another's shards is not compressed again.
    operations = 3 * (10 * 8 * 8**2 + 2 * 8 * 16**2)
    assert found["compression"][0] == pytest.approx(operations / 2e9)
    sampling = next(row for row in results_table.stages(line()) if row.name == "sampling")
    assert sampling.reached == pytest.approx(12.5 / 40)
    assert sampling.ratio == pytest.approx(459 / 40)


def test_rounds_are_compared_one_by_one() -> None:
    assert results_table.over_batched(line()) == pytest.approx(3.0)
    assert results_table.streamed_hessians(line()) == pytest.approx(2.0 * 2 / 0.5)


def test_turns_are_compared_one_by_one() -> None:
    assert results_table.over_once(line()) == pytest.approx(4.0)
    assert results_table.over_tokens(line()) == pytest.approx((4 * 0.1 + 400 * 0.05) / 2)
    assert results_table.over_once(old_line()) == pytest.approx(0.25 / 0.05)
    assert "tokens, one response at a time over ours" in results_table.ratios(line())
    assert "tokens, one response at a time over ours" not in results_table.ratios(old_line())


def page(folder: Path, *lines: dict[str, Any]) -> str:
    stages = folder / "stages.jsonl"
    stages.write_text("".join(json.dumps(each) + "\n" for each in lines))
    results_page.write_page(stages, folder / "growth.jsonl", folder / "RESULTS.md")
    return (folder / "RESULTS.md").read_text()


def test_targets_are_judged_by_what_was_found(tmp_path: Path) -> None:
    text = page(tmp_path, line())
    assert "| Snakemake with our rules under 10% of the time | 9.0% | met |" in text
    assert "best batched `generate` | 3.00 times | met |" in text
    where = "([Where a sampling job's time goes](#where-a-sampling-jobs-time-goes))"
    assert f"| 31.2% in the run, 93.8% by one process alone {where} | **missed** |" in text
    assert "| one run of this commit and machine on file | open |" in text
    assert "| llama.cpp, one at a time | not installed: not measured |" in text
    slow = line()
    slow["run"] = slow["run"] | {"wall_s": 1000.0, "no_work_s": 150.0}
    text = page(tmp_path, slow)
    assert "under 10% of the time | 15.0% | **missed** |" in text
    assert "in the original's way | 0.6 times | **missed** |" in text


def test_llama_cpp_is_compared_at_its_best(tmp_path: Path) -> None:
    made = line()
    found = {"file": "m.Q4.gguf", "tokens_s": {"25": 50.0, "50": 100.0, "100": 80.0}}
    made["generation"] = made["generation"] | {"llama.cpp, many": found}
    # Ours has made 300 and 150 tokens a second in its rounds.
    assert (
        "| llama.cpp on m.Q4.gguf, 50 at once, without drawing | 25, 50, 100 at once were tried "
        "| 225 tokens/s | 100 tokens/s | 2.25 |"
    ) in page(tmp_path, made)


def test_two_runs_are_compared_by_their_ratios(tmp_path: Path) -> None:
    again = line(slice={"jobs": 20, "graph_s": 24.0, "loop_s": 6.0})
    text = page(tmp_path, line(), again)
    assert "| 33.3% at most (the graph over a plain loop) | **missed** |" in text
    assert "| the graph over a plain loop | 3.00 | 4.00 |" in text


@pytest.mark.parametrize(
    "other",
    [
        {"commit": "fff0000"},
        {"quick": True},
        {"finished": True},
        {"dirty": True},
        {"machine": line()["machine"] | {"cpu": "another"}},
        {"machine": line()["machine"] | {"format": "float32"}},
        {"versions": {"torch": "3"}},
    ],
)
def test_only_runs_of_the_same_are_compared(other: dict[str, Any], tmp_path: Path) -> None:
    last = line(machine=line()["machine"] | {"load": 3.0})
    first, unlike = line(took_s=1.0), line(**other)
    assert results_table.comparable(last, [unlike]) is None
    assert results_table.comparable(last, [first, unlike]) is first
    text = page(tmp_path, unlike, last)
    assert "| one run of this commit and machine on file | open |" in text
    assert text.count("| the graph over a plain loop | 3.00 |\n") == 1


def test_a_run_that_proves_nothing_says_so(tmp_path: Path) -> None:
    text = page(tmp_path, line(quick=True, finished=True, dirty=True))
    assert "samples too small to believe" in text
    assert "The run was not made here" in text
    assert "with changes that are not committed" in text
    assert "too small" not in page(tmp_path, line())


def test_steps_have_all_their_columns() -> None:
    *_, header, ruler, first = list(results_page.steps(results_page.STEPS))[:7]
    assert header.count("|") == ruler.count("|") == first.count("|") == 5
