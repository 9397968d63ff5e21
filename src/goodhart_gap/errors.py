"""The one error type a user is meant to read."""

import difflib
from collections.abc import Iterable


class GoodhartError(Exception):
    """Bad input, in one sentence that names the file, the key, the value and the remedy.

    Scripts print it without a traceback and exit with status 1; anything else that escapes a
    script is a defect of ours and keeps its traceback.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a part of a sentence that names the known word closest to `word`, if one is close.

    >>> did_you_mean("basline", ["baseline", "uniform"])
    " (did you mean 'baseline'?)"
    """
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
