"""Judge the explanations of a file of responses (or of the gold set) with a model."""

import argparse
from collections.abc import Sequence
from itertools import chain
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.evaluation.judge_api import ApiJudge
from goodhart_gap.evaluation.judge_settings import JudgeSettings
from goodhart_gap.evaluation.responses import Prompt
from goodhart_gap.evaluation.tasks import read_frozen
from goodhart_gap.evaluation.verdicts import judge_explanations
from goodhart_gap.files import read_jsonl, write_jsonl
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--responses", many=True)
script.input("--tasks")
script.input("--config", optional=True)
script.input("--tokenizer", many=True, optional=True)
script.input("--fingerprint", optional=True)
script.input("--shards", many=True, optional=True)
script.output("--verdicts", journal=True)
script.settings("--judge", JudgeSettings)
script.computes_here(lambda args: args.judge.api is None)


def main(args: argparse.Namespace) -> None:
    rows = list(chain.from_iterable(read_jsonl(path) for path in args.responses))

    def local(prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
        return sampled(args, prompts)

    judge = local if args.judge.api is None else ApiJudge(args.judge, args.verdicts_journal)
    verdicts = judge_explanations(rows, read_frozen(args.tasks), args.judge, judge)
    name = args.judge.model or args.judge.api.model
    write_jsonl(args.verdicts, [{"judge": name} | verdict for verdict in verdicts])


def sampled(args: argparse.Namespace, prompts: Sequence[Prompt]) -> list[dict[str, Any]]:
    """Answer with our own sampler, one draw a prompt."""
    from transformers import AutoTokenizer

    from goodhart_gap.evaluation.sampler import sample
    from goodhart_gap.evaluation.transformers_engine import TransformersEngine
    from goodhart_gap.models.devices import available_device
    from goodhart_gap.runtime.load import load_model

    settings = args.judge.sampling
    if settings.backend != "transformers":
        raise GoodhartError(
            "grading.judge.sampling.backend = 'vllm': a local judge runs on our own sampler; serve "
            "the model with `vllm serve` and name it as grading.judge.api."
        )
    device = available_device()
    model = load_model(args.config, args.fingerprint, args.shards, settings.dtype, device)
    tokenizer = AutoTokenizer.from_pretrained(args.config.parent)
    engine = TransformersEngine(model, tokenizer)
    return sample(engine, tokenizer, prompts, [0], 0, settings, args.verdicts_journal)


if __name__ == "__main__":
    script.run(main)
