"""Growth of the graph of jobs: `snakemake --dry-run` of a whole experiment of which nothing exists.

From the parts of a base model, calibration and compression to tables and documents. The
configuration is that of a large model, whose files are never fetched in a dry run.
"""

from pathlib import Path

from benchmarks.growth_measures import Prepared

from goodhart_gap.files import write_json

ROOT = Path(__file__).parents[1]
BLOCKS_PER_SHARD = 2


def graph(folder: Path, *, runs: int = 5, tasks: str = "original-20", blocks: int = 4) -> Prepared:
    """Prepare a dry run; Snakemake counts its jobs."""
    for name in ("config", "rules", "scripts"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    compress = {"bits": 4, "group_size": 64, "rank": 64}
    content = {
        "build": ["grown"],
        "models": {
            "grown": {
                "source": "hf:nobody/grown",
                "revision": "0" * 40,
                "blocks": blocks,
                "blocks_per_shard": BLOCKS_PER_SHARD,
                "sizes": {
                    "hidden": 1024,
                    "intermediate": 4096,
                    "queries": 1024,
                    "keys": 1024,
                    "vocabulary": 32768,
                },
            }
        },
        "conditions": {
            "baseline": {},
            "uniform": {"compress": compress},
            "selective": {"compress": compress, "protect": {"last": 1}},
        },
        "experiments": {
            "grown": {
                "source": "live",
                "model": "grown",
                "tasks": tasks,
                "conditions": ["baseline", "uniform", "selective"],
                "baseline": "baseline",
                "runs": runs,
                "runs_per_job": 5,
                "seeds": [42],
            }
        },
    }
    write_json(folder / "grown.json", content)
    arguments = ["--snakefile", ROOT / "Snakefile", "--directory", folder]
    options = ["--dry-run", "--quiet", "rules", "--configfile", folder / "grown.json"]
    return Prepared([["snakemake", *map(str, [*arguments, *options])]])
