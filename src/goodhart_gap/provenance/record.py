"""Record one job: what it read, before it runs; what it wrote, after.

Used by `goodhart_gap.script.Script` alone. The order makes every interruption visible: the old
manifests go first, then `main` writes under temporary names, the outputs are hashed and renamed,
and the manifests come last. An artifact without a manifest, or with one that does not fit it, was
interrupted.
"""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance import machine
from goodhart_gap.provenance.code_digest import PACKAGE, code_digest, code_parts
from goodhart_gap.provenance.hashing import sha256_file, sha256_source
from goodhart_gap.provenance.manifest import (
    Code,
    Earlier,
    InputRecord,
    Job,
    Manifest,
    OutputRecord,
    Run,
    logical_path,
    manifest_path,
    read_manifest,
    write_manifest,
)

EARLIER_VERSIONS = 20
"""How many earlier versions of a temporary file its manifest remembers."""


@dataclass(frozen=True)
class Output:
    """A declared output: where `main` writes it, and where it goes."""

    flag: str
    partial: Path
    final: Path
    temporary: bool


@dataclass(frozen=True)
class Command:
    """What a job was asked to do, apart from its files."""

    script: Path
    arguments: dict[str, Any]
    hints: tuple[str, ...]
    words: tuple[str, ...]


class Recording:
    """The record of one running job."""

    def __init__(
        self, command: Command, inputs: list[tuple[str, Path]], outputs: list[Output]
    ) -> None:
        """Hash the inputs, keep what old manifests of temporary outputs say, remove the others."""
        self._command = command
        self._outputs = outputs
        self._code = _code(command.script)
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self._inputs = [input_record(flag, path) for flag, path in inputs]
        self._earlier = {o.final: _versions(o.final) for o in outputs if o.temporary}
        for output in outputs:
            if not output.temporary:
                manifest_path(output.final).unlink(missing_ok=True)

    def identity(self, *, computed_here: bool = True) -> str:
        """Hash everything the outputs follow from: code, arguments, inputs, libraries, machine.

        With `computed_here`, imports torch: the vector instructions and GPUs that it finds decide
        in which number format a model computes, so what was sampled with others must not be gone on
        with. What an endpoint answered depends on nothing of this machine.
        """
        arguments = self._command.arguments
        facts: list[Any] = [
            self._code.digest,
            {flag: v for flag, v in arguments.items() if flag not in self._command.hints},
            [(record.path, record.sha256) for record in self._inputs],
        ]
        if computed_here:
            # First of all, since the machine's instructions are known once torch is there.
            gpus = machine.visible_gpus()
            facts += [machine.installed(), machine.machine().model_dump(mode="json"), gpus]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def finish(self) -> None:
        """Hash the outputs, put them in place, then write their manifests."""
        hashes = [sha256_file(output.partial) for output in self._outputs]
        for output in self._outputs:
            output.partial.replace(output.final)
        records = [
            _output_record(output, digest)
            for output, digest in zip(self._outputs, hashes, strict=True)
        ]
        common = Manifest(
            artifact="",
            outputs=records,
            inputs=self._inputs,
            job=self._job(),
            code=self._code,
            software=machine.software(),
            machine=machine.machine(),
            run=self._run(),
        )
        for output, record in zip(self._outputs, records, strict=True):
            earlier = [v for v in self._earlier.get(output.final, []) if v.sha256 != record.sha256]
            own = {"artifact": record.path, "earlier": tuple(earlier[:EARLIER_VERSIONS])}
            write_manifest(common.model_copy(update=own))

    def _job(self) -> Job:
        return Job(
            script=self._command.script.stem,
            arguments=self._command.arguments,
            hints=self._command.hints,
            command=self._command.words,
            seeds=dict(_seeds(self._command.arguments, "")),
        )

    def _run(self) -> Run:
        return Run(
            started=self._started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - self._clock, 3),
            peak_memory_bytes=machine.peak_memory_bytes(),
            peak_gpu_memory_bytes=machine.peak_gpu_memory_bytes(),
        )


def input_record(flag: str, path: Path) -> InputRecord:
    """Record an input, its hash taken from its own manifest where that still fits the file."""
    status = path.stat()
    known = None
    if manifest_path(path).exists():
        try:
            known = read_manifest(manifest_path(path)).output
        except GoodhartError:
            known = None  # A broken manifest vouches for nothing; `verify` names it.
    valid = (
        known is not None
        and known.size_bytes == status.st_size
        # Snakemake gives a file that it has stored its time back as a float.
        and abs(known.modified_ns - status.st_mtime_ns) < 1000
    )
    return InputRecord(
        flag=flag,
        path=logical_path(path),
        sha256=known.sha256 if known and valid else sha256_source(path),
        size_bytes=status.st_size,
        manifest=valid,
    )


def _code(script: Path) -> Code:
    """Digest the code as it is when the job starts: a long job may outlive an edit."""
    name, folder = script.stem, script.resolve().parent
    return Code(
        digest=code_digest(name, folder),
        parts=code_parts(name, folder),
        repository=machine.repository(PACKAGE),
    )


def _output_record(output: Output, digest: str) -> OutputRecord:
    status = output.final.stat()
    return OutputRecord(
        flag=output.flag,
        path=logical_path(output.final),
        sha256=digest,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        temporary=output.temporary,
    )


def _versions(artifact: Path) -> list[Earlier]:
    """Return what the manifest of a temporary file knows about it, as earlier versions."""
    try:
        manifest = read_manifest(manifest_path(artifact))
    except (FileNotFoundError, GoodhartError):
        return []
    current = Earlier(
        sha256=manifest.output.sha256,
        code_digest=manifest.code.digest,
        started=manifest.run.started,
        inputs={record.path: record.sha256 for record in manifest.inputs},
    )
    return [current, *manifest.earlier]


def _seeds(value: Any, name: str) -> Iterator[tuple[str, int]]:
    """Yield every integer that is called a seed, with its dotted name."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _seeds(item, f"{name}.{key}" if name else key)
    elif isinstance(value, int) and name.rpartition(".")[2].lstrip("-") == "seed":
        yield name, value
