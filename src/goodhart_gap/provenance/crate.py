"""Export a finished experiment as one Workflow Run RO-Crate.

The crate carries the workflow, the documents, figures and tables, the manifests of the whole chain,
and every other small file of it. Large files (weights, Hessians) stay where they are and are
referenced by hash: by their address in the storage if a prefix is given, else as an RFC 6920 name
(`ni:///sha-256;...`).
"""

import base64
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.model.softwareapplication import SoftwareApplication
from rocrate.rocrate import ROCrate

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.chain import Chain, Entry
from goodhart_gap.provenance.manifest import SUFFIX, FileRecord, manifest_path

VERSION = "1.1"
"""The RO-Crate version that the Workflow Run profiles build on."""

LARGE_BYTES = 5_000_000
"""Files over this size are referenced, not carried."""

PROFILES = (
    ("https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"),
    ("https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"),
    ("https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"),
)
TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
LICENSE = "https://spdx.org/licenses/Apache-2.0"
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".yaml": "application/yaml",
    ".safetensors": "application/octet-stream",
}
WORKFLOW_PARTS = ("rules/*.smk", "scripts/*.py", "config/*.yaml", "config/tasks/*.yaml")


def experiment_artifacts(chain: Chain, experiment: str) -> list[str]:
    """Return the artifacts of an experiment and all they were made from, as logical paths.

    Raises GoodhartError if there is none.
    """
    own = [path for path in chain.entries if f"/{experiment}/" in f"/{path}"]
    if not own:
        known = sorted({path.split("/")[1] for path in chain.entries if path.count("/") > 1})
        raise GoodhartError(
            f"{experiment}: no such experiment in {chain.root}; there are {', '.join(known)}."
        )
    return sorted({ancestor for path in own for ancestor in chain.ancestors(path)})


def write_crate(
    chain: Chain, experiment: str, folder: Path, *, workflow: Path, prefix: str | None = None
) -> ROCrate:
    """Write the crate of `experiment` to `folder`, which must not exist yet; return it.

    `workflow` is the folder of the Snakefile; `prefix` the storage prefix that mirrors the results.
    Raises GoodhartError if the folder exists or there is no such experiment.
    """
    if folder.exists():
        raise GoodhartError(f"{folder}: exists already; name a new folder for the crate.")
    paths = experiment_artifacts(chain, experiment)
    records = _records(chain, paths)
    made = [chain.entries[path] for path in paths if path in chain.entries]
    started, ended = _times(made)
    crate = ROCrate(gen_preview=False, version=VERSION)
    _describe(crate, experiment, made, ended)
    snakefile = _add_workflow(crate, workflow, made)
    files = {path: _add_file(crate, chain, record, prefix) for path, record in records.items()}
    for entry in made:
        _add_manifest(crate, entry)
    action = ContextEntity(
        crate,
        "#run",
        properties={
            "@type": "CreateAction",
            "name": f"Run of {experiment}",
            "description": f"{len(made)} artifacts; each one's own manifest ({SUFFIX}) tells more.",
            "startTime": started.isoformat(timespec="seconds"),
            "endTime": ended.isoformat(timespec="seconds"),
            "actionStatus": "http://schema.org/CompletedActionStatus",
        },
    )
    crate.add(action)
    action["instrument"] = snakefile
    action["agent"] = crate.get("#team")
    action["object"] = _one_or_many([files[path] for path in paths if path not in chain.entries])
    action["result"] = _one_or_many([files[entry.path] for entry in made])
    crate.root_dataset["mentions"] = action
    with tempfile.NamedTemporaryFile("w", suffix=".md", encoding="utf-8") as readme:
        readme.write(f"# {crate.name}\n\n{crate.description}\n")
        readme.flush()
        _add_readme(crate, Path(readme.name))
        crate.write(folder)
    return crate


def _one_or_many(values: list[Any]) -> Any:
    """Return a single value bare, as RO-Crate recommends."""
    return values[0] if len(values) == 1 else values


def _add_readme(crate: ROCrate, file: Path) -> None:
    readme = crate.add_file(file, "README.md", properties={"encodingFormat": "text/markdown"})
    readme["name"] = "README.md"
    readme["about"] = crate.root_dataset


def _records(chain: Chain, paths: list[str]) -> dict[str, FileRecord]:
    """Return the file record of each path, sources by what was read of them."""
    found: dict[str, FileRecord] = {}
    for path in paths:
        if path in chain.entries:
            found[path] = chain.entries[path].manifest.output
            for record in chain.entries[path].manifest.inputs:
                found.setdefault(record.path, record)
    return {path: found[path] for path in paths}


def _times(made: list[Entry]) -> tuple[datetime, datetime]:
    runs = [entry.manifest.run for entry in made]
    starts = [datetime.fromisoformat(run.started) for run in runs]
    ends = [s + timedelta(seconds=run.seconds) for s, run in zip(starts, runs, strict=True)]
    return min(starts), max(ends)


def _describe(crate: ROCrate, experiment: str, made: list[Entry], ended: datetime) -> None:
    crate.name = f"goodhart-gap experiment {experiment}"
    crate.description = (
        f"Documents, tables, figures and manifests of the experiment {experiment}: "
        f"{len(made)} artifacts and the chain of hashes from the base checkpoint to the documents."
    )
    crate.datePublished = ended
    _add(crate, LICENSE, "CreativeWork", name="Apache License 2.0", identifier="Apache-2.0")
    crate.root_dataset["license"] = crate.get(LICENSE)
    crate.metadata.extra_terms.update(TERMS)
    for address, name, version in PROFILES:
        _add(crate, address, "CreativeWork", name=name, version=version)
        crate.root_dataset.append_to("conformsTo", {"@id": address})
    _add(crate, "#team", "Organization", name="goodhart-gap")
    crate.root_dataset["author"] = crate.get("#team")
    crate.root_dataset["publisher"] = crate.get("#team")


def _add_workflow(crate: ROCrate, folder: Path, made: list[Entry]) -> Any:
    states = [entry.manifest.code.repository for entry in made]
    commits = sorted({state.commit for state in states if state is not None})
    snakefile = crate.add_workflow(
        folder / "Snakefile",
        "Snakefile",
        main=True,
        lang="snakemake",
        properties={
            "name": "goodhart-gap",
            "description": "From a base checkpoint to a sentence in a report, every file hashed.",
            "version": ", ".join(commits) or "unknown",
            "encodingFormat": "text/plain",
        },
    )
    snakefile["license"] = crate.get(LICENSE)
    snakefile["author"] = crate.get("#team")
    snakefile["conformsTo"] = {"@id": BIOSCHEMAS}
    for name, version in sorted(_libraries(made)):
        address = f"https://pypi.org/project/{name}/{version}/"
        if name == "python":
            address = f"https://www.python.org/downloads/release/python-{version.replace('.', '')}/"
        properties = {"name": name, "softwareVersion": version, "url": address}
        software = SoftwareApplication(crate, address, properties=properties)
        crate.add(software)
        snakefile.append_to("softwareRequirements", software)
    for pattern in WORKFLOW_PARTS:
        for path in sorted(folder.glob(pattern)):
            name = path.relative_to(folder).as_posix()
            crate.add_file(path, name, properties=_properties(name, path.stat().st_size))
    return snakefile


def _libraries(made: list[Entry]) -> set[tuple[str, str]]:
    found = {pair for entry in made for pair in entry.manifest.software.libraries.items()}
    return found | {("python", entry.manifest.software.python) for entry in made}


def _add_file(crate: ROCrate, chain: Chain, record: FileRecord, prefix: str | None) -> Any:
    """Add a file: carried if it is small and here, else referenced by address and hash."""
    properties = _properties(record.path, record.size_bytes) | {"sha256": record.sha256}
    file = chain.file(record.path)
    if file.is_file() and record.size_bytes <= LARGE_BYTES and not Path(record.path).is_absolute():
        known = crate.get(record.path)
        if known is not None:
            known["sha256"] = record.sha256
            return known
        return crate.add_file(file, record.path, properties=properties)
    digest = base64.urlsafe_b64encode(bytes.fromhex(record.sha256)).decode().rstrip("=")
    entry = chain.entries.get(record.path)
    if prefix and entry is not None and not entry.manifest.output.temporary:
        address = f"{prefix.rstrip('/')}/{entry.file.relative_to(chain.root).as_posix()}"
    else:
        address = f"ni:///sha-256;{digest}"
    return crate.add_file(address, properties=properties, validate_url=False, fetch_remote=False)


def _add_manifest(crate: ROCrate, entry: Entry) -> None:
    name = manifest_path(Path(entry.path)).as_posix()
    file = entry.file.with_name(entry.file.name + SUFFIX)
    properties = _properties(name, file.stat().st_size)
    properties["description"] = f"How {entry.path} was made"
    added = crate.add_file(file, name, properties=properties)
    described = crate.get(entry.path)
    if described is not None:
        added["about"] = described


def _properties(path: str, size_bytes: int) -> dict[str, Any]:
    kind = MEDIA_TYPES.get(Path(path).suffix, "text/plain")
    return {"name": path, "contentSize": str(size_bytes), "encodingFormat": kind}


def _add(crate: ROCrate, address: str, kind: str, **properties: str) -> None:
    crate.add(ContextEntity(crate, address, properties={"@type": kind, **properties}))
