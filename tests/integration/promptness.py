"""How soon the 72B experiment says what it would do, or that it cannot: seconds and S3 requests.

    python -m tests.integration.promptness [--rehearsed .cache/rehearsal]

A dry run of its whole graph with all large files on S3 (SeaweedFS): of one where nothing is there
yet, and, after `make rehearsal`, of the finished one; then every refusal that the preflight is for.
To be run alone, as root (a small disk and a container's overlay are mounted). Prints a table.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from tests.integration.mounts import container_layer, small_disk
from tests.integration.rehearsal import CONFIGFILE, WIDTH, RehearsalWorkshop, rehearsal_config
from tests.integration.test_preflight import refused
from tests.integration.workshop import Workshop
from tests.servers.seaweed import BUCKET, SeaweedFS
from tests.tiny_models import write_tiny_checkpoint

LARGE = 41 + 40 + 40 + 2 * 40
"""Base shards, Hessians, activations, compressed shards of two conditions."""

SMALL_GPU = "#!/bin/sh\necho 'NVIDIA L4, 23034, 1'\necho 'NVIDIA L4, 23034, 1'\n"
NO_GPU = "#!/bin/sh\nexit 9\n"


def row(what: str, *cells: str) -> None:
    print(f"| {what} | {' | '.join(cells)} |", flush=True)


def dry_run(what: str, workshop: RehearsalWorkshop, s3: SeaweedFS) -> None:
    """Time a dry run, and count what it asks the server."""
    s3.proxy.forget()
    start_s = time.monotonic()
    planned = workshop.planned()
    spent_s = time.monotonic() - start_s
    requests = s3.proxy.count()
    row(
        f"dry run, {what}",
        f"{spent_s:.1f}",
        f"{sum(planned.values())} jobs; {requests} requests, {requests / LARGE:.2f} a large file",
    )


def refusal(
    what: str, said: str, workshop: Workshop, *options: str, file: str = CONFIGFILE, **env: str
) -> None:
    """Time a run that has to be refused with `said`."""
    start_s = time.monotonic()
    told = refused(workshop, file, *options, **env)
    spent_s = time.monotonic() - start_s
    lines = [line for line in told.splitlines() if said in line]
    assert lines, told
    row(what, f"{spent_s:.1f}", lines[0].removeprefix("error: "))


def program(folder: Path, text: str) -> str:
    """A search path on which nvidia-smi is `text`."""
    folder.mkdir(parents=True)
    (folder / "nvidia-smi").write_text(text)
    (folder / "nvidia-smi").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def refusals(folder: Path, s3: SeaweedFS) -> None:
    """Every refusal; of the 72B experiment itself, but for those of S3."""
    workshop = Workshop(folder / "refused", write_tiny_checkpoint(folder / "tiny", blocks=4))
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "PATH": program(folder / "none", NO_GPU)}
    with small_disk(folder / "disk") as disk:
        results = f"pathvars={{results: {disk}/results}}"
        refusal("1 GB for results", "but 1.1 GB", workshop, "--config", results, **nowhere)
    with container_layer(folder / "container") as layer:
        home = str(layer / "cache")
        refusal("an overlay cache", "own layer (overlay", workshop, HF_HOME=home, **nowhere)
    refusal("no GPU", "nvidia-smi finds none", workshop, **nowhere)
    small = nowhere | {"PATH": program(folder / "small", SMALL_GPU)}
    refusal("too small GPUs", "GPU:", workshop, "--resources", "gpu=2", **small)
    workshop.config["storage"] = {"prefix": "s3://nowhere", "patience_s": 0}
    tiny = "tiny.yaml"
    refusal("a missing bucket", "no bucket nowhere", workshop, file=tiny, **s3.environment())
    workshop.config["storage"] = {"prefix": f"s3://{BUCKET}/x", "patience_s": 0}
    wrong = s3.environment() | {"AWS_SECRET_ACCESS_KEY": "not-the-secret-0123456789"}
    refusal("a wrong key", "correct AWS_ACCESS_KEY_ID", workshop, file=tiny, **wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rehearsed", type=Path, help="the folder of a finished `make rehearsal`")
    arguments = parser.parse_args()
    print("| what | s | |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        thin = write_tiny_checkpoint(folder / "thin", "qwen2", blocks=80, hidden=WIDTH)
        with SeaweedFS(folder / "s3") as s3:
            os.environ.update(s3.environment())
            config = {"storage": {"prefix": f"s3://{BUCKET}/dry", "hessians": True}}
            dry_run("nothing there", RehearsalWorkshop(folder / "new", thin, config), s3)
            refusals(folder, s3)
    if arguments.rehearsed:
        where = arguments.rehearsed.resolve()
        with SeaweedFS(where / "s3") as s3:
            os.environ.update(s3.environment())
            workshop = RehearsalWorkshop.at(where / "undisturbed")
            workshop.config = rehearsal_config(2, f"s3://{BUCKET}/undisturbed")
            dry_run("all finished", workshop, s3)


if __name__ == "__main__":
    main()
