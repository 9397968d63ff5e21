"""Create a pod that fits the plan, follow it, stop it.

Large files go to S3 as they are made, all others every few minutes and at the end of each stage. So
a pod may be stopped, or die, at any time, and another one goes on. What is lost is what was
running, and the small files that were finished since the last copy.
"""

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.files import read_json
from goodhart_gap.operations.demands import Demands
from goodhart_gap.operations.pods.api import NotToBeHadError, Pod, PodApi
from goodhart_gap.operations.pods.report import END, LOG
from goodhart_gap.operations.pods.settings import PodSettings
from goodhart_gap.operations.pods.start import (
    COMMAND,
    VARIABLE,
    encoded,
    reserve_s,
    start_script,
)
from goodhart_gap.provenance.redaction import keep_secret, redact
from goodhart_gap.storage.store import Store

PASSED_ON = (
    "HF_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "SNAKEMAKE_STORAGE_S3_ACCESS_KEY",
    "SNAKEMAKE_STORAGE_S3_SECRET_KEY",
    "SNAKEMAKE_STORAGE_S3_TOKEN",
    "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL",
    "SNAKEMAKE_STORAGE_S3_REGION",
)
"""Variables of this environment (or .env) that the pod gets, besides the keys of its judges. RunPod
gives it a key of its own."""

SOFTWARE_BYTES = 2.5e10
"""Virtual environment with CUDA libraries, caches, logs."""

DEARER = 1.01
"""A pod that costs more than this times the price its time was computed from is not kept."""

LOOK_S = 10.0
SILENT_TRIES = 30
"""How often in a row the API may fail before the launcher gives up following."""


@dataclass(frozen=True)
class Predicted:
    """What the plan says about a run."""

    demands: Demands
    hours: float
    """At least, with the GPUs of the pod."""
    results: str = "results"
    """The folder that results go to, as the pod's workflow names it."""
    key_variables: tuple[str, ...] = ()
    """Variables that hold the keys of the judges that the run asks."""


def create(
    settings: PodSettings,
    predicted: Predicted,
    api: PodApi,
    say: Callable[[str], None] = print,
) -> Pod:
    """Create the pod on the first GPU type that is to be had within the cap; return it.

    Raises GoodhartError when a pod of that name exists, a variable is missing or cannot be passed
    on, or no type will do; the reason for each type is in the message.
    """
    there = api.named(settings.name)
    if there is not None:
        raise GoodhartError(
            f"{settings.name}: there is a pod of this name ({there.status}); follow it with "
            f"`goodhart-gap pod watch`, or delete it with `goodhart-gap pod delete "
            f"{settings.name}`."
        )
    environment = environment_of_pod(predicted.key_variables)
    demands = predicted.demands
    volume_bytes = demands.results_bytes + demands.scratch_bytes + SOFTWARE_BYTES
    wanted = {
        "name": settings.name,
        "image_name": settings.image,
        "gpu_count": settings.gpu_count or (demands.gpus.count if demands.gpus else 1),
        "cloud_type": settings.cloud,
        "volume_in_gb": math.ceil(1.2 * volume_bytes / 1e9),
        "container_disk_in_gb": settings.container_disk_gb,
        "volume_mount_path": settings.volume_path,
        "min_vcpu_count": settings.vcpus,
        "min_memory_in_gb": settings.memory_gb,
        "docker_args": COMMAND,
        "env": environment,
    }
    reasons = []
    for gpu in settings.gpus:
        try:
            return _rent(settings, predicted, api, wanted | {"gpu_type_id": gpu}, say)
        except _WillNotDoError as error:
            reasons.append(f"{gpu}: {error}")
    raise GoodhartError(f"{settings.name}: no GPU type will do: {'; '.join(reasons)}.")


class _WillNotDoError(Exception):
    """Why a GPU type will not do."""


def _rent(
    settings: PodSettings,
    predicted: Predicted,
    api: PodApi,
    wanted: dict[str, Any],
    say: Callable[[str], None],
) -> Pod:
    """Create a pod with as much time as the cap buys at the price that the pod really has.

    Raises _WillNotDoError when the plan does not fit into that time, or no machine is free.
    """
    price = api.price(wanted["gpu_type_id"], wanted["gpu_count"], settings.cloud)
    if price is None:
        raise _WillNotDoError(f"not to be had (cloud: {settings.cloud})")
    for _ in range(2):
        pod, seconds = _order(settings, predicted, api, wanted, price)
        if pod.dollars_per_hour <= DEARER * price:
            say(
                f"{settings.name}: {wanted['gpu_count']} x {pod.gpu}, volume of "
                f"{wanted['volume_in_gb']} GB, {pod.dollars_per_hour or price:.2f} dollars an "
                f"hour, stops after {seconds / 3600:.1f} h ({settings.dollars_cap:.2f} dollars)"
            )
            return pod
        say(
            f"{settings.name}: costs {pod.dollars_per_hour:.2f} dollars an hour and not the "
            f"{price:.2f} that its time was computed from; deleted"
        )
        api.delete(pod)
        price = pod.dollars_per_hour
    raise _WillNotDoError(f"its price rose to {price:.2f} dollars an hour while it was created")


def _order(
    settings: PodSettings,
    predicted: Predicted,
    api: PodApi,
    wanted: dict[str, Any],
    price: float,
) -> tuple[Pod, int]:
    """Create a pod; return it and how many seconds it has at `price` dollars an hour."""
    seconds = int(3600 * settings.dollars_cap / price)
    end_h = reserve_s(seconds) / 3600
    if predicted.hours + end_h > seconds / 3600:
        raise _WillNotDoError(
            f"at {price:.2f} dollars an hour the cap lasts {seconds / 3600:.1f} h, and the plan "
            f"needs {predicted.hours:.1f} h and {end_h:.2f} h for the end"
        )
    script = start_script(settings, predicted.results, wanted["gpu_count"], seconds)
    try:
        identity = api.create(**wanted | {"env": wanted["env"] | {VARIABLE: encoded(script)}})
    except NotToBeHadError:
        raise _WillNotDoError("none is free") from None
    pod = api.with_id(identity)
    if pod is None:
        raise GoodhartError(f"{settings.name}: RunPod made the pod and does not list it.")
    return pod, seconds


def watch(
    settings: PodSettings,
    api: PodApi,
    say: Callable[[str], None] = print,
    look_s: float = LOOK_S,
) -> int:
    """Follow a pod's log until its run ends; stop it then; return the run's exit status.

    Stops it, too, when its whole cap is spent; the pod's own timer is earlier, so that jobs can
    finish and be copied. Raises GoodhartError when it is gone without an end.
    """
    store = Store(settings.prefix)
    shown = failures = 0
    while True:
        try:
            pod = api.named(settings.name)
            failures = 0
        except GoodhartError as error:
            failures += 1
            if failures > SILENT_TRIES:
                raise
            print(f"{error} Trying again.", file=sys.stderr)
            time.sleep(look_s)
            continue
        code = _end(store)
        shown = _show(store, shown, say)
        if code is not None:
            if pod is not None and pod.status == "RUNNING":
                api.stop(pod)
            say(f"{settings.name}: ended with status {code}")
            return code
        if pod is None or pod.status != "RUNNING":
            state = "gone" if pod is None else pod.status
            raise GoodhartError(
                f"{settings.name}: the pod is {state} and its run has not ended; what it finished "
                f"but for the last minutes is at {settings.prefix}; create it again to go on."
            )
        spent = pod.dollars_per_hour * pod.uptime_s / 3600
        if spent >= settings.dollars_cap:
            api.stop(pod)
            raise GoodhartError(
                f"{settings.name}: stopped after {spent:.2f} dollars (dollars_cap = "
                f"{settings.dollars_cap:.2f}); what it finished but for the last minutes is at "
                f"{settings.prefix}; raise the cap and create it again to go on."
            )
        time.sleep(look_s)


def forget_end(settings: PodSettings) -> None:
    """Remove what an earlier pod of this prefix said about its end."""
    store = Store(settings.prefix)
    for name in (END, LOG):
        if store.look(name) is not None:
            store.remove(name)


def pods_text(pods: list[Pod]) -> str:
    """Return a line for each pod."""
    return "\n".join(
        f"{pod.name}: {pod.status}, {pod.gpu_count} x {pod.gpu}, "
        f"{pod.dollars_per_hour:.2f} dollars an hour, up {pod.uptime_s / 3600:.1f} h, "
        f"{pod.dollars_per_hour * pod.uptime_s / 3600:.2f} dollars"
        for pod in pods
    )


def find(name: str, api: PodApi) -> Pod:
    """Return the pod of this name. Raises GoodhartError when there is none."""
    pod = api.named(name)
    if pod is None:
        names = ", ".join(sorted(each.name for each in api.pods())) or "none"
        raise GoodhartError(f"{name}: there is no such pod; there are: {names}.")
    return pod


def environment_of_pod(key_variables: Iterable[str] = ()) -> dict[str, str]:
    """Return the variables that a pod gets from here; their values are masked from now on.

    Raises GoodhartError when the key of a judge is not set, or a value cannot be passed on.
    """
    for name in key_variables:
        keep_secret(name)
        if not os.environ.get(name):
            raise GoodhartError(
                f"{name}: not set, and the judge of this run needs it (grading.judge.api); put it "
                "into the environment or .env."
            )
    names = (*PASSED_ON, *key_variables)
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    for name, value in found.items():
        if any(sign in value for sign in '"\\\n'):
            raise GoodhartError(
                f"{name}: holds a quote, a backslash or a line break, which RunPod's library "
                "cannot pass on; use other credentials."
            )
    return found


def _end(store: Store) -> int | None:
    if store.look(END) is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        store.download(END, Path(folder, "end.json"))
        return int(read_json(Path(folder, "end.json"))["code"])


def _show(store: Store, shown: int, say: Callable[[str], None]) -> int:
    """Print what is new of the log; return how many characters have been shown."""
    if store.look(LOG) is None:
        return shown
    with tempfile.TemporaryDirectory() as folder:
        store.download(LOG, Path(folder, "log"))
        text = Path(folder, "log").read_text(errors="replace")
    if len(text) > shown:
        say(redact(text[shown:]).rstrip("\n"))
    return max(shown, len(text))
