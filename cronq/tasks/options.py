"""What may be said of a task, and of one enqueueing of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from cronq.errors import OptionError
from cronq.tasks.option_values import (
    LONGEST_S,
    check_expiry,
    check_flag,
    check_headers,
    check_moment,
    check_priority,
    check_queue,
    check_queues,
    check_seconds,
    check_timeout,
)
from cronq.tasks.retry import Retry
from cronq.tasks.terms import asked
from cronq.units import SIZES, in_seconds, megabytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from cronq.tasks.label import Label
    from cronq.tasks.terms import Key, MaxRunning, Unique


@dataclass(frozen=True, slots=True)
class Options:
    """How a task is run. `queue` None means: that of its message class, else `normal`; several: a message in each.

    `timeout_s` ends an attempt that takes longer; `inline=False` keeps the task out of web processes;
    `ack_first=True` acks before running: at most once instead of at least once;
    `result_ttl_s` keeps the return value so long; `on_failure` is enqueued with a Failure for each message of this
    task that went to the failure queue (it is a task, which `Task` looks at).
    `isolated=True` runs every message in a process of its own: there `memory_mb` bounds its memory, and
    `capture_output=True` keeps the end of what a failed attempt printed.
    `unique`, `debounce_s`, `max_running` are its terms (`tasks.terms`); `rate="10/m"` is how often it may be reserved.
    `label="order {order_id}"` is how its messages are called in lists and logs, or a function of the arguments is.
    `priority`, `expires_s` and `headers` are those of every enqueueing that says nothing else of them.
    """

    queue: str | Sequence[str] | None = None
    retry: Retry = field(default_factory=Retry)
    timeout_s: float | None = None
    inline: bool = True
    ack_first: bool = False
    result_ttl_s: float = 0.0
    on_failure: Callable[..., object] | None = None
    isolated: bool = False
    memory_mb: int | None = None
    capture_output: bool = False
    unique: Unique | Key | None = None
    debounce_s: float = 0.0
    max_running: MaxRunning | int | None = None
    rate: str | None = None
    label: Label | None = None
    priority: int = 0
    expires_s: float | None = None
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        check_queues(self.queue)
        check_priority(self.priority)
        check_expiry(self.expires_s)
        check_headers(self.headers)
        if self.label is not None:
            from cronq.tasks.label import check_label

            check_label(self.label)
        check_timeout(self.timeout_s)
        check_seconds("result_ttl_s", self.result_ttl_s, LONGEST_S, "seconds, 0 for none")
        for name in ("inline", "ack_first", "isolated", "capture_output"):
            check_flag(name, getattr(self, name))
        check_retry(self.retry)
        self._check_isolation()
        self._check_terms()

    def _check_isolation(self) -> None:
        if self.memory_mb is not None and (type(self.memory_mb) is not int or not 16 <= self.memory_mb <= 1_048_576):
            wants = f"a whole number of MB from 16 to 1048576, or {SIZES}"
            raise OptionError(f"memory_mb = {self.memory_mb!r}: must be {wants}")
        for name in ("memory_mb", "capture_output"):
            if getattr(self, name) and not self.isolated:
                raise OptionError(f"{name} needs isolated=True: memory and streams belong to a process, not to a task")

    def _check_terms(self) -> None:
        asked(self.unique, self.max_running, self.debounce_s)
        if self.rate is not None:
            from cronq.messages.rate import parse

            parse(self.rate)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one enqueueing asks for beyond its task's options; what is None is as they say.

    It waits until `delay_s` are over, or until the moment `at`. `immediately`: no outbox holds it back.
    """

    queue: str | None = None
    delay_s: float = 0.0
    at: datetime | None = None
    priority: int | None = None
    expires_s: float | None = None
    headers: Mapping[str, str] | None = None
    unique: Unique | Key | None = None
    debounce_s: float = 0.0
    retry: Retry | None = None
    timeout_s: float | None = None
    result_ttl_s: float | None = None
    immediately: bool = False

    def __post_init__(self) -> None:
        check_queue(self.queue)
        check_seconds("delay_s", self.delay_s, LONGEST_S, "seconds, 0 or more, and at most ten years")
        check_moment(self.at)
        if self.at is not None and self.delay_s:
            raise OptionError(f"at = {self.at!r} and delay_s = {self.delay_s!r}: say one of them")
        if self.priority is not None:
            check_priority(self.priority)
        check_expiry(self.expires_s)
        check_headers(self.headers)
        check_flag("immediately", self.immediately)
        if self.retry is not None:
            check_retry(self.retry)
        check_timeout(self.timeout_s)
        if self.result_ttl_s is not None:
            check_seconds("result_ttl_s", self.result_ttl_s, LONGEST_S, "seconds, 0 for none")
        if self.unique is not None or self.debounce_s != 0:
            asked(self.unique, None, self.debounce_s)

    def available_at(self, now: float) -> float:
        """Return the Unix time before which it is not to be run, 0 when it may be at once."""
        if self.at is not None:
            moment = self.at.timestamp()
            return moment if moment > now else 0.0
        return now + self.delay_s if self.delay_s else 0.0


NOTHING_ASKED = Delivery()


def check_retry(value: object) -> None:
    """Raise OptionError for what is no retry policy."""
    if not isinstance(value, Retry):
        raise OptionError(f"retry = {value!r}: must be a cronq.Retry, such as Retry(max_attempts=5)")


def read_options(kind: type[Options | Delivery], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return options as they were given, timedeltas as seconds and sizes with a unit as MB.

    Raises OptionError that names those there are when one is not among them.
    """
    known = [one.name for one in fields(kind)]
    for name in given:
        if name not in known:
            raise OptionError(f"there is no option {name!r}; there are {', '.join(known)}")
    return {name: _plain(name, value) for name, value in given.items()}


def _plain(name: str, value: Any) -> Any:
    if name.endswith("_s"):
        return in_seconds(value)
    if name.endswith("_mb") and isinstance(value, str):
        with suppress(ValueError):  # it is refused as it was given
            return megabytes(value)
    return value


def options_of(function: Callable[..., object], given: Mapping[str, Any]) -> Options:
    """Return the options that stand at a function. Raises OptionError that names it."""
    try:
        return Options(**read_options(Options, given))
    except (TypeError, ValueError) as error:
        raise OptionError(f"task {getattr(function, '__qualname__', repr(function))}: {error}") from None


def delivery_of(whose: str, **given: Any) -> Delivery:
    """Return what one enqueueing asks for. Raises OptionError that names whose it is."""
    try:
        return Delivery(**read_options(Delivery, given))
    except (TypeError, ValueError) as error:
        raise OptionError(f"{whose}: {error}") from None


def with_queue_settings(retry: Retry, changes: Mapping[str, Any], max_attempts: int | None) -> Retry:
    """Return the policy that `[queues.NAME]` makes of a task's own."""
    wanted = dict(changes)
    if max_attempts is not None:
        wanted["max_attempts"] = max_attempts
    if "max_attempts" in wanted:
        wanted["max_attempts"] = int(wanted["max_attempts"])
    return replace(retry, **wanted) if wanted else retry
