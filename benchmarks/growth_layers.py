"""Growth of calibration, compression and assembly: against the number of blocks, and the width.

Every size is a random model. Against blocks, the work is the number of blocks; against width it is
the operations that `goodhart-gap plan` counts (goodhart_gap.provenance.workload): products of
matrices and factorizations, which grow with the square to the cube of the width.
"""

from pathlib import Path
from typing import Any

from benchmarks.growth_graph import graph
from benchmarks.growth_measures import Axis, Jobs, Measure, Prepared, job
from benchmarks.growth_model import sizes_of, write_base, write_tokens

from goodhart_gap.compression.allocation import allocate, module_shapes
from goodhart_gap.compression.settings import ConditionSettings
from goodhart_gap.files import read_json, write_json
from goodhart_gap.models.shards import block_shard_names
from goodhart_gap.provenance.graph import GraphJob
from goodhart_gap.provenance.settings import MachineRates, PlanSettings
from goodhart_gap.provenance.workload import work_of

TOKENS = {"train": 28, "held_out": 4, "length": 64}
BLOCKS_PER_SHARD = 2
HIDDEN = 192
DEFAULT: dict[str, Any] = {"bits": 4}
"""How a block of each width is compressed: CALDERA with its defaults."""

FASTER: dict[str, Any] = {"method": "gptq", "bits": 4}
"""How many blocks are compressed: the same for each, whatever the method."""


class Layers:
    """A random model in a folder of its own, and the jobs that compress it."""

    def __init__(self, folder: Path, blocks: int, blocks_per_shard: int) -> None:
        self.folder, self.blocks = folder, blocks
        self.shards = block_shard_names(blocks, blocks_per_shard)
        self.blocks_per_shard = blocks_per_shard
        self.base = folder / "base"

    def write(self, hidden: int) -> None:
        """Write the model and its calibration tokens."""
        write_base(
            self.base, blocks=self.blocks, blocks_per_shard=self.blocks_per_shard, hidden=hidden
        )
        write_tokens(self.folder / "tokens.safetensors", **TOKENS)

    def calibrate(self) -> Jobs:
        """Jobs that accumulate the Hessians, shard after shard."""
        return [
            job(
                "accumulate_hessians",
                config=self.base / "config.json",
                tokens=self.folder / "tokens.safetensors",
                **(
                    {"before": self.folder / f"after-{self.shards[place - 1]}.safetensors"}
                    if place
                    else {"embeddings": self.base / "embeddings.safetensors"}
                ),
                weights=self.base / f"{shard}.safetensors",
                fingerprint=self.base / f"{shard}.fingerprint.json",
                shard=shard,
                calibration_threads=1,
                hessians=self._hessians(shard),
                after=self.folder / f"after-{shard}.safetensors",
            )
            for place, shard in enumerate(self.shards)
        ]

    def compress(self, compress: dict[str, Any]) -> Jobs:
        """Jobs that compress every shard; allocates first."""
        condition = ConditionSettings.model_validate({"compress": compress})
        shapes = module_shapes(map(read_json, map(self._fingerprint, self.shards)))
        write_json(self._allocation, allocate("tiny", "grown", condition, shapes))
        return [
            job(
                "compress_shard",
                base=self.base / f"{shard}.safetensors",
                fingerprint=self._fingerprint(shard),
                hessians=self._hessians(shard),
                allocation=self._allocation,
                threads=1,
                compressed=self._compressed(shard),
            )
            for shard in self.shards
        ]

    def assemble(self, compress: dict[str, Any]) -> Jobs:
        """The job that joins the compressed shards."""
        companions = ("generation_config.json", "tokenizer.json", "tokenizer_config.json")
        condition = ConditionSettings.model_validate({"compress": compress})
        folder = self.folder / "compressed"
        return [
            job(
                "assemble",
                shards=[self._compressed(shard) for shard in self.shards],
                embeddings=self.base / "embeddings.safetensors",
                base_config=self.base / "config.json",
                fingerprint=self.base / "fingerprint.json",
                allocation=self._allocation,
                condition="grown",
                companions=[self.base / name for name in companions],
                copies=[folder / name for name in companions],
                index=folder / "model.safetensors.index.json",
                config=folder / "config.json",
                fidelity=folder / "fidelity.csv",
                settings=condition.model_dump_json(),
            )
        ]

    @property
    def _allocation(self) -> Path:
        return self.folder / "allocation.json"

    def _fingerprint(self, shard: str) -> Path:
        return self.base / f"{shard}.fingerprint.json"

    def _hessians(self, shard: str) -> Path:
        return self.folder / "hessians" / f"{shard}.safetensors"

    def _compressed(self, shard: str) -> Path:
        return self.folder / "compressed" / f"{shard}.safetensors"


def _two_a_shard(folder: Path, blocks: int) -> Layers:
    return Layers(folder / "two", blocks, BLOCKS_PER_SHARD)


def _one_shard(folder: Path, blocks: int) -> Layers:
    return Layers(folder / "one", blocks, blocks)


def calibrated(folder: Path, blocks: int) -> Prepared:
    layers = _two_a_shard(folder, blocks)
    layers.write(HIDDEN)
    return Prepared(layers.calibrate(), blocks)


def compressed(folder: Path, blocks: int) -> Prepared:
    return Prepared(_two_a_shard(folder, blocks).compress(FASTER), blocks)


def assembled(folder: Path, blocks: int) -> Prepared:
    return Prepared(_two_a_shard(folder, blocks).assemble(FASTER), blocks)


def calibrated_at_once(folder: Path, blocks: int) -> Prepared:
    layers = _one_shard(folder, blocks)
    layers.write(HIDDEN)
    return Prepared(layers.calibrate(), blocks)


def compressed_at_once(folder: Path, blocks: int) -> Prepared:
    return Prepared(_one_shard(folder, blocks).compress(FASTER), blocks)


def calibrated_wide(folder: Path, hidden: int) -> Prepared:
    layers = _one_shard(folder, 1)
    layers.write(hidden)
    return Prepared(layers.calibrate(), operations("accumulate_hessians", hidden))


def compressed_wide(folder: Path, hidden: int) -> Prepared:
    jobs = _one_shard(folder, 1).compress(DEFAULT)
    return Prepared(jobs, operations("compress_shard", hidden))


def operations(rule: str, hidden: int) -> float:
    """Floating-point operations of a rule's job on one block of this width, as planned."""
    (shard,) = block_shard_names(1, 1)
    wildcards = {"shard": shard, "condition": "grown"}
    condition = ConditionSettings.model_validate({"compress": DEFAULT})
    rates = MachineRates(flops_per_s=1, memory_bytes_per_s=1, dollars_per_hour=0)
    sequences = TOKENS["train"] + TOKENS["held_out"]
    return work_of(
        GraphJob(
            id=0,
            rule=rule,
            wildcards=wildcards,
            inputs=[],
            outputs=[],
            params={},
            command=None,
            threads=1,
            resources={},
            needs=[],
            runs=True,
            reason="",
            benchmark=None,
        ),
        sizes_of(hidden),
        {
            "blocks": 1,
            "calibration": {"sequences": sequences, "sequence_length": TOKENS["length"]},
        },
        {"conditions": {"grown": condition.model_dump(mode="json")}},
        PlanSettings(cpu_core=rates, gpu=rates),
    ).flops


def _graph(folder: Path, blocks: int) -> Prepared:
    return graph(folder, blocks=blocks)


BLOCKS_AXIS = Axis(
    name="blocks",
    start=2,
    sizes=(4, 16, 64),
    quick=(2, 4, 8),
    fixed=f"width {HIDDEN}",
    measures=(
        Measure("accumulate_hessians, 2 blocks a shard", "blocks", 0, calibrated),
        Measure("compress_shard, 2 blocks a shard", "blocks", 0, compressed),
        Measure("assemble", "blocks", 1, assembled),
        Measure("accumulate_hessians, one shard", "blocks", 0, calibrated_at_once),
        # It holds what is packed so far, hence a share of every block of its shard.
        Measure("compress_shard, one shard", "blocks", 1, compressed_at_once),
        Measure("snakemake --dry-run", "jobs", 1, _graph),
    ),
)

WIDTH_AXIS = Axis(
    name="width",
    start=256,
    sizes=(512, 1024, 2048),
    quick=(64, 128, 256),
    fixed="one block",
    measures=(
        Measure("accumulate_hessians", "operations", 2, calibrated_wide),
        Measure("compress_shard", "operations", 2, compressed_wide),
    ),
)
