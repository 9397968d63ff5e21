"""Sampling responses from a transformers causal language model, many at once.

    records = sample(model, tokenizer, prompts, runs=range(5), seed=42, settings=settings)

Every prompt is run through the model once; its runs share the result. Responses that are finished
leave the batch. What holds, and is tested:

- A draw is keyed by (seed, task, run, role, step), never by the batch (`randomness`).
- The shapes a response is computed in follow from the response alone (`shared_prefix`), except the
  number of rows of the matrix products, which never falls under `_FEWEST_ROWS`. Where kernels treat
  rows independently (seen with oneDNN on a CPU with AVX512-bf16, in bfloat16) a response is byte
  for byte the same in every batch and for one thread or two. Elsewhere rounding may depend on the
  batch, and a token that is decided within rounding error may differ; the same chunk under the same
  settings on the same machine gives the same bytes.
- Between machines, kernels and library versions rounding differs, and nothing is promised.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation import shared_prefix
from goodhart_gap.evaluation.nucleus import draw
from goodhart_gap.evaluation.randomness import uniforms
from goodhart_gap.evaluation.sampling_settings import SamplingSettings

log = logging.getLogger(__name__)

_REPORT_EVERY_S = 10.0
_FEWEST_ROWS = 8
"""Rows of a forward pass, at least: for a row or two the kernels take another path and round
otherwise, so the last responses of a batch would depend on what else had been in it."""

_COMPACT_SHARE = 1 / 16
"""Rows are dropped when at least this share of them is finished: dropping copies the cache."""


@dataclass(frozen=True)
class Prompt:
    """What is asked, and under which name its draws are keyed."""

    task: str
    role: str
    text: str


@dataclass
class Response:
    """A response under way, then finished."""

    prompt: Prompt
    run: int
    tokens: list[int] = field(default_factory=list)
    stop_reason: str = "length"

    def record(self, tokenizer: Any) -> dict[str, Any]:
        """Return the response's part of a line of a responses file."""
        return {
            "run": self.run,
            "task": self.prompt.task,
            "role": self.prompt.role,
            "prompt": self.prompt.text,
            "text": tokenizer.decode(self.tokens, skip_special_tokens=True),
            "n_tokens": len(self.tokens),
            "stop_reason": self.stop_reason,
            "truncated": self.stop_reason == "length",
        }


def sample(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    runs: Iterable[int],
    seed: int,
    settings: SamplingSettings,
) -> list[dict[str, Any]]:
    """Return one record a prompt and run, ordered by run, then by prompt.

    Raises GoodhartError when a prompt leaves no room for a response.
    """
    runs = list(runs)
    torch.set_num_threads(settings.threads)
    encoded = [encode(tokenizer, prompt.text, settings.system_prompt) for prompt in prompts]
    _check_room(model, prompts, encoded, settings)
    stop = stop_tokens(model, tokenizer)
    longest = max(map(len, encoded)) + settings.max_new_tokens
    plain = shared_prefix.is_supported(model.config, longest)
    if not plain:
        log.info("%s: using the model's own attention, prompt by prompt", model.config.model_type)
    progress = _Progress(len(prompts) * len(runs))
    responses: list[Response] = []
    batch = max(1, settings.batch_size // len(runs)) if plain else 1
    generate = _generate_shared if plain else _generate_own
    with torch.inference_mode():
        for first in range(0, len(prompts), batch):
            part = slice(first, first + batch)
            rows = [Response(prompt, run) for prompt in prompts[part] for run in runs]
            generator = _Generator(rows, seed, settings, stop, model.device, progress)
            generate(model, encoded[part], generator)
            responses += rows
    progress.report(final=True)
    order = {(prompt.task, prompt.role): place for place, prompt in enumerate(prompts)}
    responses.sort(key=lambda row: (row.run, order[row.prompt.task, row.prompt.role]))
    return [response.record(tokenizer) for response in responses]


def encode(tokenizer: Any, text: str, system_prompt: str | None) -> list[int]:
    """Return the token ids of a prompt in the model's chat format, ready for a response.

    A tokenizer without chat template gets the bare text; a system prompt then stands before it.
    """
    if tokenizer.chat_template is None:
        parts = [part for part in (system_prompt, text) if part]
        return list(tokenizer("\n\n".join(parts))["input_ids"])
    messages = [{"role": "user", "content": text}]
    if system_prompt is not None:
        messages.insert(0, {"role": "system", "content": system_prompt})
    encoded = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_dict=True, tokenize=True
    )
    return list(encoded["input_ids"])


def stop_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Return every token that ends a response, from generation config, config and tokenizer."""
    found: set[int] = set()
    for source in (model.generation_config, model.config, tokenizer):
        ids = getattr(source, "eos_token_id", None)
        found |= set(ids) if isinstance(ids, list | tuple) else set() if ids is None else {ids}
    return frozenset(found)


class _Generator:
    """Chooses the next token of every row and knows which rows are still under way."""

    def __init__(
        self,
        rows: list[Response],
        seed: int,
        settings: SamplingSettings,
        stop: frozenset[int],
        device: torch.device,
        progress: "_Progress",
    ) -> None:
        self.rows, self.settings, self.stop = rows, settings, stop
        self.device, self.progress = device, progress
        self.alive = list(range(len(rows)))
        count = settings.max_new_tokens
        self.uniforms = torch.stack(
            [
                torch.from_numpy(uniforms(seed, row.prompt.task, row.run, row.prompt.role, count))
                for row in rows
            ]
        )
        self.step = 0

    def choose(self, logits: Tensor, rows: Sequence[int]) -> list[int]:
        """Draw a token for each of `rows`, record it, and return those tokens."""
        numbers = self.uniforms[list(rows), self.step].to(logits.device)
        tokens: list[int] = draw(
            logits, numbers, self.settings.temperature, self.settings.top_p
        ).tolist()
        for row, token in zip(rows, tokens, strict=True):
            response = self.rows[row]
            # A finished row may stay to fill the batch, and a row may fill it more than once.
            if response.stop_reason == "eos" or len(response.tokens) > self.step:
                continue
            if token in self.stop:
                response.stop_reason = "eos"
                self.progress.finished += 1
            else:
                response.tokens.append(token)
                self.progress.tokens += 1
        self.step += 1
        self.progress.report()
        return tokens

    def is_done(self, row: int) -> bool:
        """Whether the row has met a stop token."""
        return self.rows[row].stop_reason == "eos"


def _generate_shared(model: Any, encoded: list[list[int]], generator: _Generator) -> None:
    """Generate all rows together, each prompt's keys and values stored once."""
    cache = shared_prefix.SharedPrefixCache(model.config.num_hidden_layers)
    runs = len(generator.rows) // len(encoded)
    device = generator.device
    with shared_prefix.Serving(model, cache):
        first = []
        for ids in encoded:
            cache.open_prompt()
            result = model(
                input_ids=torch.tensor([ids], device=device),
                past_key_values=cache,
                logits_to_keep=1,
                use_cache=True,
            )
            first.append(result.logits[:, -1])
            generator.progress.report()
        logits = torch.cat(first).repeat_interleave(runs, dim=0)
        prompt_of_row = torch.arange(len(encoded), device=device).repeat_interleave(runs)
        lengths = torch.tensor([len(ids) for ids in encoded], device=device)
        positions = lengths.repeat_interleave(runs)
        rows = list(range(len(generator.rows)))
        if len(rows) < _FEWEST_ROWS:
            rows += [rows[-1]] * (_FEWEST_ROWS - len(rows))
            index = torch.tensor(rows, device=device)
            logits, positions = logits[index], positions[index]
            prompt_of_row = prompt_of_row[index]
        tokens = torch.tensor(generator.choose(logits, rows), device=device)
        cache.start(prompt_of_row)
        for _ in range(1, generator.settings.max_new_tokens):
            kept = [place for place, row in enumerate(rows) if not generator.is_done(row)]
            if not kept:
                break
            done = [place for place, row in enumerate(rows) if generator.is_done(row)]
            kept = sorted(kept + done[: max(0, _FEWEST_ROWS - len(kept))])
            if len(rows) - len(kept) >= max(1, _COMPACT_SHARE * len(rows)):
                index = torch.tensor(kept, device=device)
                cache.keep(index)
                tokens, positions = tokens[index], positions[index]
                rows = [rows[place] for place in kept]
            cache.advance()
            result = model(
                input_ids=tokens.unsqueeze(1),
                position_ids=positions.unsqueeze(1),
                past_key_values=cache,
                use_cache=True,
            )
            positions = positions + 1
            tokens = torch.tensor(generator.choose(result.logits[:, -1], rows), device=device)
    generator.progress.finished += sum(not generator.is_done(r) for r in range(len(generator.rows)))


def _generate_own(model: Any, encoded: list[list[int]], generator: _Generator) -> None:
    """Generate the runs of one prompt with the model's own attention and cache."""
    from transformers import DynamicCache

    (ids,) = encoded
    runs = len(generator.rows)
    device = generator.device
    cache = DynamicCache(config=model.config)
    result = model(
        input_ids=torch.tensor([ids], device=device),
        past_key_values=cache,
        logits_to_keep=1,
        use_cache=True,
    )
    cache.batch_repeat_interleave(runs)
    rows = list(range(runs))
    tokens = torch.tensor(
        generator.choose(result.logits[:, -1].repeat_interleave(runs, dim=0), rows), device=device
    )
    for _ in range(1, generator.settings.max_new_tokens):
        kept = [place for place, row in enumerate(rows) if not generator.is_done(row)]
        if not kept:
            break
        if len(kept) < len(rows):
            index = torch.tensor(kept, device=device)
            cache.batch_select_indices(index)
            tokens = tokens[index]
            rows = [rows[place] for place in kept]
        result = model(input_ids=tokens.unsqueeze(1), past_key_values=cache, use_cache=True)
        tokens = torch.tensor(generator.choose(result.logits[:, -1], rows), device=device)
    generator.progress.finished += sum(not generator.is_done(r) for r in range(runs))


class _Progress:
    """Tokens a second, responses finished, and the time left, about every ten seconds."""

    def __init__(self, total: int) -> None:
        self.total, self.finished, self.tokens = total, 0, 0
        self.started = self.reported = time.monotonic()

    def report(self, final: bool = False) -> None:
        """Log a line if the last one is old enough."""
        now = time.monotonic()
        if not final and now - self.reported < _REPORT_EVERY_S:
            return
        self.reported = now
        elapsed = now - self.started
        rate = self.tokens / max(elapsed, 1e-9)
        left = ""
        if self.finished and not final:
            left = f", about {elapsed * (self.total - self.finished) / self.finished:.0f} s left"
        log.info(
            "%d of %d responses, %d tokens, %.0f tokens/s%s",
            self.finished,
            self.total,
            self.tokens,
            rate,
            left,
        )


def _check_room(
    model: Any,
    prompts: Sequence[Prompt],
    encoded: Sequence[Sequence[int]],
    settings: SamplingSettings,
) -> None:
    room = getattr(model.config, "max_position_embeddings", None)
    for prompt, ids in zip(prompts, encoded, strict=True):
        if room is not None and len(ids) + settings.max_new_tokens > room:
            raise GoodhartError(
                f"task '{prompt.task}': its {prompt.role} prompt has {len(ids)} tokens, which with "
                f"max_new_tokens = {settings.max_new_tokens} exceeds the model's {room} positions; "
                "lower max_new_tokens."
            )
