"""Where the wall clock of a run went, from the intervals in which its jobs ran."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """Something that ran from `start` to `end`, in seconds of one clock."""

    label: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return max(0.0, self.end - self.start)


def covered(intervals: Iterable[Interval]) -> float:
    """Return the seconds in which at least one of `intervals` ran."""
    total, until = 0.0, float("-inf")
    for each in sorted(intervals, key=lambda each: each.start):
        total += max(0.0, each.end - max(each.start, until))
        until = max(until, each.end)
    return total


def shares(intervals: Iterable[Interval]) -> dict[str, float]:
    """Return {label: its seconds of wall clock}; what runs side by side shares an instant evenly.

    The values add up to `covered(intervals)`.
    """
    found = list(intervals)
    result = dict.fromkeys((each.label for each in found), 0.0)
    edges = sorted(
        [(each.start, 1, each.label) for each in found if each.seconds]
        + [(each.end, -1, each.label) for each in found if each.seconds]
    )
    running: Counter[str] = Counter()
    before = edges[0][0] if edges else 0.0
    for time, change, label in edges:
        count = running.total()
        if count:
            for name, jobs in running.items():
                result[name] += (time - before) * jobs / count
        running[label] += change
        before = time
    return result


def cut(whole: Interval, inner: Interval, label: str) -> list[Interval]:
    """Return what of `whole` lies before and after `inner`, under another label."""
    parts = [
        Interval(label, whole.start, min(whole.end, inner.start)),
        Interval(label, max(whole.start, inner.end), whole.end),
    ]
    return [part for part in parts if part.seconds]
