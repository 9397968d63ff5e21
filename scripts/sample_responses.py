"""Sample the responses of a chunk of runs to every prompt, under one condition."""

import argparse
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.sampler import Engine, sample
from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.files import read_jsonl, write_jsonl
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--prompts")
script.input("--config")
script.input("--tokenizer", many=True)
script.input("--fingerprint")
script.input("--shards", many=True, optional=True)
script.input("--index", optional=True)
script.input("--imported", optional=True)
script.output("--responses", journal=True)
script.settings("--sampling", SamplingSettings)
for name in ("--experiment", "--model", "--condition"):
    script.value(name)
for name in ("--seed", "--first", "--last"):
    script.value(name, int)


def main(args: argparse.Namespace) -> None:
    # Transformers takes seconds to import, and an error above should not.
    from transformers import AutoTokenizer

    prompts = [Prompt(row["task"], row["role"], row["prompt"]) for row in read_jsonl(args.prompts)]
    tokenizer = AutoTokenizer.from_pretrained(args.config.parent)
    shared = {
        "experiment": args.experiment,
        "model": args.model,
        "condition": args.condition,
        "seed": args.seed,
    }
    runs = range(args.first, args.last + 1)
    with checkpoint(args) as folder:
        engine = engine_of(args, tokenizer, folder)
        records = sample(
            engine, tokenizer, prompts, runs, args.seed, args.sampling, args.responses_journal
        )
    write_jsonl(args.responses, [shared | record for record in records])


def checkpoint(args: argparse.Namespace) -> AbstractContextManager[Path | None]:
    """Give the folder that vLLM reads; our own engine reads the shards themselves."""
    if args.sampling.backend == "transformers":
        return nullcontext()
    if args.imported is not None:
        raise GoodhartError(
            "sampling.backend = 'vllm': an imported condition runs with transformers here; set "
            "backend: transformers."
        )
    from goodhart_gap.evaluation.dense_checkpoint import dense_checkpoint

    return dense_checkpoint(args.config, args.fingerprint, args.shards, args.tokenizer, args.index)


def engine_of(args: argparse.Namespace, tokenizer: Any, folder: Path | None) -> Engine:
    """Start the engine that the settings name."""
    import torch

    if folder is not None:
        from goodhart_gap.evaluation.vllm_engine import VllmEngine

        return VllmEngine(folder, tokenizer, args.sampling, torch.cuda.device_count())
    from goodhart_gap.evaluation.transformers_engine import TransformersEngine
    from goodhart_gap.models.devices import available_device
    from goodhart_gap.runtime.load import load_model

    torch.set_num_threads(args.sampling.threads)
    device = available_device()
    dtype = args.sampling.dtype
    if args.imported is not None:
        from goodhart_gap.runtime.imported import load_imported

        return TransformersEngine(load_imported(args.imported, dtype, device), tokenizer)
    weights = args.sampling.weights
    model = load_model(
        args.config, args.fingerprint, args.shards, dtype, device, args.index, weights
    )
    return TransformersEngine(model, tokenizer)


if __name__ == "__main__":
    script.run(main)
