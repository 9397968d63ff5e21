"""Foresee the error of each choice for each matrix of a shard, without compressing anything."""

import argparse
import json

from goodhart_gap.compression.foresight import foresee_shard, write_foreseen
from goodhart_gap.compression.matrix_settings import MatrixSettings
from goodhart_gap.files import read_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--base")
script.input("--fingerprint")
script.input("--hessians")
script.value("--candidates")
script.value("--threads", int)
script.output("--foreseen")


def main(args: argparse.Namespace) -> None:
    candidates = {
        name: MatrixSettings.model_validate(settings)
        for name, settings in json.loads(args.candidates).items()
    }
    foreseen = foresee_shard(
        args.base, read_json(args.fingerprint), args.hessians, candidates, args.threads
    )
    write_foreseen(args.foreseen, foreseen)


if __name__ == "__main__":
    script.run(main)
