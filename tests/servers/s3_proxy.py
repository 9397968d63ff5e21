"""An HTTP proxy before an S3 server: counts requests, and breaks those it is told to break.

    proxy.count("GET")                  # requests so far, by method
    proxy.fault = refuse(503, "SlowDown", times=3)
    proxy.fault = cut_download(after_bytes=1000)

A fault is a function of a request that returns None (pass it on) or what to do instead.
"""

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK_BYTES = 65_536


@dataclass(frozen=True)
class Request:
    """A request that has arrived."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Action:
    """What to do instead of passing a request on as it is."""

    status: int | None = None
    """Answer with this status and an S3 error of this code, without asking the server."""
    code: str = ""
    upload_bytes: int | None = None
    """Break the connection after this many bytes of the body have passed on."""
    download_bytes: int | None = None
    """Break the connection after this many bytes of the answer have passed on."""
    then: Callable[[], None] | None = None
    """Called at that point."""


Fault = Callable[[Request], Action | None]


class Proxy:
    """The proxy; `start` it, and point clients to `port`."""

    def __init__(self, target_port: int) -> None:
        self.requests: list[Request] = []
        self.fault: Fault | None = None
        proxy = self

        class Handler(_Handler):
            owner = proxy
            target = target_port

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Count from zero, and break nothing."""
        self.requests, self.fault = [], None

    def count(self, *methods: str, path: str = "") -> int:
        """Return how many requests came, of these methods (all) and with `path` in their path."""
        return sum(
            (not methods or each.method in methods) and path in each.path for each in self.requests
        )


def times(number: int, fault: Fault) -> Fault:
    """Return a fault that strikes the first `number` requests it applies to."""
    left, lock = [number], threading.Lock()

    def limited(request: Request) -> Action | None:
        with lock:
            action = fault(request) if left[0] else None
            left[0] -= action is not None
        return action

    return limited


def on(method: str, path: str, action: Action) -> Fault:
    """Return a fault that strikes requests of a method with `path` in their path."""

    def fault(request: Request) -> Action | None:
        return action if request.method == method and path in request.path else None

    return fault


class _Handler(BaseHTTPRequestHandler):
    owner: Proxy
    target: int
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def _pass_on(self) -> None:
        request = Request(self.command, self.path, dict(self.headers))
        self.owner.requests.append(request)
        action = (self.owner.fault(request) if self.owner.fault else None) or Action()
        length = int(self.headers.get("Content-Length") or 0)
        if action.status is not None:
            self.rfile.read(length)
            self._answer(action.status, action.code)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.target, timeout=60)
        try:
            self._send(connection, length, action)
        except (OSError, http.client.HTTPException, _Cut):
            # As a client sees it when the server goes: the connection ends.
            self.close_connection = True
        finally:
            connection.close()

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on

    def _answer(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
        body = b"" if self.command == "HEAD" else body
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, connection: http.client.HTTPConnection, length: int, action: Action) -> None:
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("connection", "expect"):
                connection.putheader(name, value)
        connection.endheaders()
        sent = 0
        while sent < length:
            block = self.rfile.read(min(BLOCK_BYTES, length - sent))
            if action.upload_bytes is not None and sent + len(block) > action.upload_bytes:
                self._cut(action)
            connection.send(block)
            sent += len(block)
        answer = connection.getresponse()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        chunked = answer.getheader("Content-Length") is None
        if chunked:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        passed = 0
        while block := answer.read(BLOCK_BYTES):
            limit = action.download_bytes
            if limit is not None and passed + len(block) > limit:
                self.wfile.write(block[: limit - passed])
                self.wfile.flush()
                self._cut(action)
            self.wfile.write(block)
            passed += len(block)

    def _cut(self, action: Action) -> None:
        if action.then is not None:
            action.then()
        raise _Cut


class _Cut(Exception):
    """The connection was cut on purpose."""
