"""How fast are responses sampled: ours against transformers' `generate`, one by one and batched?

    python benchmarks/sampling.py --base results/models/smollm2-135m/base

All three draw from the same model in the same number format with the same threads, and count the
tokens before the stop token. `generate` one at a time is timed on a part of the responses, since
its rate does not depend on how many there are; batched it is given every batch size asked for, and
the best counts.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from goodhart_gap.evaluation.sampler import Prompt, encode, sample, stop_tokens
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.evaluation.task_sets import read_task_set
from goodhart_gap.evaluation.tasks import prompt_rows
from goodhart_gap.runtime.load import load_model


def load(base: Path, dtype: str) -> Any:
    if not (base / "fingerprint.json").exists():
        return AutoModelForCausalLM.from_pretrained(base, dtype=dtype).eval()
    shards = sorted(base.glob("*.safetensors"))
    return load_model(base / "config.json", base / "fingerprint.json", shards, dtype)


def generated(
    model: Any, tokenizer: Any, texts: list[str], batch: int, settings: SamplingSettings
) -> int:
    """Generate a response to each text and return the number of tokens."""
    stop = stop_tokens(model, tokenizer)
    tokens = 0
    for first in range(0, len(texts), batch):
        ids = [
            encode(tokenizer, text, settings.system_prompt) for text in texts[first : first + batch]
        ]
        width = max(map(len, ids))
        padded = torch.tensor([[min(stop)] * (width - len(row)) + row for row in ids])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in ids])
        result = model.generate(
            padded,
            attention_mask=mask,
            do_sample=True,
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=0,
            max_new_tokens=settings.max_new_tokens,
            eos_token_id=sorted(stop),
            pad_token_id=min(stop),
        )
        for row in result[:, width:].tolist():
            end = next((place for place, token in enumerate(row) if token in stop), len(row))
            tokens += end
    return tokens


def timed(work: Callable[[], int]) -> tuple[int, float]:
    started = time.perf_counter()
    tokens = work()
    return tokens, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, default=Path("config/tasks/original-20.yaml"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--single", type=int, default=8, help="responses of generate one by one")
    parser.add_argument("--batches", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--max-new-tokens", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--output", type=Path, help="append the figures as a JSON line")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    settings = SamplingSettings(
        max_new_tokens=args.max_new_tokens, threads=args.threads, dtype=args.dtype
    )
    model = load(args.base, args.dtype)
    tokenizer = AutoTokenizer.from_pretrained(args.base)
    rows = prompt_rows(read_task_set(args.tasks))
    prompts = [Prompt(row["task"], row["role"], row["prompt"]) for row in rows]
    texts = [prompt.text for prompt in prompts for _ in range(args.runs)]
    generated(model, tokenizer, texts[:2], 2, settings.model_copy(update={"max_new_tokens": 4}))

    def ours() -> int:
        records = sample(model, tokenizer, prompts, range(args.runs), 42, settings)
        return sum(record["n_tokens"] for record in records)

    spread = texts[:: max(1, len(texts) // args.single)][: args.single]
    with torch.inference_mode():
        figures = {
            "ours": timed(ours),
            "generate one by one": timed(lambda: generated(model, tokenizer, spread, 1, settings)),
        }
        for batch in args.batches:
            figures[f"generate in batches of {batch}"] = timed(
                lambda batch=batch: generated(model, tokenizer, texts, batch, settings)
            )
    rates = {name: tokens / seconds for name, (tokens, seconds) in figures.items()}
    for name, (tokens, seconds) in figures.items():
        print(f"{name:28} {tokens:7d} tokens {seconds:8.1f} s {rates[name]:8.0f} tokens/s")
    batched = max(rate for name, rate in rates.items() if "batches" in name)
    print(f"ours is {rates['ours'] / rates['generate one by one']:.1f} times one by one")
    print(f"ours is {rates['ours'] / batched:.1f} times the best batched")
    if args.output is not None:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        with args.output.open("a") as handle:
            handle.write(json.dumps({"sequences": len(texts), "rates": rates}) + "\n")


if __name__ == "__main__":
    main()
