"""A task: a callable that can be put into a queue."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Generic, ParamSpec, Protocol, TypeVar

from cronq.errors import UsageError
from cronq.tasks.call import Call
from cronq.tasks.context import Context
from cronq.tasks.retry import Retry
from cronq.tasks.terms import Asked, asked, check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from cronq.tasks.codec import Codec
    from cronq.tasks.terms import Key, MaxRunning, Unique

_NOT_RUN_BY_CALLING = 0x20 | 0x80 | 0x200  # generator, coroutine, asynchronous generator (inspect.CO_...)

P = ParamSpec("P")
R = TypeVar("R")
RefT_co = TypeVar("RefT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Options:
    """How a task is run. `queue` None means: the queue of its message class, else `normal`.

    `timeout_s` ends an attempt that takes longer; `inline=False` keeps the task out of web processes;
    `ack_first=True` acks before running: at most once instead of at least once;
    `result_ttl_s` keeps the return value so long; `on_failure` is enqueued with a Failure for each message of this
    task that went to the failure queue.
    `isolated=True` runs every message in a process of its own: there `memory_mb` bounds its memory, and
    `capture_output=True` keeps the end of what a failed attempt printed.
    `unique`, `debounce_s`, `max_running` are its terms (`tasks.terms`); `rate="10/m"` is how often it may be reserved.
    """

    queue: str | None = None
    retry: Retry = field(default_factory=Retry)
    timeout_s: float | None = None
    inline: bool = True
    ack_first: bool = False
    result_ttl_s: float = 0.0
    on_failure: Task[..., Any] | None = None
    isolated: bool = False
    memory_mb: int | None = None
    capture_output: bool = False
    unique: Unique | Key | None = None
    debounce_s: float = 0.0
    max_running: MaxRunning | int | None = None
    rate: str | None = None

    def __post_init__(self) -> None:
        try:
            if self.timeout_s is not None and not 0 < self.timeout_s <= 7 * 86400:
                raise ValueError(f"timeout_s = {self.timeout_s!r}: must be seconds, more than 0 and at most a week")
            if not 0 <= self.result_ttl_s <= 3650 * 86400:
                raise ValueError(f"result_ttl_s = {self.result_ttl_s!r}: must be seconds, 0 for none")
        except TypeError:
            raise TypeError(_no_number(timeout_s=self.timeout_s, result_ttl_s=self.result_ttl_s)) from None
        if not isinstance(self.retry, Retry):
            raise TypeError(f"retry = {self.retry!r}: must be a cronq.Retry, such as Retry(max_attempts=5)")
        if self.on_failure is not None and not isinstance(self.on_failure, Task):
            raise TypeError(f"on_failure = {self.on_failure!r}: must be a task, put @app.task above it")
        self._check_isolation()
        self._check_terms()

    def _check_isolation(self) -> None:
        for name in ("isolated", "capture_output"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} = {getattr(self, name)!r}: must be True or False")
        if self.memory_mb is not None and (type(self.memory_mb) is not int or not 16 <= self.memory_mb <= 1_048_576):
            raise ValueError(f"memory_mb = {self.memory_mb!r}: must be a whole number of MB from 16 to 1048576")
        for name in ("memory_mb", "capture_output"):
            if getattr(self, name) and not self.isolated:
                raise ValueError(f"{name} needs isolated=True: memory and streams belong to a process, not to a task")

    def _check_terms(self) -> None:
        asked(self.unique, self.max_running, self.debounce_s)
        if self.rate is not None:
            from cronq.messages.rate import parse

            parse(self.rate)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one enqueueing asks for beyond its task's options. `immediately`: no outbox holds it back."""

    queue: str | None = None
    delay_s: float = 0.0
    priority: int = 0
    expires_s: float | None = None
    headers: Mapping[str, str] | None = None
    unique: Unique | Key | None = None
    debounce_s: float = 0.0
    immediately: bool = False

    def __post_init__(self) -> None:
        try:
            if not 0 <= self.delay_s <= 3650 * 86400:
                raise ValueError(f"delay_s = {self.delay_s!r}: must be seconds, 0 or more, and at most ten years")
            if self.expires_s is not None and not 0 < self.expires_s <= 3650 * 86400:
                raise ValueError(f"expires_s = {self.expires_s!r}: must be seconds, more than 0")
        except TypeError:
            raise TypeError(_no_number(delay_s=self.delay_s, expires_s=self.expires_s)) from None
        if isinstance(self.priority, bool) or not isinstance(self.priority, int) or abs(self.priority) > 1_000_000:
            raise ValueError(f"priority = {self.priority!r}: must be a whole number from -1000000 to 1000000")
        if self.unique is not None or self.debounce_s:
            asked(self.unique, None, self.debounce_s)


NOTHING_ASKED = Delivery()


def _no_number(**given: object) -> str:
    """Say which of these are no seconds, and what would be right."""
    name, value = next(one for one in given.items() if one[1] is not None and not isinstance(one[1], int | float))
    hint = ": write .total_seconds() behind it" if hasattr(value, "total_seconds") else ', such as 60, not "60s"'
    return f"{name} = {value!r}: must be a number of seconds{hint}"


def checked_names(kind: type[Options | Delivery], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return options as they were given. Raises TypeError that names those there are when one is not among them."""
    known = [one.name for one in fields(kind)]
    for name in given:
        if name not in known:
            raise TypeError(f"there is no option {name!r}; there are {', '.join(known)}")
    return given


class Sender(Protocol[RefT_co]):
    """What a task needs of its app."""

    def send_calls(
        self, task: Task[..., Any], calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]], delivery: Delivery
    ) -> Sequence[RefT_co]: ...


class Task(Generic[P, R]):
    """A registered callable. Calling it runs it here and now; `enqueue` puts the call into its queue.

    `run` is what consumers call; for up to `gather` messages at once where that is not 0, the first of which has
    waited `wait_s` for the others (cronq.tasks.batch_task).
    """

    gather = 0
    wait_s = 0.0

    def __init__(self, function: Callable[P, R], name: str, options: Options, sender: Sender[Any]) -> None:
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _NOT_RUN_BY_CALLING:
            raise UsageError(
                f"task {name}: a call of an async or generator function runs nothing: make it a plain function, "
                f"which may use asyncio.run()"
            )
        update_wrapper(self, function)
        self.function = function
        self.run: Callable[..., object] = function
        self.name = name
        self.options = options
        self._asked = asked(options.unique, options.max_running, options.debounce_s)
        try:
            check_names(self._asked, function)
        except ValueError as error:
            raise UsageError(f"task {name}: {error}") from None
        self._sender = sender

    @cached_property
    def codec(self) -> Codec:
        """How calls of this task are written and read; made with the first message."""
        from cronq.tasks.codec import Codec

        return Codec(self.name, self.function, Context)

    def asked(self, delivery: Delivery) -> Asked | None:
        """Return the terms under which a call is enqueued, None when there are none."""
        if delivery.unique is None and not delivery.debounce_s:
            return self._asked if any(self._asked) else None
        return asked(delivery.unique, None, delivery.debounce_s).or_else(self._asked)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Put a call into the queue and return its Ref.

        Raises ArgumentError when the arguments do not fit, TransportError when the queue cannot take it.
        """
        return self._sender.send_calls(self, [(args, kwargs)], NOTHING_ASKED)[0]

    def enqueue_many(self, calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Sequence[Any]:
        """Put many calls, given as pairs of args and kwargs, into the queue in one transaction: all or none."""
        return self._sender.send_calls(self, calls, NOTHING_ASKED)

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """Return a call as a value, for `app.chain`, `app.group` and `app.enqueue_in`; nothing is enqueued."""
        return Call(self, args, kwargs, NOTHING_ASKED)

    def using(  # noqa: PLR0913 - by name only, each one thing that a call may ask for
        self,
        *,
        queue: str | None = None,
        delay_s: float = 0.0,
        priority: int = 0,
        expires_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        unique: Unique | Key | None = None,
        debounce_s: float = 0.0,
        immediately: bool = False,
    ) -> Prepared[P]:
        """Return the task prepared to be enqueued in another queue, later, sooner than others, in time, or once.

        `immediately` passes by every outbox: sent now, whatever becomes of the request or task that enqueues it.
        """
        delivery = Delivery(queue, delay_s, priority, expires_s, headers, unique, debounce_s, immediately)
        return Prepared(self, self._sender, delivery)


class Prepared(Generic[P]):
    """A task with a delivery: what `task.using(...)` returns."""

    def __init__(self, task: Task[P, Any], sender: Sender[Any], delivery: Delivery) -> None:
        self._task = task
        self._sender = sender
        self._delivery = delivery

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """As `Task.enqueue`."""
        return self._sender.send_calls(self._task, [(args, kwargs)], self._delivery)[0]

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call:
        """As `Task.call`."""
        return Call(self._task, args, kwargs, self._delivery)

    def enqueue_many(self, calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Sequence[Any]:
        """As `Task.enqueue_many`."""
        return self._sender.send_calls(self._task, calls, self._delivery)


def options_of(function: Callable[..., object], given: Mapping[str, Any]) -> Options:
    """Return the options that stand at a function. Raises UsageError that names it."""
    try:
        return Options(**checked_names(Options, given))
    except (TypeError, ValueError) as error:
        raise UsageError(f"task {function.__qualname__}: {error}") from None


def name_of(function: Callable[..., object]) -> str:
    """Return the dotted name by which consumers find the callable again, `shop.tasks.send_mail`.

    Raises UsageError for a callable that no import can reach.
    """
    qualified = getattr(function, "__qualname__", "")
    if not qualified or "<" in qualified:
        raise UsageError(
            f"{function!r} cannot be a task: it must be a function at the top of a module, so that consumers find it"
        )
    return f"{_module_of(function)}.{qualified}"


def _module_of(function: Callable[..., object]) -> str:
    module = function.__module__
    if module != "__main__":
        return module
    main = sys.modules["__main__"]
    if main.__spec__ is not None:
        return main.__spec__.name.removesuffix(".__main__")
    path = str(getattr(main, "__file__", "__main__"))
    return path.rpartition("/")[2].removesuffix(".py")


def with_queue_settings(retry: Retry, changes: Mapping[str, Any], max_attempts: int | None) -> Retry:
    """Return the policy that `[queues.NAME]` makes of a task's own."""
    wanted = dict(changes)
    if max_attempts is not None:
        wanted["max_attempts"] = max_attempts
    if "max_attempts" in wanted:
        wanted["max_attempts"] = int(wanted["max_attempts"])
    return replace(retry, **wanted) if wanted else retry
