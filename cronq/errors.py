"""The errors cronq raises: one tree, so that `except CronqError` means "cronq said no"."""

from __future__ import annotations


class CronqError(Exception):
    """Anything cronq refuses or cannot do; the text says what is wrong, where, and what to do."""

    exit_code = 1


class ConfigError(CronqError):
    """The configuration is wrong as a whole; `problems` holds every complaint, one text each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class UsageError(CronqError):
    """A command or a call was used in a way that cannot work."""

    exit_code = 2


class StateDirError(CronqError):
    """The state directory cannot be used: missing rights, too open, someone else's, or served by the web."""

    exit_code = 2


class TransportError(CronqError):
    """The transport cannot be used. `pressure` tells a host without room (full disk, held lock) from a real fault."""

    def __init__(self, text: str, *, pressure: bool = False) -> None:
        super().__init__(text)
        self.pressure = pressure


class ArgumentError(CronqError, TypeError):
    """A task call whose arguments do not fit its parameters, or cannot be written as JSON."""


class UnknownTaskError(CronqError):
    """A message names a task that this app does not have."""


class BodyError(CronqError):
    """A stored message body does not decode into its task's parameters."""


class RetryLater(Exception):
    """Raised by a task: run me again, after `delay_s` seconds (default: what the retry policy says)."""

    def __init__(self, delay_s: float | None = None, reason: str = "asked to be retried") -> None:
        super().__init__(reason)
        self.delay_s = delay_s


class GiveUp(Exception):
    """Raised by a task: no further attempt makes sense; put me into the failure queue."""


class TaskTimeout(BaseException):
    """Raised inside a task whose `timeout_s` is over. Not an Exception, so that `except Exception` lets it pass."""
