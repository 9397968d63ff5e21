"""Progress of sampling: tokens a second, responses finished, time left, about every ten seconds."""

import logging
import time

log = logging.getLogger(__name__)

_REPORT_EVERY_S = 10.0


class Progress:
    """Counts finished responses and their tokens; `done` of them were there from the start."""

    def __init__(self, total: int, done: int = 0) -> None:
        self.total, self.finished, self.tokens = total, done, 0
        self.at_start = done
        self.started = self.reported = time.monotonic()

    def report(self, final: bool = False) -> None:
        """Log a line if the last one is old enough."""
        now = time.monotonic()
        if not final and now - self.reported < _REPORT_EVERY_S:
            return
        self.reported = now
        elapsed = now - self.started
        rate = self.tokens / max(elapsed, 1e-9)
        left, made = "", self.finished - self.at_start
        if made and not final:
            left = f", about {elapsed * (self.total - self.finished) / made:.0f} s left"
        log.info(
            "%d of %d responses, %d tokens, %.0f tokens/s%s",
            self.finished,
            self.total,
            self.tokens,
            rate,
            left,
        )
