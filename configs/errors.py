"""The errors that the command line turns into exit codes (see ARCHITECTURE: 0, 2, 3, 4, 130)."""


class UsageError(ValueError):
    """The user asked for something that cannot be done as asked: one sentence, exit code 2."""


class TooManyBadRowsError(RuntimeError):
    """The run finished, but more rows failed than the configuration allows: exit code 3."""


class StoppedError(RuntimeError):
    """The run stopped before its end and can be resumed; the message says how: exit code 4."""
