"""Write a compressed checkpoint for compressed-tensors: int Q, and L R as a PEFT adapter."""

import argparse
import shutil

from goodhart_gap.files import read_json
from goodhart_gap.script import Script

script = Script(__doc__)
script.input("--shards", many=True)
script.input("--index")
script.input("--base-config")
script.input("--fingerprint")
script.input("--companions", many=True)
script.output("--weights")
script.output("--config")
script.output("--adapter")
script.output("--adapter-config")
script.output("--copies", many=True)


def main(args: argparse.Namespace) -> None:
    from goodhart_gap.compression.assemble import shapes_of
    from goodhart_gap.runtime.exports.compressed_tensors import Packed
    from goodhart_gap.runtime.exports.dense import write_config

    packed = Packed(args.shards, args.index)
    linears = list(shapes_of(read_json(args.fingerprint)))
    packed.write_weights(args.weights)
    packed.write_adapter(args.adapter)
    packed.write_adapter_config(args.adapter_config, linears)
    write_config(args.base_config, args.config, packed.quantization_config(linears))
    for companion, copy in zip(args.companions, args.copies, strict=True):
        shutil.copyfile(companion, copy)


if __name__ == "__main__":
    script.run(main)
