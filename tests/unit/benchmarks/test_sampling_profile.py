"""A profile accounts for all of a job's time and for every product with a weight."""

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import results_page, sampling_profile
from benchmarks.flops import Sizes, block_products, output
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.evaluation.chat import encode
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from tests.unit.benchmarks.lines import line


def test_a_part_inside_another_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(100))
    monkeypatch.setattr(sampling_profile.time, "thread_time", lambda: float(next(now)))
    clock = sampling_profile.Clock()
    inner = clock.around("inner", lambda: None)
    clock.around("outer", lambda: (inner(), inner()))()
    # Begun at 0, ended at 5; the inner ones last from 1 to 2 and from 3 to 4.
    assert clock.seconds == {"inner": 2.0, "outer": 3.0}


def test_a_job_is_accounted_for_whole(checkpoints: Callable[[str], Path]) -> None:
    folder = checkpoints("llama")
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    sizes = Sizes.of(model.config.to_dict())
    settings = SamplingSettings(max_new_tokens=12, threads=1, dtype="float32")
    prompts = [Prompt("sums", "execution", "2 and 3"), Prompt("sums", "explanation", "Why 5?")]
    before = type(model).forward, sampling_profile.transformers_engine.draw
    found = sampling_profile.profile(model, tokenizer, prompts, 5, sizes, settings)
    assert found["responses"] == 10
    assert sum(found["seconds"].values()) == pytest.approx(found["whole_s"])
    assert 0 < found["seconds"]["the rest"] < found["whole_s"]
    assert {"attention to own tokens", "attention to prompts", "drawing", "norms"} <= set(
        found["seconds"]
    )
    # No product goes uncounted, and none is done for more than ten full responses.
    lengths = [len(encode(tokenizer, prompt.text, None)) for prompt in prompts]
    step = block_products(sizes) + output(sizes)
    first = sum(length * block_products(sizes) + output(sizes) for length in lengths)
    done = sum(found["operations"].values())
    assert first + (found["tokens"] - 10) * step <= done <= first + 10 * 11 * step
    steps = found["steps"]
    assert sum(group["steps"] for group in steps) <= 11
    assert sum(group["tokens"] for group in steps) >= found["tokens"] - 10
    assert (type(model).forward, sampling_profile.transformers_engine.draw) == before


def test_the_page_says_where_the_time_goes(tmp_path: Path) -> None:
    made = line()
    text = "\n".join(results_page.sampling_profile_table.lines(made))
    assert "10 s of the processor" in text
    # 4 Gflop at the 2 Gflop/s of a thread are 2 of 10 s; products take 4 s and reach half the rate.
    assert "would take 2 s at 2 Gflop/s" in text
    assert "Products with weights take 40% of the time and reach 50% of that rate" in text
    assert "| drawing | 5.0 | 50.0% |  |  |" in text
    assert "| 64 or more | 100 | 1000 | 8.0 | 80 | 125 |" in text
