"""The one exception a user of `make` is meant to read."""


class Problem(Exception):  # noqa: N818 - it is what went wrong in the user's words, not a programming error
    """Something the user can mend: one sentence with what was found and the remedy; no traceback, exit 1."""
