"""A run that is asked to end (SIGTERM) does end.

Snakemake's answer takes a lock, and Python gives it in the main thread, which holds that lock while
it selects jobs and while it looks after finished ones: a run that is asked just then would stand
still for ever. In a thread of its own the answer waits until the lock is free.
"""

import _thread
import signal


def answer_in_a_thread(number: int = signal.SIGTERM) -> None:
    """Let what answers a signal now answer it in a thread of its own; from the main thread only."""
    answer = signal.getsignal(number)
    if callable(answer):
        # Not a Thread: starting one takes locks, too.
        signal.signal(number, lambda *about: _thread.start_new_thread(answer, about))
