"""The one error type a user is meant to read."""


class GoodhartError(Exception):
    """Bad input, in one sentence that names the file, the key, the value and the remedy.

    Scripts print it without a traceback and exit with status 1; anything else that escapes a
    script is a defect of ours and keeps its traceback.
    """
