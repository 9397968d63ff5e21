"""RunPod's API through its own library, with the answers we use and errors that hold no secret.

The library puts the pod's environment, secrets included, into its queries, and a query into its
errors: nothing of an error is repeated but RunPod's own message, masked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from goodhart_gap.errors import GoodhartError
from goodhart_gap.provenance.redaction import Secrets, redact

PRICES = {
    "SECURE": ("securePrice",),
    "COMMUNITY": ("communityPrice",),
    "ALL": ("securePrice", "communityPrice"),
}
"""Where the price of a GPU stands, by the cloud that a pod is asked for in. `lowestPrice` is of
whichever cloud is cheaper."""


@dataclass(frozen=True)
class Pod:
    """A pod, as far as it concerns us; never its environment."""

    id: str
    name: str
    status: str
    """RUNNING, EXITED or TERMINATED: what is wanted of it."""
    gpu: str
    gpu_count: int
    dollars_per_hour: float
    uptime_s: float


class NotToBeHadError(Exception):
    """No machine of this kind is free."""


class PodApi:
    """What the launcher asks RunPod for. Raises GoodhartError."""

    def __init__(self) -> None:
        key = Secrets.from_environment().runpod_api_key
        if key is None:
            raise GoodhartError("RUNPOD_API_KEY: not set; put it into the environment or .env.")
        self._runpod: ModuleType = _library()
        self._runpod.api_key = key.get_secret_value()  # type: ignore[attr-defined]

    def pods(self) -> list[Pod]:
        """Return all pods of the account."""
        return [_pod(row) for row in self._ask(self._runpod.get_pods)]

    def named(self, name: str) -> Pod | None:
        """Return the pod of this name, None when there is none, or only one that was deleted."""
        named = (pod for pod in self.pods() if pod.name == name)
        return next((pod for pod in named if pod.status != "TERMINATED"), None)

    def with_id(self, identity: str) -> Pod | None:
        """Return the pod of this id, None when there is none."""
        return next((pod for pod in self.pods() if pod.id == identity), None)

    def price(self, gpu: str, count: int, cloud: str) -> float | None:
        """Return dollars an hour for `count` GPUs of a type, None when the cloud has none.

        Of several clouds the price of the dearer one, since the pod may come to lie there.
        """
        try:
            found = self._ask(self._runpod.get_gpu, gpu, count)
        except GoodhartError as error:
            if "No GPU found" in str(error):
                return None
            raise
        prices = [float(found[name]) for name in PRICES[cloud] if found.get(name)]
        return max(prices) * count if prices else None

    def create(self, **wanted: Any) -> str:
        """Create a pod and return its id. Raises NotToBeHadError when no such machine is free."""
        try:
            return str(self._ask(self._runpod.create_pod, **wanted)["id"])
        except GoodhartError as error:
            text = str(error).lower()
            if any(word in text for word in ("no longer any instances", "not available", "no gpu")):
                raise NotToBeHadError from error
            raise

    def stop(self, pod: Pod) -> None:
        """Stop a pod: its volume stays, and costs a little."""
        self._ask(self._runpod.stop_pod, pod.id)

    def delete(self, pod: Pod) -> None:
        """Delete a pod and its volume."""
        self._ask(self._runpod.terminate_pod, pod.id)

    def _ask(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            said = redact(str(error.args[0]) if error.args else "").strip().splitlines()
            kind = type(error).__name__
            if "uthoriz" in f"{kind}{said}" or kind == "AuthenticationError":
                text = "RUNPOD_API_KEY: RunPod refuses the key; correct it."
            elif kind in ("ConnectionError", "Timeout", "ReadTimeout", "ConnectTimeout"):
                text = f"RunPod's API cannot be reached ({kind}); check the network."
            else:
                text = f"RunPod: {said[0] if said else kind}."
        raise GoodhartError(text)


def _library() -> ModuleType:
    try:
        import runpod
    except ImportError as error:
        raise GoodhartError(
            "pods need the runpod library; run `pip install 'goodhart-gap[runpod]'`."
        ) from error
    return runpod


def _pod(row: dict[str, Any]) -> Pod:
    return Pod(
        id=str(row["id"]),
        name=str(row.get("name")),
        status=str(row.get("desiredStatus")),
        gpu=str((row.get("machine") or {}).get("gpuDisplayName")),
        gpu_count=int(row.get("gpuCount") or 0),
        dollars_per_hour=float(row.get("costPerHr") or 0),
        uptime_s=float(row.get("uptimeSeconds") or 0),
    )
