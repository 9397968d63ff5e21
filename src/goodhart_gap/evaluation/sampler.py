"""Sampling responses, many at once, through an engine that runs the model.

    engine = TransformersEngine(model, tokenizer)      # or VllmEngine(folder, tokenizer, settings)
    records = sample(engine, tokenizer, prompts, runs=range(5), seed=42, settings=settings)

Every prompt is run through the model once; its runs share the result. What holds for every engine:

- A draw is keyed by (seed, task, run, role, step), never by the batch (`randomness`).
- Prompts are taken in batches of `settings.batch_size` responses; which prompts share a batch
  follows from the prompts and the settings alone. A journal keeps finished batches, so that a
  killed job loses the batch it was in, and ends with the bytes it would have had undisturbed.

What an engine promises about rounding stands in its module.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.chat import encode
from goodhart_gap.evaluation.progress import Progress
from goodhart_gap.evaluation.responses import Prompt, Response
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.journal import Journal

log = logging.getLogger(__name__)


class Engine(Protocol):
    """Runs a model: completes the responses of a batch of prompts."""

    positions: int | None
    """Tokens that a prompt and its response may have together; None where there is no limit."""

    def prompts_at_once(self, longest: int, runs: int, settings: SamplingSettings) -> int:
        """Return how many prompts a batch holds; `longest` counts prompt and response tokens."""
        ...

    def generate(
        self,
        encoded: Sequence[list[int]],
        rows: Sequence[Response],
        seed: int,
        settings: SamplingSettings,
        progress: Progress,
    ) -> None:
        """Fill in tokens and stop reason of `rows`: as many of each prompt, prompt by prompt."""
        ...


def sample(
    engine: Engine,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    runs: Iterable[int],
    seed: int,
    settings: SamplingSettings,
    journal: Journal | None = None,
) -> list[dict[str, Any]]:
    """Return one record a prompt and run, ordered by run, then by prompt.

    Raises GoodhartError when a prompt leaves no room for a response.
    """
    runs = list(runs)
    encoded = [encode(tokenizer, prompt.text, settings.system_prompt) for prompt in prompts]
    _check_room(engine, prompts, encoded, settings)
    longest = max(map(len, encoded), default=0) + settings.max_new_tokens
    size = engine.prompts_at_once(longest, len(runs), settings)
    records = journal.read() if journal else []
    known = {(record["task"], record["role"]) for record in records}
    if records:
        log.info("%d responses of an earlier, killed job are taken over", len(records))
    progress = Progress(len(prompts) * len(runs), len(records))
    for first in range(0, len(prompts), size):
        part = prompts[first : first + size]
        if all((prompt.task, prompt.role) in known for prompt in part):
            continue
        rows = [Response(prompt, run) for prompt in part for run in runs]
        engine.generate(encoded[first : first + size], rows, seed, settings, progress)
        made = [response.record(tokenizer) for response in rows]
        if journal:
            journal.append(made)
        records += made
    progress.report(final=True)
    order = {(prompt.task, prompt.role): place for place, prompt in enumerate(prompts)}
    return sorted(records, key=lambda r: (r["run"], order[r["task"], r["role"]]))


def _check_room(
    engine: Engine,
    prompts: Sequence[Prompt],
    encoded: Sequence[Sequence[int]],
    settings: SamplingSettings,
) -> None:
    room = engine.positions
    for prompt, ids in zip(prompts, encoded, strict=True):
        if room is not None and len(ids) + settings.max_new_tokens > room:
            raise GoodhartError(
                f"task '{prompt.task}': its {prompt.role} prompt has {len(ids)} tokens, which with "
                f"max_new_tokens = {settings.max_new_tokens} exceeds the model's {room} positions; "
                "lower max_new_tokens."
            )
