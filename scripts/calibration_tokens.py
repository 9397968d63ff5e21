"""Make the tokens a model is calibrated on."""

import argparse

import torch
from transformers import AutoTokenizer

from goodhart_gap.calibration.settings import CalibrationSettings
from goodhart_gap.calibration.tokens import held_out_count, make_tokens, write_tokens
from goodhart_gap.models.devices import first_device
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--config")
script.input("--tokenizer", many=True)
script.input("--shards", many=True, optional=True)
script.input("--text", optional=True)
script.output("--tokens")
script.settings("--calibration", CalibrationSettings)


def main(args: argparse.Namespace) -> None:
    held_out_count(args.calibration)
    torch.set_num_threads(args.calibration.threads)
    device = first_device()
    tokenizer = AutoTokenizer.from_pretrained(args.tokenizer[0].parent)
    tokens = make_tokens(args.calibration, tokenizer, args.config, args.shards or [], device)
    write_tokens(tokens, args.calibration, args.tokens)


if __name__ == "__main__":
    script.run(main)
