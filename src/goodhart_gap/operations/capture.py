"""What this process and its children write to the terminal, line by line, while a live view is up.

    capture = Capture(show)      # `show` gets each line
    terminal = capture.start()   # a file for the view itself, the terminal as it was
    ...
    capture.stop()               # the terminal is everybody's again

Jobs inherit the standard streams. A view that redraws itself and children that write in between
would garble each other, so standard output and error (those that are the terminal) become a pipe
that a thread reads.
"""

import os
import re
import select
import sys
import threading
from collections.abc import Callable
from typing import IO

STREAMS = (1, 2)
_ENDS = re.compile(rb"[\r\n]+")


class Capture:
    """Standard output and error as lines that are handed to a function."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._saved: dict[int, int] = {}
        self._pipe = -1
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> IO[str]:
        """Begin; return a file that writes to the terminal past the pipe."""
        sys.stdout.flush()
        sys.stderr.flush()
        streams = [stream for stream in STREAMS if os.isatty(stream)]
        self._saved = {stream: os.dup(stream) for stream in streams}
        self._pipe, entrance = os.pipe()
        for stream in streams:
            os.dup2(entrance, stream)
        os.close(entrance)
        self._thread = threading.Thread(target=self._read, name="capture", daemon=True)
        self._thread.start()
        terminal = self._saved[streams[-1]] if streams else os.dup(STREAMS[-1])
        return os.fdopen(os.dup(terminal), "w", encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End: put the streams back and hand over what is still in the pipe. Safe to call twice."""
        if self._thread is None:
            return
        sys.stdout.flush()
        sys.stderr.flush()
        for stream, saved in self._saved.items():
            os.dup2(saved, stream)
            os.close(saved)
        # A child that lives on keeps its end of the pipe open, so its end cannot be waited for.
        self._stopping.set()
        self._thread.join()
        self._thread = None
        os.close(self._pipe)

    def _read(self) -> None:
        rest = b""
        while True:
            # Asked first: what was written before the end was announced is in the pipe by then.
            stopping = self._stopping.is_set()
            ready, _, _ = select.select([self._pipe], [], [], 0.1)
            if not ready:
                if stopping:
                    break
                continue
            got = os.read(self._pipe, 65536)
            if not got:
                break
            *lines, rest = _ENDS.split(rest + got)
            for line in lines:
                self._show(line.decode("utf-8", "replace"))
        if rest:
            self._show(rest.decode("utf-8", "replace"))
