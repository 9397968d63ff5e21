"""Sample the responses of a chunk of runs to every prompt, under one condition."""

import argparse

from goodhart_gap.evaluation.sampling_settings import SamplingSettings
from goodhart_gap.files import read_jsonl, write_jsonl
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--prompts")
script.input("--config")
script.input("--tokenizer", many=True)
script.input("--fingerprint")
script.input("--shards", many=True)
script.input("--index", optional=True)
script.output("--responses")
script.settings("--sampling", SamplingSettings)
for name in ("--experiment", "--model", "--condition"):
    script.value(name)
for name in ("--seed", "--first", "--last"):
    script.value(name, int)


def main(args: argparse.Namespace) -> None:
    # Torch and transformers take seconds to import, and an error above should not.
    import torch
    from transformers import AutoTokenizer

    from goodhart_gap.evaluation.sampler import Prompt, sample
    from goodhart_gap.runtime.load import load_model

    torch.set_num_threads(args.sampling.threads)
    prompts = [Prompt(row["task"], row["role"], row["prompt"]) for row in read_jsonl(args.prompts)]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = load_model(args.config, args.fingerprint, args.shards, args.sampling.dtype, device)
    tokenizer = AutoTokenizer.from_pretrained(args.config.parent)
    runs = range(args.first, args.last + 1)
    shared = {
        "experiment": args.experiment,
        "model": args.model,
        "condition": args.condition,
        "seed": args.seed,
    }
    records = sample(model, tokenizer, prompts, runs, args.seed, args.sampling)
    write_jsonl(args.responses, [shared | record for record in records])


if __name__ == "__main__":
    script.run(main)
