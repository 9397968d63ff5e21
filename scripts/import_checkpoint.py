"""Record a checkpoint that others have compressed: what it is, and the hash of every file."""

import argparse

from goodhart_gap.files import write_json
from goodhart_gap.models.import_settings import ImportSettings
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--base-config")
script.input("--files", many=True, optional=True)
script.output("--record")
script.settings("--import", ImportSettings)


def main(args: argparse.Namespace) -> None:
    from goodhart_gap.runtime.imported import describe_import

    write_json(args.record, describe_import(getattr(args, "import"), args.base_config))


if __name__ == "__main__":
    script.run(main)
