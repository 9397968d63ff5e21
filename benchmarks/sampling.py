"""How fast are responses sampled: ours against transformers' `generate`, one by one and batched?

    python benchmarks/sampling.py --base results/models/smollm2-135m/base

All draw from the same model in the same number format, and tokens before the stop token count.
First batched `generate` is tried with every batch size and number of threads asked for, on one
batch of short responses; the fastest setting is the peer. Then rounds: in each, ours, the peer and
`generate` one by one, back to back, so that whatever else the machine does hits all three alike.
The ratios are those of the rounds' rates: their median, and the least and the greatest. One by one
is timed on a part of the responses, since its rate does not depend on how many there are.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.evaluation.chat import encode, stop_tokens
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampler import sample
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import prompt_rows
from goodhart_gap.evaluation.transformers_engine import TransformersEngine
from goodhart_gap.runtime.load import load_model

SHORT = 32
"""Tokens of a response while settings of the peer are tried."""


def load(base: Path, dtype: str) -> Any:
    if not (base / "fingerprint.json").exists():
        return AutoModelForCausalLM.from_pretrained(base, dtype=dtype).eval()
    shards = sorted(base.glob("*.safetensors"))
    return load_model(base / "config.json", base / "fingerprint.json", shards, dtype)


class Peer:
    """Transformers' own `generate`, on prompts sorted by length so that little is padded."""

    def __init__(self, model: Any, tokenizer: Any, texts: list[str]) -> None:
        self.model = model
        self.stop = stop_tokens(model.generation_config, model.config, tokenizer)
        self.encoded = sorted((encode(tokenizer, text, None) for text in texts), key=len)

    def tokens(
        self, ids: list[list[int]], batch: int, settings: SamplingSettings, least: int = 0
    ) -> int:
        """Generate a response, `least` tokens at least, to each prompt; return how many tokens."""
        torch.set_num_threads(settings.threads)
        return sum(
            self._batch(ids[first : first + batch], settings, least)
            for first in range(0, len(ids), batch)
        )

    def _batch(self, ids: list[list[int]], settings: SamplingSettings, least: int) -> int:
        width = max(map(len, ids))
        pad = min(self.stop)
        result = self.model.generate(
            torch.tensor([[pad] * (width - len(row)) + row for row in ids]),
            attention_mask=torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids]),
            do_sample=True,
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=0,
            max_new_tokens=settings.max_new_tokens,
            min_new_tokens=least or None,
            eos_token_id=sorted(self.stop),
            pad_token_id=pad,
        )
        ends = (
            next((place for place, token in enumerate(row) if token in self.stop), len(row))
            for row in result[:, width:].tolist()
        )
        return sum(ends)


def rate(work: Callable[[], int]) -> float:
    """Return the tokens a second of `work`, which returns its tokens."""
    started = time.perf_counter()
    tokens = work()
    return tokens / (time.perf_counter() - started)


def rates(
    peer: Peer, batches: Sequence[int], threads: Sequence[int], settings: SamplingSettings
) -> dict[tuple[int, int], float]:
    """Tokens a second of the peer on short responses, by batch size and threads."""
    found = {}
    for batch, count in product(batches, threads):
        tried = settings.model_copy(update={"max_new_tokens": SHORT, "threads": count})
        # Neighbours in length, as in a whole run, from the middle of the lengths.
        first = max(0, (len(peer.encoded) - batch) // 2)
        ids = peer.encoded[first : first + batch]
        found[batch, count] = rate(lambda i=ids, b=batch, s=tried: peer.tokens(i, b, s))
        shown_rate = f"{found[batch, count]:.0f} tokens/s"
        print(f"generate, batches of {batch}, {count} threads: {shown_rate}", flush=True)
    return found


def shown(name: str, values: list[float]) -> str:
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{name:32} {middle:8.1f}   ({low:.1f} to {high:.1f} in {len(values)} rounds)"


def main() -> None:
    cores = os.cpu_count() or 1
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, default=Path("config/tasks/original-20.yaml"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--single", type=int, default=4, help="responses of generate one by one")
    parser.add_argument("--batches", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--max-new-tokens", type=int, default=256)
    parser.add_argument("--threads", type=int, default=cores, help="threads of ours and one by one")
    parser.add_argument("--peer-threads", type=int, nargs="+", default=sorted({1, cores}))
    parser.add_argument("--dtype", default="auto", help="auto, bfloat16 or float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget-s", type=float, default=480, help="no round that would exceed it")
    parser.add_argument("--output", type=Path, help="append the figures as a JSON line")
    args = parser.parse_args()
    started = time.perf_counter()
    settings = SamplingSettings(
        max_new_tokens=args.max_new_tokens, threads=args.threads, dtype=args.dtype
    )
    model = load(args.base, args.dtype)
    print(f"computed in {str(model.dtype).removeprefix('torch.')}")
    tokenizer = AutoTokenizer.from_pretrained(args.base)
    rows = prompt_rows(read_task_set(args.tasks))
    prompts = [Prompt(row["task"], row["role"], row["prompt"]) for row in rows]
    peer = Peer(model, tokenizer, [p.text for p in prompts for _ in range(args.runs)])
    engine = TransformersEngine(model, tokenizer)

    def ours() -> int:
        records = sample(engine, tokenizer, prompts, range(args.runs), 42, settings)
        return sum(record["n_tokens"] for record in records)

    few = peer.encoded[:: max(1, len(peer.encoded) // args.single)][: args.single]
    rounds: list[dict[str, float]] = []
    with torch.inference_mode():
        peer.tokens(few[:2], 2, settings.model_copy(update={"max_new_tokens": 4}))
        tried = rates(peer, args.batches, args.peer_threads, settings)
        batch, count = max(tried, key=lambda setting: tried[setting])
        chosen = settings.model_copy(update={"threads": count})
        longest = 0.0
        while len(rounds) < args.rounds:
            began = time.perf_counter()
            if rounds and began - started + longest > args.budget_s:
                break
            rounds.append(
                {
                    "ours": rate(ours),
                    "batched": rate(lambda: peer.tokens(peer.encoded, batch, chosen)),
                    "one by one": rate(lambda: peer.tokens(few, 1, settings)),
                }
            )
            longest = max(longest, time.perf_counter() - began)
    print(f"{len(peer.encoded)} responses of at most {args.max_new_tokens} tokens, tokens/s:")
    names = {
        "ours": f"ours, {args.threads} threads",
        "batched": f"generate, {batch} at once, {count} threads",
        "one by one": f"generate one by one, {args.threads} threads",
    }
    for key, name in names.items():
        print(shown(name, [found[key] for found in rounds]))
    for key in ("one by one", "batched"):
        print(shown(f"ours / {key}", [found["ours"] / found[key] for found in rounds]))
    if args.output is not None:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        figures = {"sequences": len(peer.encoded), "batch": batch, "peer_threads": count}
        with args.output.open("a") as handle:
            handle.write(json.dumps(figures | {"rounds": rounds}) + "\n")


if __name__ == "__main__":
    main()
