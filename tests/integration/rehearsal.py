"""The 72B experiment without the weights: its own graph, on a random model of 80 thin blocks.

    python -m tests.integration.rehearsal FOLDER [--blocks-per-shard 2] [--cut-s 60]

runs it twice through S3 (SeaweedFS) and Slurm, undisturbed and with a fault at a random job of each
stage, and compares. `make rehearsal` calls it; tests/integration/test_rehearsal.py does the same
with fewer, larger shards, so that CI can afford it.
"""

import argparse
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.integration.cluster import ClusterRun, products
from tests.integration.workshop import Workshop
from tests.servers.seaweed import BUCKET, SeaweedFS
from tests.servers.slurm import Slurm, why_not
from tests.tiny_models import write_tiny_checkpoint

EXPERIMENT = "qwen2-72b-n100"
CONFIGFILE = f"config/{EXPERIMENT}.yaml"
WIDTH = 32
STAGES = ("fetch_shard", "accumulate_hessians", "compress_shard", "sample_responses")


def rehearsal_config(
    blocks_per_shard: int, prefix: str | None, *, on_cluster: bool = True
) -> dict[str, Any]:
    """Return what is put over the 72B experiment's own configuration: a thin model, few tokens.

    The nodes of the test's cluster have GPUs, as far as Slurm knows; this machine has none.
    """
    compress = {"compress": {"group_size": 16, "rank": 4}}
    config: dict[str, Any] = {
        "build": [EXPERIMENT],
        "models": {
            "qwen2-72b": {
                "source": "file:checkpoint",
                "revision": None,
                "blocks_per_shard": blocks_per_shard,
                "gpus": on_cluster,
                "sizes": {
                    "hidden": WIDTH,
                    "intermediate": 2 * WIDTH,
                    "queries": WIDTH,
                    "keys": WIDTH // 2,
                    "vocabulary": 400,
                },
                "calibration": {
                    "source": "file:calibration.txt",
                    "revision": None,
                    "sequences": 4,
                    "sequence_length": 32,
                },
            }
        },
        "conditions": {"large-4bit": compress, "large-4bit-last10": compress},
        "experiments": {
            EXPERIMENT: {
                "runs": 1,
                "runs_per_job": 1,
                "sampling": {"max_new_tokens": 4},
            }
        },
    }
    if prefix:
        config["storage"] = {"prefix": prefix, "hessians": True}
    return config


class RehearsalWorkshop(Workshop):
    """A workshop whose configuration lies over that of the 72B experiment."""

    def __init__(self, folder: Path, checkpoint: Path, config: dict[str, Any]) -> None:
        super().__init__(folder, checkpoint)
        self.config = config
        (folder / "calibration.txt").write_text("Alice walks to the shop at ten. " * 200)

    @property
    def results(self) -> Path:
        """The experiment's results."""
        return self.folder / "results" / EXPERIMENT

    def command(self, *arguments: str) -> list[str]:
        """Write the configuration and return the command line of snakemake."""
        command = super().command(*arguments)
        command.insert(command.index("tiny.yaml"), CONFIGFILE)
        return command

    def outcome(self) -> dict[str, bytes]:
        """Return the tables and documents, byte by byte."""
        files = [*self.results.glob("tables/*.csv"), *self.results.glob("*.md")]
        return {path.name: path.read_bytes() for path in sorted(files)}


class Rehearsal:
    """One rehearsal on a cluster and an S3 server, with or without faults."""

    def __init__(
        self, workshop: RehearsalWorkshop, slurm: Slurm, s3: SeaweedFS, seed: int, cut_s: float
    ) -> None:
        self.workshop = workshop
        self.slurm = slurm
        self.s3 = s3
        self.cut_s = cut_s
        self.random = random.Random(seed)
        self.run = ClusterRun(workshop, slurm, s3.environment(), configfile=CONFIGFILE)
        self.run.patience_s = 2 * 3600.0
        self.run.gate(*STAGES)
        self.hit: list[str] = []
        """Comment of every job that a fault met: it was running, or its end was not seen."""
        self._earlier = set(slurm.jobs("all"))

    def undisturbed(self) -> None:
        """Run to the end."""
        self.run.start()
        self.run.finish(self.run.patience_s)

    def disturbed(self) -> None:
        """Run to the end through a fault in each stage; raises AssertionError if one is fatal."""
        model = self.workshop.config["models"]["qwen2-72b"]
        step = model["blocks_per_shard"]
        shards = [f"blocks{first:03d}-{first + step - 1:03d}" for first in range(0, 80, step)]
        words = {stage: self.random.choice(shards) for stage in STAGES[:3]}
        conditions = ["baseline", "large-4bit", "large-4bit-last10"]
        words["sample_responses"] = f"/{self.random.choice(conditions)}/"
        for stage, word in words.items():
            self.run.hold(stage, word)
        self.run.start()

        self.run.wait_until_held("fetch_shard")
        self._strike("fetch_shard")
        number = self.run.job_of("fetch_shard", words["fetch_shard"])
        self.slurm.command("scancel", "--signal=KILL", "--full", number)
        self.run.release("fetch_shard")

        self.run.wait_until_held("accumulate_hessians")
        self._strike("accumulate_hessians")
        self.slurm.kill_controller()
        self.run.release("accumulate_hessians")
        self.slurm.start_controller()

        self.run.wait_until_held("compress_shard")
        self._strike("compress_shard")
        self.s3.kill()
        self.run.release("compress_shard")
        time.sleep(self.cut_s)
        self.s3.start()

        self.run.wait_until_held("sample_responses")
        self._strike("sample_responses")
        self.run.kill()
        # Jobs that had ended without snakemake's noticing are lost as well.
        jobs = self.slurm.jobs("all")
        self.hit += [jobs[number] for number in self.run.unseen()]
        untrusted = self.run.untrusted()
        self.run.release("sample_responses")
        self.slurm.wait_until(
            lambda: not self.slurm.jobs("running,pending,completing"), "an empty queue", 900
        )
        before = self.finished()
        for name in untrusted:
            before.pop(name.removeprefix("results/models/"), None)
        self.run.unlock()
        self.run.start()
        self.run.finish(self.run.patience_s)
        after = self.finished()
        changed = {name for name in before if after.get(name) != before[name]}
        assert not changed, f"made again after the kill: {sorted(changed)}"

    def finished(self) -> dict[str, Any]:
        """Return the stamp of everything about the model that is finished, here and on S3."""
        local = {
            name: stamp
            for name, stamp in products(self.workshop.folder / "results/models").items()
            if not name.endswith(".safetensors")
        }
        kept = {key: size for key, size in self.s3.objects().items() if "/calibration/" not in key}
        return local | kept

    def completed(self) -> Counter[str]:
        """Count how often each job (rule and wildcards) has completed on the cluster."""
        jobs = self.slurm.jobs("completed")
        return Counter(comment for number, comment in jobs.items() if number not in self._earlier)

    def _strike(self, rule: str) -> None:
        self.hit += list(self.slurm.jobs("running").values())


def check(reference: dict[str, bytes], rehearsal: Rehearsal) -> None:
    """Fail unless nothing finished was made again, nothing is lost, and the tables are the same."""
    again = {comment for comment, count in rehearsal.completed().items() if count > 1}
    assert again <= set(rehearsal.hit), f"recomputed: {sorted(again - set(rehearsal.hit))}"
    outcome = rehearsal.workshop.outcome()
    assert outcome.keys() == reference.keys()
    differing = [name for name in outcome if outcome[name] != reference[name]]
    assert not differing, f"differ from the undisturbed run's: {differing}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--blocks-per-shard", type=int, default=2)
    parser.add_argument("--cut-s", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    reason = why_not()
    if reason:
        parser.exit(1, f"error: {reason}.\n")
    folder = arguments.folder.resolve()
    checkpoint = write_tiny_checkpoint(folder / "model", "qwen2", blocks=80, hidden=WIDTH)
    with Slurm(folder / "slurm") as slurm, SeaweedFS(folder / "s3") as s3:
        outcome: dict[str, bytes] = {}
        for name in ("undisturbed", "disturbed"):
            config = rehearsal_config(arguments.blocks_per_shard, f"s3://{BUCKET}/{name}")
            workshop = RehearsalWorkshop(folder / name, checkpoint, config)
            rehearsal = Rehearsal(workshop, slurm, s3, arguments.seed, arguments.cut_s)
            started = time.monotonic()
            getattr(rehearsal, name)()
            seconds = time.monotonic() - started
            jobs = rehearsal.completed().total()
            print(f"{name}: {jobs} jobs on Slurm in {seconds:.0f} s", flush=True)
            outcome = outcome or workshop.outcome()
        check(outcome, rehearsal)
        print(f"tables identical: {', '.join(outcome)}")
        print(f"{len(s3.objects())} objects on S3; struck: {', '.join(rehearsal.hit)}")


if __name__ == "__main__":
    main()
