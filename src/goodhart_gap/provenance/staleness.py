"""Is an artifact what today's workflow would make? By content: settings, code, inputs, bytes.

Clocks play no part. What a rule ignores on purpose (an `ancient` input; code, where it has no
`code` parameter) is ignored here, too. The answer is a list of differences ("--condition:
compress.rank 64 -> 32"), empty for an artifact that is still true. What a manifest cannot vouch for
counts as a difference.
"""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from goodhart_gap.provenance.chain import Chain
from goodhart_gap.provenance.code_digest import code_parts
from goodhart_gap.provenance.graph import GraphJob
from goodhart_gap.provenance.hashing import sha256_file
from goodhart_gap.provenance.manifest import Manifest, logical_path

LONGEST_VALUE = 40
"""Characters of a changed value that are shown."""


class Hashes:
    """SHA-256 of files, each read once."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of(self, file: Path) -> str:
        """Return the SHA-256 of a file."""
        if file not in self._known:
            self._known[file] = sha256_file(file)
        return self._known[file]


def differences(job: GraphJob, chain: Chain, hashes: Hashes) -> list[str]:
    """Return how the artifacts of `job` differ from what it would make today."""
    found: list[str] = []
    for output in job.outputs:
        path = logical_path(Path(output.path))
        entry = chain.entries.get(path)
        if entry is None:
            return [f"{path} has no intact manifest"]
        if entry.file.is_file() and hashes.of(entry.file) != entry.manifest.output.sha256:
            found.append(f"{path} has other bytes than its manifest says")
        found += job_differences(job, entry.manifest)
        found += _input_differences(job, entry.manifest, chain, hashes)
    return list(dict.fromkeys(found))


def job_differences(job: GraphJob, manifest: Manifest) -> Iterator[str]:
    """Yield how script, code, settings and values differ; reads no artifact."""
    called = job.script()
    if called is None or called[0].stem != manifest.job.script:
        yield f"made by {manifest.job.script}, not by {called[0].stem if called else job.rule}"
        return
    script, words = called
    yield from _unwitnessed(job, words)
    if job.params.get("code", manifest.code.digest) != manifest.code.digest:
        yield f"code: {_changed_parts(script, manifest)}"
    now, then = flags(words), flags(manifest.job.command)
    files = {record.flag for record in manifest.inputs}
    files |= {record.flag for record in manifest.outputs}
    for flag in sorted(now.keys() | then.keys()):
        if flag in manifest.job.hints or flag in files:
            continue
        for change in changes(_value(then.get(flag)), _value(now.get(flag))):
            yield f"{flag}: {change}"


def _unwitnessed(job: GraphJob, words: list[str]) -> Iterator[str]:
    """Yield the parameters that are not on the command line, which no manifest can vouch for.

    A parameter is there as one word, or as several (options that are only sometimes given).
    """
    for name, value in job.params.items():
        parts = value if isinstance(value, list) else [value]
        told = [str(part) for part in parts if part not in (None, "")]
        there = all(text in words or set(_split(text)) <= set(words) for text in told)
        if name != "code" and not there:
            yield f"parameter {name} is not on the command line"


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


def _changed_parts(script: Path, manifest: Manifest) -> str:
    """Name the modules that differ from those the manifest was made with."""
    now, then = code_parts(script.stem, script.resolve().parent), manifest.code.parts
    names = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    return f"{', '.join(names) or 'digest'} changed"


def _input_differences(
    job: GraphJob, manifest: Manifest, chain: Chain, hashes: Hashes
) -> Iterator[str]:
    now = {logical_path(Path(path)) for path in job.inputs}
    then = {record.path: record.sha256 for record in manifest.inputs}
    for path in sorted(now - then.keys()):
        yield f"input {path} is new"
    for path in sorted(then.keys() - now):
        yield f"input {path} is no longer one"
    ignored = {logical_path(Path(path)) for path in job.ancient}
    for path in sorted((now & then.keys()) - ignored):
        entry, file = chain.entries.get(path), chain.file(path)
        if file.is_file():
            known = {hashes.of(file)} | (entry.hashes() if entry else set())
            known = known if entry and entry.manifest.output.temporary else {hashes.of(file)}
        else:
            known = entry.hashes() if entry else set()
        if then[path] not in known:
            yield f"input {path} {'changed' if known else 'is missing'}"


def flags(words: list[str] | tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return the values of each `--flag` of a command line."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words:
        if word.startswith("--"):
            flag, equals, value = word.partition("=")
            values = found.setdefault(flag, [])
            if equals:
                values.append(value)
        else:
            values.append(word)
    return {flag: tuple(values) for flag, values in found.items()}


def _value(words: tuple[str, ...] | None) -> Any:
    """Return an argument as data: JSON settings as an object, anything else as text."""
    if words is None:
        return None
    text = " ".join(words)
    if text.startswith(("{", "[")):
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    return text


def changes(then: Any, now: Any, name: str = "") -> Iterator[str]:
    """Yield each difference of two JSON values, as `dotted.key old -> new`."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            yield from changes(then.get(key), now.get(key), f"{name}.{key}" if name else key)
    elif then != now:
        yield f"{name} {_shown(then)} -> {_shown(now)}".strip()


def _shown(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."
