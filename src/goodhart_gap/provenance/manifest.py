"""The manifest beside every artifact, `{artifact}.prov.json`: what it is and how it came to be.

A manifest ends in a seal, the SHA-256 of its own bytes with the seal's digits set to zero, so that
a changed byte anywhere in it is found.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import write_text
from goodhart_gap.provenance.redaction import redact
from goodhart_gap.settings import Settings

SUFFIX = ".prov.json"
"""What a manifest's name adds to its artifact's."""

STORAGE_CACHE = (".snakemake", "storage")
"""Where Snakemake keeps local copies of S3 objects; their manifests stay among the results."""

_BLANK = "0" * 64
_SEAL = re.compile(rb'"seal": "([0-9a-f]{64})"\n}\n\Z')


class FileRecord(Settings):
    """One file as it was."""

    path: str
    """Path as the job was given it: relative to the workflow's folder, or absolute."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of its bytes."""

    size_bytes: int = Field(ge=0)
    """Its size."""


class InputRecord(FileRecord):
    """One input of the job."""

    flag: str
    """The argument that named it."""

    manifest: bool
    """Whether the hash was taken from the input's own manifest (else from its bytes)."""


class OutputRecord(FileRecord):
    """One output of the job."""

    flag: str
    """The argument that named it."""

    modified_ns: int
    """Modification time (ns since 1970) when the manifest was written; while it and the size are
    unchanged, a later job takes the hash from the manifest instead of reading the file again."""

    temporary: bool = False
    """Whether the workflow deletes the file once nothing needs it; the manifest stays."""


class Earlier(Settings):
    """An earlier version of a temporary file, which artifacts made from it still refer to."""

    sha256: str
    """SHA-256 of its bytes."""

    code_digest: str
    """Digest of the code that made it."""

    started: str
    """When its job started (UTC)."""

    inputs: dict[str, str]
    """SHA-256 of each of its inputs, by path."""


class Job(Settings):
    """What was run."""

    script: str
    """Name of the script, which is the name of the rule."""

    arguments: dict[str, Any]
    """Every argument that is not a file: settings as JSON objects, with their defaults."""

    hints: tuple[str, ...] = ()
    """Arguments that change how fast the job runs but not what it makes."""

    command: tuple[str, ...]
    """The arguments as they were on the command line, secrets masked."""

    seeds: dict[str, int]
    """Every seed among the arguments."""


class Repository(Settings):
    """The state of the git repository."""

    commit: str
    """Commit checked out."""

    dirty: bool
    """Whether tracked files differed from it."""


class Code(Settings):
    """The code that was run."""

    digest: str
    """Hash over the syntax trees of all the script reaches; the rule's `code` parameter."""

    parts: dict[str, str]
    """Hash of each part (script, modules, data files), to say where a change is."""

    repository: Repository | None
    """The git repository, where there is one."""


class Software(Settings):
    """Versions of what touched the data."""

    python: str
    """Version of Python."""

    libraries: dict[str, str]
    """Version of each library the job imported."""


class Gpu(Settings):
    """One GPU."""

    name: str
    """Model."""

    capability: str
    """CUDA compute capability."""

    memory_bytes: int
    """Its memory."""


class Machine(Settings):
    """What the job ran on."""

    system: str
    """Operating system, release and architecture."""

    cpu: str
    """Model of the CPU."""

    instructions: str | None = None
    """The widest vector instructions that torch uses on it (AVX2, AVX512, ...), where a job used
    torch: one name of a CPU can stand for several, and they decide how numbers are rounded."""

    cores: int
    """Logical cores of the machine."""

    threads: int
    """Threads the job was allowed."""

    memory_bytes: int
    """Memory of the machine."""

    gpus: list[Gpu]
    """GPUs the job used."""


class Run(Settings):
    """When the job ran and what it took."""

    started: str
    """Start, ISO 8601, UTC."""

    seconds: float
    """Wall-clock duration."""

    peak_memory_bytes: int
    """Largest resident size of the process."""

    peak_gpu_memory_bytes: int | None
    """Most memory held on one GPU; null where none was used."""


class Manifest(Settings):
    """How one artifact came to be. One job writes an equal manifest beside each of its outputs,
    but for `artifact`.
    """

    format: Literal[1] = 1
    """Version of this schema."""

    artifact: str
    """Path of the output that this manifest lies beside."""

    outputs: list[OutputRecord]
    """All outputs of the job."""

    inputs: list[InputRecord]
    """All inputs of the job."""

    job: Job
    """What was run."""

    code: Code
    """The code that was run."""

    software: Software
    """Versions."""

    machine: Machine
    """Hardware."""

    run: Run
    """Time and memory."""

    earlier: tuple[Earlier, ...] = ()
    """Earlier versions of a temporary artifact, newest first."""

    seal: str = Field(default=_BLANK, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the manifest's bytes with this seal's digits set to zero."""

    @property
    def output(self) -> OutputRecord:
        """The record of the output that this manifest lies beside."""
        return next(record for record in self.outputs if record.path == self.artifact)


def manifest_path(artifact: Path) -> Path:
    """Return where the manifest of `artifact` lies.

    Beside it, except for a local copy of an S3 object: there, at the same path among the results.
    """
    return _outside_storage(artifact).with_name(artifact.name + SUFFIX)


def logical_path(path: Path) -> str:
    """Return the path by which `path` is known in manifests: relative to the workflow's folder."""
    path = _outside_storage(path)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return path.as_posix()


def _outside_storage(path: Path) -> Path:
    parts = path.parts
    for start in range(len(parts) - 1):
        if parts[start : start + 2] == STORAGE_CACHE and "results" in parts[start:]:
            return Path(*parts[parts.index("results", start) :])
    return path


def write_manifest(manifest: Manifest) -> Path:
    """Write the manifest beside its artifact, sealed and atomically; return its path."""
    path = manifest_path(Path(manifest.artifact))
    write_text(path, sealed_text(manifest))
    return path


def sealed_text(manifest: Manifest) -> str:
    """Return the manifest as readable JSON without secrets that ends in its seal."""
    content = manifest.model_dump(mode="json") | {"seal": _BLANK}
    text = redact(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    seal = hashlib.sha256(text.encode()).hexdigest()
    return text[: -len(_BLANK) - 4] + seal + text[-4:]


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises GoodhartError if its seal is broken or it is not one of ours."""
    content = path.read_bytes()
    match = _SEAL.search(content)
    if match is None:
        raise GoodhartError(f"{path}: not a sealed manifest; rebuild its artifact.")
    blank = content[: match.start(1)] + _BLANK.encode() + content[match.end(1) :]
    if hashlib.sha256(blank).hexdigest().encode() != match.group(1):
        raise GoodhartError(f"{path}: its seal is broken, so it was changed; rebuild its artifact.")
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise GoodhartError(
            f"{path}: {place} does not fit manifest format 1; use the version that wrote it."
        ) from error
