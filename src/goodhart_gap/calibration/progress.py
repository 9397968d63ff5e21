"""A line of progress with rate and time left, about every ten seconds."""

import logging
import time

log = logging.getLogger(__name__)

REPORT_EVERY_S = 10.0


class Progress:
    """Counts work done and reports it: `Progress("sampled", 1000, "tokens").add(10)`."""

    def __init__(self, what: str, total: int, unit: str) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.done = 0
        self._started = self._reported = time.monotonic()

    def add(self, amount: int) -> None:
        """Count `amount` more as done; report when the last report is old, or all is done."""
        self.done += amount
        now = time.monotonic()
        finished = self.done >= self.total
        if not finished and now - self._reported < REPORT_EVERY_S:
            return
        self._reported = now
        elapsed_s = now - self._started
        rate = self.done / max(elapsed_s, 1e-9)
        rest = (
            f"in {elapsed_s:.0f} s" if finished else f"{(self.total - self.done) / rate:.0f} s left"
        )
        log.info(
            "%s %d of %d %s, %.0f %s/s, %s",
            self.what,
            self.done,
            self.total,
            self.unit,
            rate,
            self.unit,
            rest,
        )
