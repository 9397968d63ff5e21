"""Ways to sample that ours is compared with: one at a time, dequantizing, batched.

Everything draws from the same prompts with the same settings. A response of the one-at-a-time ways
is generated twice, cut at two lengths, which tells its start apart from its tokens
(`extrapolation.Generation`): both are short, and the whole follows from counted tokens.

What is divided by each other is measured turn about, since a machine that others use as well is a
third faster in some minutes than in others.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from benchmarks.extrapolation import SHORT, Generation
from benchmarks.original_layer import OriginalLinear
from benchmarks.sampling import Peer, rates

from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampler import sample
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.evaluation.transformers_engine import TransformersEngine
from goodhart_gap.runtime.packed_shard import PackedShard
from goodhart_gap.runtime.replacing import put, replace_linear


def dequantize_each_call(model: Any, compressed: Path) -> int:
    """Let each compressed layer form its weight anew whenever it is called; return how many do.

    What the original experiment did (`original_layer`): Q + L R of codes held as int8, then an
    ordinary product.
    """
    with PackedShard(compressed) as shard:
        for module in shard.modules:
            layer = replace_linear(model, module, shard, shard.parts(module))
            put(model, module, OriginalLinear(layer, model.dtype))
        return len(shard.modules)


def in_turns(
    ways: Mapping[str, tuple[Peer, int]],
    tokens: Callable[[], float],
    settings: SamplingSettings,
    turns: int,
    responses: int,
) -> dict[str, Any]:
    """`generate`, one prompt at a time, in each of `ways`, and our making of tokens, turn about.

    `ways`: {name: (peer, tokens of the longer of a response's two cuts)}; `tokens`: makes the
    calibration tokens and returns its seconds. Of each name one `Generation` a turn, typical of
    `responses`, no prompt twice; `tokens_s`: seconds of ours, one a turn.
    """
    found: dict[str, Any] = {name: [] for name in ways} | {"tokens_s": []}
    with torch.inference_mode():
        for peer, _ in ways.values():  # what is made at the first call is made before
            peer.tokens([peer.encoded[0]], 1, settings.model_copy(update={"max_new_tokens": SHORT}))
        for turn in range(turns):
            for name, (peer, longer) in ways.items():
                step = max(1, len(peer.encoded) // (turns * responses))
                chosen = peer.encoded[::step][: turns * responses][turn::turns]
                each = [_generation(peer, ids, settings, longer) for ids in chosen]
                found[name].append(asdict(Generation.typical(each)))
            found["tokens_s"].append(tokens())
    return found


def _generation(peer: Peer, ids: list[int], settings: SamplingSettings, longer: int) -> Generation:
    few, many = (_cut(peer, ids, settings, length) for length in (SHORT, longer))
    return Generation.between(few, many)


def _cut(peer: Peer, ids: list[int], settings: SamplingSettings, length: int) -> tuple[int, float]:
    """Tokens and seconds of one response of exactly `length` tokens: a stop token does not stop."""
    exact = settings.model_copy(update={"max_new_tokens": length})
    started = time.perf_counter()
    peer.tokens([ids], 1, exact, least=length)
    return length, time.perf_counter() - started


def best_batch(
    peer: Peer, batches: Sequence[int], settings: SamplingSettings
) -> tuple[int, int, dict[str, float]]:
    """The fastest batch size and threads of `generate`, and tokens a second of all that was tried.

    Batch sizes are tried with all threads, and the best of them with one.
    """
    cores = settings.threads
    tried = rates(peer, batches, [cores], settings)
    batch = max(tried, key=lambda setting: tried[setting])[0]
    tried |= rates(peer, [batch], sorted({1, cores} - {cores}), settings)
    chosen = max(tried, key=lambda setting: tried[setting])
    shown = {f"{size} at once, {threads} threads": rate for (size, threads), rate in tried.items()}
    return *chosen, shown


def rounds(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    runs: int,
    settings: SamplingSettings,
    batches: Sequence[int],
    count: int,
) -> dict[str, Any]:
    """Ours and batched `generate`, turn about: tokens and seconds of each, in `count` rounds.

    Ours samples every prompt `runs` times; `generate` one batch of them, from the middle of the
    lengths, since its rate does not depend on how many batches there are.
    """
    peer = Peer(model, tokenizer, [prompt.text for prompt in prompts for _ in range(runs)])
    engine = TransformersEngine(model, tokenizer)
    found: dict[str, Any] = {"ours": [], "batched": [], "threads": settings.threads}
    with torch.inference_mode():
        sizes = [size for size in batches if size <= len(peer.encoded)] or [len(peer.encoded)]
        batch, threads, found["tried"] = best_batch(peer, sizes, settings)
        found |= {"batch": batch, "batch_threads": threads}
        chosen = settings.model_copy(update={"threads": threads})
        first = max(0, (len(peer.encoded) - batch) // 2)
        ids = peer.encoded[first : first + batch]
        for turn in range(count):
            torch.manual_seed(turn)
            found["batched"].append(_timed(lambda: peer.tokens(ids, batch, chosen)))
            found["ours"].append(_timed(lambda: _ours(engine, tokenizer, prompts, runs, settings)))
    return found


def _ours(
    engine: TransformersEngine,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    runs: int,
    settings: SamplingSettings,
) -> int:
    records = sample(engine, tokenizer, prompts, range(runs), 42, settings)
    return sum(record["n_tokens"] for record in records)


def _timed(work: Callable[[], int]) -> dict[str, float]:
    started = time.perf_counter()
    tokens = work()
    return {"tokens": tokens, "seconds": time.perf_counter() - started}
