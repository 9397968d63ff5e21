"""Our own engine: a transformers model that generates whole batches, prompts stored once.

Finished responses leave the batch, and logits are computed only where a token is drawn. What holds,
and is tested:

- The shapes a response is computed in follow from the response alone (`shared_prefix`), except the
  number of rows of the matrix products, which never falls under `_FEWEST_ROWS`. Where kernels treat
  rows independently (seen on CPUs with AVX512-bf16, in bfloat16, and AVX2, in float32) a response
  is byte for byte the same in every batch and for one thread or two. Elsewhere rounding may depend
  on the batch, and a token that is decided within rounding error may differ; the same chunk under
  the same settings on the same machine gives the same bytes.
- Between machines, kernels and library versions rounding differs, and nothing is promised.
- A model may be spread over several devices (`goodhart_gap.models.placement`): token ids go to the
  device of the embeddings, and logits come back there.
"""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from goodhart_gap.evaluation import shared_prefix
from goodhart_gap.evaluation.chat import stop_tokens
from goodhart_gap.evaluation.nucleus import draw
from goodhart_gap.evaluation.plain_rows import plain_rows
from goodhart_gap.evaluation.progress import Progress
from goodhart_gap.evaluation.randomness import uniforms
from goodhart_gap.evaluation.responses import Response
from goodhart_gap.evaluation.sampling_settings import SamplingSettings

log = logging.getLogger(__name__)

_FEWEST_ROWS = 8
"""Rows of a forward pass, at least: for a row or two the kernels take another path and round
otherwise, so the last responses of a batch would depend on what else had been in it."""

_COMPACT_SHARE = 1 / 16
"""Rows are dropped when at least this share of them is finished: dropping copies the cache."""


class TransformersEngine:
    """Completes responses with a transformers causal language model."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.positions: int | None = getattr(model.config, "max_position_embeddings", None)
        self.stop = stop_tokens(model.generation_config, model.config, tokenizer)
        self.shared = True

    def prompts_at_once(self, longest: int, runs: int, settings: SamplingSettings) -> int:
        """Return how many prompts a batch holds: one where the model's own attention is used."""
        self.shared = shared_prefix.is_supported(self.model.config, longest)
        if not self.shared:
            kind = self.model.config.model_type
            log.info("%s: using the model's own attention, prompt by prompt", kind)
        return max(1, settings.batch_size // max(1, runs)) if self.shared else 1

    def generate(
        self,
        encoded: Sequence[list[int]],
        rows: Sequence[Response],
        seed: int,
        settings: SamplingSettings,
        progress: Progress,
    ) -> None:
        """Fill in tokens and stop reason of `rows`: as many of each prompt, prompt by prompt."""
        torch.set_num_threads(settings.threads)
        device = _input_device(self.model)
        chooser = _Chooser(rows, seed, settings, self.stop, device, progress)
        with torch.inference_mode(), plain_rows(self.model):
            if self.shared:
                _generate_shared(self.model, encoded, chooser)
            else:
                _generate_own(self.model, encoded, chooser)
        progress.finished += sum(not chooser.is_done(row) for row in range(len(rows)))


def _input_device(model: Any) -> torch.device:
    """Return where token ids go: the device of the embeddings, or the one they are brought to."""
    embeddings = model.get_input_embeddings()
    brought_to = getattr(getattr(embeddings, "_hf_hook", None), "execution_device", None)
    return embeddings.weight.device if brought_to is None else torch.device(brought_to)


class _Chooser:
    """Chooses the next token of every row and knows which rows are still under way."""

    def __init__(
        self,
        rows: Sequence[Response],
        seed: int,
        settings: SamplingSettings,
        stop: frozenset[int],
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.rows, self.settings, self.stop = rows, settings, stop
        self.device, self.progress = device, progress
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


def _generate_shared(model: Any, encoded: Sequence[list[int]], chooser: _Chooser) -> None:
    """Generate all rows together, each prompt's keys and values stored once."""
    cache = shared_prefix.SharedPrefixCache(model.config.num_hidden_layers)
    runs = len(chooser.rows) // len(encoded)
    device = chooser.device
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
            chooser.progress.report()
        rows = list(range(len(chooser.rows)))
        rows += [rows[-1]] * (_FEWEST_ROWS - len(rows))
        prompt_of_row = [row // runs for row in rows]
        logits = torch.cat(first)[torch.tensor(prompt_of_row, device=device)]
        lengths = [len(encoded[prompt]) for prompt in prompt_of_row]
        positions = torch.tensor(lengths, device=device)
        tokens = torch.tensor(chooser.choose(logits, rows), device=device)
        cache.start(prompt_of_row)
        for _ in range(1, chooser.settings.max_new_tokens):
            kept = [place for place, row in enumerate(rows) if not chooser.is_done(row)]
            if not kept:
                break
            done = [place for place, row in enumerate(rows) if chooser.is_done(row)]
            kept = sorted(kept + done[: max(0, _FEWEST_ROWS - len(kept))])
            if len(rows) - len(kept) >= max(1, _COMPACT_SHARE * len(rows)):
                index = torch.tensor(kept, device=device)
                cache.keep(kept)
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
            tokens = torch.tensor(chooser.choose(result.logits[:, -1], rows), device=device)


def _generate_own(model: Any, encoded: Sequence[list[int]], chooser: _Chooser) -> None:
    """Generate the runs of one prompt with the model's own attention and cache."""
    from transformers import DynamicCache

    (ids,) = encoded
    runs = len(chooser.rows)
    device = chooser.device
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
        chooser.choose(result.logits[:, -1].repeat_interleave(runs, dim=0), rows), device=device
    )
    for _ in range(1, chooser.settings.max_new_tokens):
        kept = [place for place, row in enumerate(rows) if not chooser.is_done(row)]
        if not kept:
            break
        if len(kept) < len(rows):
            index = torch.tensor(kept, device=device)
            cache.batch_select_indices(index)
            tokens = tokens[index]
            rows = [rows[place] for place in kept]
        result = model(input_ids=tokens.unsqueeze(1), past_key_values=cache, use_cache=True)
        tokens = torch.tensor(chooser.choose(result.logits[:, -1], rows), device=device)
