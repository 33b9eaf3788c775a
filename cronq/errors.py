"""The errors cronq raises: one tree, so that `except CronqError` means "cronq said no"."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta


LONGEST_DELAY_S = 3650 * 86400


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


class UnstorableError(TransportError):
    """What was to be written is refused as it is, by a store that can be written: trying again is no use."""


class SyncError(TransportError):
    """What was written is there for all to see, but the disk did not confirm it: a power cut may take it."""


class ArgumentError(CronqError, TypeError):
    """A task call whose arguments do not fit its parameters, or cannot be written as JSON."""


class OptionError(UsageError, TypeError, ValueError):
    """An option, or a value of one, that cannot be meant: at a task, a delivery, a policy, a key."""


class NoResult(CronqError):
    """`ref.result` was asked for and there is none: not yet, failed, or not kept; the text says which."""


class WaitTimeout(CronqError, TimeoutError):
    """`ref.wait(timeout_s)` has waited so long, and the message is not over."""


class UnknownTaskError(CronqError):
    """A message names a task that this app does not have."""


class BodyError(CronqError):
    """A stored message body does not decode into its task's parameters."""


class RetryLater(Exception):
    """Raised by a task: run me again, after `delay_s` seconds, or a timedelta (default: what the retry policy says).

    Raises OptionError for a delay that is none: then that is what ends the attempt.
    """

    def __init__(self, delay_s: float | timedelta | None = None, reason: str = "asked to be retried") -> None:
        from cronq.units import in_seconds

        delay_s = None if delay_s is None else in_seconds(delay_s)
        is_number = isinstance(delay_s, int | float) and not isinstance(delay_s, bool)
        if delay_s is not None and not (is_number and 0 <= delay_s <= LONGEST_DELAY_S):
            wants = "must be a number of seconds, 0 or more, and at most ten years"
            raise OptionError(f"RetryLater: delay_s = {delay_s!r}: {wants}")
        super().__init__(reason)
        self.delay_s = delay_s


class GiveUp(Exception):
    """Raised by a task: no further attempt makes sense; put me into the failure queue."""


class PartlyFailed(Exception):
    """Raised or returned by a batch task: these of its items failed, by their index in the list; all others are done.

    Each goes through the retry policy with its own exception. Return it where a decorator or context manager around
    would undo the work of the others because of an exception. Raises ValueError and TypeError for what says nothing.
    """

    def __init__(self, failures: Mapping[int, BaseException]) -> None:
        for index, error in failures.items():
            if type(index) is not int or not isinstance(error, BaseException):
                raise TypeError(f"PartlyFailed: {index!r}: {error!r}: must be the index of an item, and an exception")
            if index < 0:
                raise ValueError(f"PartlyFailed: {index} is no index of an item: they are counted from 0")
        if not failures:
            raise ValueError("PartlyFailed: no item is named; return normally when all are done")
        super().__init__(f"{len(failures)} items failed")
        self.failures: dict[int, BaseException] = dict(failures)


class Killed(Exception):
    """The process of an isolated message ended without a word: a signal, or a crash. What retry policies see then."""


class OutOfMemory(Killed):
    """As Killed, and what is known of the memory of that process explains it."""


class TaskStopped(BaseException):
    """Raised inside a task that somebody stops (`ref.stop()`, `cronq messages stop`). Not an Exception, as TaskTimeout.

    Also for tasks to raise: the message goes to the failure queue without another attempt.
    """


class TaskTimeout(BaseException):
    """Raised inside a task whose `timeout_s` is over. Not an Exception, so that `except Exception` lets it pass."""
