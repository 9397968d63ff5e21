"""A stand-in for RunPod's API: answers the library's queries, and runs a pod's command here.

    with RunPod(folder) as runpod:
        os.environ |= runpod.environment

A pod is a process: `bash -c` of its command with its environment, and a `runpodctl` on its path
that stops it. What it cannot show: how the real API words its refusals, how long machines take to
start, whether a GPU type is to be had.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

KEY = "rpa_0123456789ABCDEFGHIJ"


@dataclass
class StoodInPod:
    """A pod."""

    id: str
    asked: dict[str, str]
    environment: dict[str, str] = field(repr=False)
    status: str = "RUNNING"
    started: float = field(default_factory=time.monotonic)
    process: subprocess.Popen[bytes] | None = None


class RunPod:
    """The API, on a free local port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prices = {"NVIDIA H100 80GB HBM3": 3.0, "NVIDIA A100 80GB PCIe": 1.5}
        """Dollars an hour of one GPU in the secure cloud; a type that is not here does not
        exist."""
        self.community_prices = {"NVIDIA H100 80GB HBM3": 2.0}
        """The same in the community's: a type that is not here is not there."""
        self.surcharges = {"SECURE": 1.0, "COMMUNITY": 1.0, "ALL": 1.0}
        """What a pod really costs, by the cloud asked for, as a multiple of its list price."""
        self.free = set(self.prices)
        """Types of which a machine is free."""
        self.pods: dict[str, StoodInPod] = {}
        self.queries: list[str] = []
        self.runs_commands = True
        self.seconds_per_hour = 3600.0
        """Shorter hours make money run out sooner."""
        owner = self

        class Handler(_Handler):
            runpod = owner

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        folder.mkdir(parents=True, exist_ok=True)
        program = folder / "runpodctl"
        program.write_text(
            "#!/bin/sh\n# runpodctl stop pod ID\n"
            f"exec curl -s -H 'Authorization: Bearer {KEY}' -H 'Content-Type: application/json' "
            f"http://127.0.0.1:{self._server.server_port}/graphql "
            '-d "{\\"query\\": \\"mutation { podStop(input: { podId: \\\\\\"$3\\\\\\" }) }\\"}"\n'
        )
        program.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the library here."""
        return {
            "RUNPOD_API_BASE_URL": f"http://127.0.0.1:{self._server.server_port}",
            "RUNPOD_API_KEY": KEY,
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pod in self.pods.values():
            self._end(pod)
        self._server.shutdown()
        self._server.server_close()

    def answer(self, query: str) -> dict[str, Any]:
        """Return the data that answers a query. Raises ValueError with RunPod's message."""
        self.queries.append(query)
        if "podFindAndDeployOnDemand" in query:
            return {"podFindAndDeployOnDemand": {"id": self._create(query)}}
        if "podStop" in query:
            pod = self.pods[_value(query, "podId")]
            pod.status = "EXITED"
            threading.Thread(target=self._end, args=[pod]).start()
            return {"podStop": {"id": pod.id, "desiredStatus": "EXITED"}}
        if "podTerminate" in query:
            self._end(self.pods.pop(_value(query, "podId")))
            return {"podTerminate": None}
        if "gpuTypes" in query:
            return {"gpuTypes": list(self._types(_value(query, "id")))}
        if "pods" in query:
            return {"myself": {"pods": [self._row(pod) for pod in self.pods.values()]}}
        raise ValueError(f"no answer to {query}")

    def _types(self, name: str) -> Iterator[dict[str, Any]]:
        if name in self.prices:
            prices = [self.prices[name], self.community_prices.get(name)]
            lowest = min(filter(None, prices)) if name in self.free else None
            yield {
                "id": name,
                "securePrice": prices[0],
                "communityPrice": prices[1],
                "lowestPrice": {"uninterruptablePrice": lowest},
            }

    def _create(self, query: str) -> str:
        asked = dict(re.findall(r"(\w+): \"?([^\",\n]*)\"?", query.partition("env:")[0]))
        if asked["gpuTypeId"] not in self.free:
            raise ValueError("There are no longer any instances available with the requested GPU")
        pairs = re.findall(r'key: "([^"]*)", value: "([^"]*)"', query)
        identity = f"pod{len(self.pods)}{len(self.queries)}"
        pod = StoodInPod(identity, asked, dict(pairs))
        self.pods[identity] = pod
        if self.runs_commands:
            path = f"{self.folder}:{os.environ['PATH']}"
            with (self.folder / f"{identity}.out").open("wb") as out:
                pod.process = subprocess.Popen(
                    shlex.split(asked["dockerArgs"]),
                    env=_without_secrets()
                    | pod.environment
                    | {"RUNPOD_POD_ID": identity, "PATH": path},
                    cwd=self.folder,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
        return identity

    def _row(self, pod: StoodInPod) -> dict[str, Any]:
        count = int(pod.asked["gpuCount"])
        hours = (time.monotonic() - pod.started) / self.seconds_per_hour
        return {
            "id": pod.id,
            "name": pod.asked["name"],
            "desiredStatus": pod.status,
            "gpuCount": count,
            "costPerHr": self._price(pod) * count,
            "uptimeSeconds": 3600 * hours,
            "env": [f"{key}={value}" for key, value in pod.environment.items()],
            "machine": {"gpuDisplayName": pod.asked["gpuTypeId"]},
        }

    def _price(self, pod: StoodInPod) -> float:
        gpu, cloud = pod.asked["gpuTypeId"], pod.asked["cloudType"]
        listed = self.community_prices if cloud == "COMMUNITY" else self.prices
        return listed[gpu] * self.surcharges[cloud]

    def _end(self, pod: StoodInPod) -> None:
        if pod.process is not None and pod.process.poll() is None:
            os.killpg(pod.process.pid, signal.SIGKILL)
            pod.process.wait()


def _without_secrets() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "RUNPOD_", "HF_", "SNAKEMAKE_"))
    }


def _value(query: str, key: str) -> str:
    found = re.search(rf'{key}: "([^"]*)"', query)
    return found[1] if found else ""


class _Handler(BaseHTTPRequestHandler):
    runpod: RunPod

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.respond(401, {"errors": [{"message": "Unauthorized"}]})
            return
        try:
            self.respond(200, {"data": self.runpod.answer(json.loads(body)["query"])})
        except ValueError as error:
            self.respond(200, {"errors": [{"message": str(error)}]})

    def respond(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        pass
