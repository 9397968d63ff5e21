"""Where a sampling job's time goes, part by part and by how full the batch is.

    python -m benchmarks.sampling_profile --finished ../other/goodhart

One job of the default experiment is sampled by one thread, as in the run, with timers around the
parts of a forward pass: forward hooks for the model's own modules, wrapped functions for ours. What
is counted is the thread's processor seconds, so that other work on the machine is left out.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks import flops
from benchmarks.sampling import load
from benchmarks.subject import Subject
from transformers import AutoTokenizer

from goodhart_gap.evaluation import shared_prefix, transformers_engine
from goodhart_gap.evaluation.chat import encode
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampler import sample
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.evaluation.transformers_engine import TransformersEngine

FULLNESS = (128, 64, 32, 0)
"""Rows of a step, at least, of the groups that steps are told apart by."""


class Clock:
    """Seconds and operations of named parts; what is timed inside another is not counted twice."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self._open: list[float] = []

    def start(self) -> None:
        """Begin a part inside whatever is under way."""
        self._open += [0.0, time.thread_time()]

    def stop(self, part: str) -> None:
        """End the part begun last."""
        took = time.thread_time() - self._open.pop()
        self.seconds[part] += took - self._open.pop()
        if self._open:
            self._open[-2] += took

    def around(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work`, timed."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            self.start()
            try:
                return work(*args, **kwargs)
            finally:
                self.stop(part)

        return timed


@contextmanager
def timed_modules(model: Any, clock: Clock) -> Iterator[None]:
    """Time the linear layers, the output matrix and the norms of `model`, and count products."""
    output = model.get_output_embeddings()
    hooks = []
    for module in model.modules():
        if module is output:
            part = "output matrix"
        elif hasattr(module, "in_features"):
            part = "linear layers"
        elif type(module).__name__.endswith("Norm"):
            part = "norms"
        else:
            continue
        hooks.append(module.register_forward_pre_hook(lambda *_: clock.start()))

        def stop(module: Any, inputs: Any, result: Any, part: str = part) -> None:
            clock.stop(part)
            if part != "norms":
                clock.operations[part] += 2 * result.numel() * module.in_features

        hooks.append(module.register_forward_hook(stop))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class StepClock:
    """Seconds and rows of every step of generation, a step lasting until the next begins."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, float]] = []
        self._began: float | None = None
        self._rows = 0

    def before(self, advance: Callable[..., None]) -> Callable[..., None]:
        """Return the cache's `advance`, which every step begins with, noting the time."""

        def noted(cache: shared_prefix.SharedPrefixCache) -> None:
            self.end()
            self._began, self._rows = time.thread_time(), len(cache.prompt_of_row)
            advance(cache)

        return noted

    def end(self) -> None:
        """End the step under way, if there is one."""
        if self._began is not None:
            self.steps.append((self._rows, time.thread_time() - self._began))
            self._began = None

    def by_fullness(self) -> list[dict[str, float]]:
        """Steps, tokens and seconds of the steps of at least so many rows, fullest first."""
        found = []
        most = float("inf")
        for least in FULLNESS:
            inside = [(rows, seconds) for rows, seconds in self.steps if least <= rows < most]
            most = least
            if inside:
                found.append(
                    {
                        "rows": least,
                        "steps": len(inside),
                        "tokens": sum(rows for rows, _ in inside),
                        "seconds": sum(seconds for _, seconds in inside),
                    }
                )
        return found


def profile(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    runs: int,
    sizes: flops.Sizes,
    settings: SamplingSettings,
) -> dict[str, Any]:
    """Sample a job; return its seconds and operations by part, and its steps by fullness."""
    # Only one thread's processor time is read.
    settings = settings.model_copy(update={"threads": 1})
    clock, steps = Clock(), StepClock()
    cache = shared_prefix.SharedPrefixCache
    timed = {
        (cache, "attend"): "attention to own tokens",
        (cache, "_attend_to_prompts"): "attention to prompts",
        (cache, "update"): "keeping keys and values",
        (cache, "keep"): "dropping finished rows",
        (transformers_engine, "draw"): "drawing",
    }
    with ExitStack() as stack:
        for (owner, name), part in timed.items():
            work = clock.around(part, getattr(owner, name))
            stack.enter_context(mock.patch.object(owner, name, work))
        advance = steps.before(clock.around("room for keys and values", cache.advance))
        stack.enter_context(mock.patch.object(cache, "advance", advance))
        stack.enter_context(timed_modules(model, clock))
        started = time.thread_time()
        engine = TransformersEngine(model, tokenizer)
        records = sample(engine, tokenizer, prompts, range(runs), 42, settings)
        whole_s = time.thread_time() - started
    steps.end()
    lengths = {
        (each.task, each.role): len(encode(tokenizer, each.text, settings.system_prompt))
        for each in prompts
    }
    made = [(lengths[row["task"], row["role"]], row["n_tokens"]) for row in records]
    return {
        "responses": len(records),
        "tokens": sum(tokens for _, tokens in made),
        "needed_operations": flops.sampling(sizes, lengths.values(), made),
        "whole_s": whole_s,
        "seconds": dict(clock.seconds) | {"the rest": whole_s - clock.seconds.total()},
        "operations": dict(clock.operations),
        "steps": steps.by_fullness(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--finished", type=Path, required=True, help="a finished default run")
    parser.add_argument("--max-new-tokens", type=int, help="fewer than the experiment has")
    args = parser.parse_args()
    subject = Subject(args.finished)
    settings = subject.sampling
    if args.max_new_tokens:
        settings = settings.model_copy(update={"max_new_tokens": args.max_new_tokens})
    model = load(subject.base, settings.dtype)
    tokenizer = AutoTokenizer.from_pretrained(subject.base)
    runs = subject.experiment["runs"]
    found = profile(model, tokenizer, subject.prompts, runs, subject.sizes, settings)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
