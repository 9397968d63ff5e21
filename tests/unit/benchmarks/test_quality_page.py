"""The page of the quality benchmark says what its lines can show, and no more."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from benchmarks import quality_bound, quality_subject
from benchmarks.quality_page import write_page
from benchmarks.quality_perplexity import compare, perplexity


def row(way: str, losses: list[float] | None, **changed: Any) -> dict[str, Any]:
    """A row at 2 bits."""
    return {
        "way": way,
        "bits": 2,
        "matrices": 210,
        "bits_per_parameter": 2.1,
        "held_out_error": 0.1,
        "ratio_to_paper": 0.8,
        "perplexity": 50.0 if losses is None else perplexity(losses),
        "cpu_s_per_matrix": 1.0,
        "peak_memory_mb": 500.0,
        "losses": losses,
        "made": [{"date": "2026-01-02", "commit": "abc1234", "dirty": False}],
    } | changed


def page(folder: Path, monkeypatch: pytest.MonkeyPatch, *rows: dict[str, Any]) -> str:
    monkeypatch.setattr(quality_bound, "lines", lambda _: iter(()))
    write_page(rows, folder / "QUALITY.md", ["- The base: some."])
    return (folder / "QUALITY.md").read_text()


def test_the_interval_is_students_of_the_paired_differences() -> None:
    found = compare([1.0, 2.0, 3.0], [1.1, 2.2, 3.3])
    assert found.ratio == pytest.approx(math.exp(-0.2))
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((math.exp(-0.2 - half), math.exp(-0.2 + half)))
    assert not found.resolved
    assert compare([1.0, 2.0, 3.0], [1.1, 2.11, 3.12]).resolved
    assert not compare([1.0], [9.0]).resolved


def test_perplexities_are_judged_only_where_they_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = "| 2 bits: perplexity of `ours` at most that of `paper`"
    paper = row("paper", [4.0, 3.0, 5.0])
    for losses, verdict in (
        ([3.9, 2.91, 4.89], "| met |"),
        ([4.1, 3.09, 5.11], "| **missed** |"),
        ([3.0, 3.9, 5.0], "| not resolved |"),
        (None, ", without an interval | open |"),
    ):
        text = page(tmp_path, monkeypatch, row("ours", losses), paper)
        (found,) = (line for line in text.splitlines() if line.startswith(f"{target} |"))
        assert found.endswith(verdict), found


def test_the_budget_has_a_target_of_speed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paper = row("paper", [4.0, 3.0], cpu_s_per_matrix=4.0)
    budget = row("ours-budget", [4.0, 3.0], cpu_s_per_matrix=3.2)
    text = page(tmp_path, monkeypatch, row("ours", [4.0, 3.0], cpu_s_per_matrix=0.5), paper, budget)
    assert "at least 5.0 times as long as `ours` | 8.000 | met |" in text
    assert "at least 5.0 times as long as `ours-budget` | 1.250 | **missed** |" in text


def test_what_is_missed_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paper = row("paper", [4.0, 3.0], cpu_s_per_matrix=4.0)
    budget = row("ours-budget", [3.9, 2.9], cpu_s_per_matrix=3.2)
    foreseen = row("ours-foreseen", [3.9, 2.9], cpu_s_per_matrix=0.7, held_out_error=0.08)
    text = page(tmp_path, monkeypatch, paper, budget, foreseen)
    assert "as long as `ours-foreseen` | 5.714 | met |" in text
    reasons = text.partition("Why targets are missed:")[2].strip().splitlines()
    assert [line[:12] for line in reasons] == ["- Speed of `"]
    worse = row("ours-foreseen", [4.1, 3.1], ratio_to_paper=0.9, cpu_s_per_matrix=0.7)
    text = page(tmp_path, monkeypatch, paper, worse)
    assert "error of `ours-foreseen` over the paper's at most 0.85 | 0.900 | **missed** |" in text
    assert "- Error, with one setting" in text.partition("Why targets are missed:")[2]
    assert "Why" not in page(tmp_path, monkeypatch, paper, foreseen)


def test_the_page_says_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = {"date": "2026-01-03", "commit": "fff0000", "dirty": True}
    paper = row("paper", [4.0, 3.0], made=[later])
    text = page(tmp_path, monkeypatch, row("ours", [4.0, 3.0]), paper)
    assert "- Measured from 2026-01-02 to 2026-01-03, commit abc1234, fff0000 with changes." in text
    assert "- Versions: torch " in text
    assert "- The base: some." in text


def test_the_default_base_was_quantized_in_groups_of_32() -> None:
    source = quality_subject.source_of(Path("results/models/smollm2-135m/base"))
    assert source is not None
    assert quality_subject.group_of(source) == ("Q4_1", 32)
    assert quality_subject.group_of("hf:some/model") is None
    assert quality_subject.group_of("pypi:some==1#model.BF16.gguf") is None
    assert quality_subject.source_of(Path("elsewhere/base")) is None


def test_levels_and_shared_tokens_are_counted() -> None:
    weight = torch.tensor([[1.0, 2.0, 2.0, 1.0, 5.0, 6.0, 7.0, 5.0]])
    assert quality_subject.most_levels([weight], 4) == 3
    same = torch.tensor([[1, 2, 3, 4], [1, 2, 5, 4]])
    assert quality_subject.shared_start([same, same[:1]]) == 2
