"""A task: a callable that can be put into a queue."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Generic, ParamSpec, Protocol, TypeVar

from cronq.context import Context
from cronq.errors import UsageError
from cronq.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from cronq.codec import Codec

_NOT_RUN_BY_CALLING = 0x20 | 0x80 | 0x200  # generator, coroutine, asynchronous generator (inspect.CO_...)

P = ParamSpec("P")
R = TypeVar("R")
RefT_co = TypeVar("RefT_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Options:
    """How a task is run. `queue` None means: the queue of its message class, else `normal`.

    `timeout_s` ends an attempt that takes longer; `inline=False` keeps the task out of web processes;
    `ack_first=True` acks before running: at most once instead of at least once;
    `result_ttl_s` keeps the return value so long.
    """

    queue: str | None = None
    retry: Retry = field(default_factory=Retry)
    timeout_s: float | None = None
    inline: bool = True
    ack_first: bool = False
    result_ttl_s: float = 0.0

    def __post_init__(self) -> None:
        if self.timeout_s is not None and not 0 < self.timeout_s <= 7 * 86400:
            raise ValueError(f"timeout_s = {self.timeout_s!r}: must be seconds, more than 0 and at most a week")
        if not 0 <= self.result_ttl_s <= 3650 * 86400:
            raise ValueError(f"result_ttl_s = {self.result_ttl_s!r}: must be seconds, 0 for none")
        if not isinstance(self.retry, Retry):
            raise TypeError(f"retry = {self.retry!r}: must be a cronq.Retry, such as Retry(max_attempts=5)")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one enqueueing asks for beyond its task's options."""

    queue: str | None = None
    delay_s: float = 0.0
    priority: int = 0
    expires_s: float | None = None
    headers: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.delay_s <= 3650 * 86400:
            raise ValueError(f"delay_s = {self.delay_s!r}: must be seconds, 0 or more, and at most ten years")
        if self.expires_s is not None and not 0 < self.expires_s <= 3650 * 86400:
            raise ValueError(f"expires_s = {self.expires_s!r}: must be seconds, more than 0")
        if isinstance(self.priority, bool) or not isinstance(self.priority, int) or abs(self.priority) > 1_000_000:
            raise ValueError(f"priority = {self.priority!r}: must be a whole number from -1000000 to 1000000")


class Sender(Protocol[RefT_co]):
    """What a task needs of its app."""

    def send_calls(
        self, task: Task[..., Any], calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]], delivery: Delivery
    ) -> Sequence[RefT_co]: ...


class Task(Generic[P, R]):
    """A registered callable. Calling it runs it here and now; `enqueue` puts the call into its queue."""

    def __init__(self, function: Callable[P, R], name: str, options: Options, sender: Sender[Any]) -> None:
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _NOT_RUN_BY_CALLING:
            raise UsageError(
                f"task {name}: a call of an async or generator function runs nothing: make it a plain function, "
                f"which may use asyncio.run()"
            )
        update_wrapper(self, function)
        self.function = function
        self.name = name
        self.options = options
        self._sender = sender

    @cached_property
    def codec(self) -> Codec:
        """How calls of this task are written and read; made with the first message."""
        from cronq.codec import Codec

        return Codec(self.name, self.function, Context)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Put a call into the queue and return its Ref.

        Raises ArgumentError when the arguments do not fit, TransportError when the queue cannot take it.
        """
        return self._sender.send_calls(self, [(args, kwargs)], Delivery())[0]

    def enqueue_many(self, calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Sequence[Any]:
        """Put many calls, given as pairs of args and kwargs, into the queue in one transaction: all or none."""
        return self._sender.send_calls(self, calls, Delivery())

    def using(
        self,
        *,
        queue: str | None = None,
        delay_s: float = 0.0,
        priority: int = 0,
        expires_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Prepared[P]:
        """Return the task prepared to be enqueued in another queue, later, sooner than others, or not too late."""
        return Prepared(self, self._sender, Delivery(queue, delay_s, priority, expires_s, headers))


class Prepared(Generic[P]):
    """A task with a delivery: what `task.using(...)` returns."""

    def __init__(self, task: Task[P, Any], sender: Sender[Any], delivery: Delivery) -> None:
        self._task = task
        self._sender = sender
        self._delivery = delivery

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """As `Task.enqueue`."""
        return self._sender.send_calls(self._task, [(args, kwargs)], self._delivery)[0]

    def enqueue_many(self, calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> Sequence[Any]:
        """As `Task.enqueue_many`."""
        return self._sender.send_calls(self._task, calls, self._delivery)


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


def with_queue_settings(retry: Retry, changes: Mapping[str, float], max_attempts: int | None) -> Retry:
    """Return the policy that `[queues.NAME]` makes of a task's own."""
    wanted = dict(changes)
    if max_attempts is not None:
        wanted["max_attempts"] = max_attempts
    if "max_attempts" in wanted:
        wanted["max_attempts"] = int(wanted["max_attempts"])
    return replace(retry, **wanted) if wanted else retry  # type: ignore[arg-type]
