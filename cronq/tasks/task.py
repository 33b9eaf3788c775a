"""A task: a callable that can be put into a queue; and a call of it as a value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial, update_wrapper
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Protocol, TypeAlias, TypeVar

from cronq.errors import UsageError
from cronq.tasks.context import Context
from cronq.tasks.module_name import module_name
from cronq.tasks.options import NOTHING_ASKED, delivery_of
from cronq.tasks.signatures import checked_pairs, iterated
from cronq.tasks.terms import Asked, asked, check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping
    from datetime import datetime, timedelta

    from cronq.tasks.codec import Codec
    from cronq.tasks.options import Delivery, Options
    from cronq.tasks.ref import Ref
    from cronq.tasks.retry import Retry
    from cronq.tasks.terms import Key, Unique

_GENERATOR = 0x20 | 0x200  # plain or asynchronous (inspect.CO_...)
_COROUTINE = 0x80
RUNS_NOTHING = _GENERATOR | _COROUTINE

P = ParamSpec("P")
R = TypeVar("R")
Pairs: TypeAlias = "Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]"
"""Arguments by position and by name, for each call."""


class _Result:
    """Stands for what the step before returns."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "RESULT"


RESULT: Final[Any] = _Result()
"""In place of an argument: what the step before has returned; behind a group, the list of what its parts returned."""


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """A call that nobody has enqueued yet: what `task.call(...)` returns."""

    task: Task[..., R]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    delivery: Delivery

    def enqueue(self) -> Ref[R]:
        """Put the call into its queue and return its Ref. Raises as `Task.enqueue`."""
        return self.task.enqueue_as(self.delivery, [(self.args, self.kwargs)])[0]

    async def aenqueue(self) -> Ref[R]:
        """As `enqueue`, for coroutines: their event loop goes on while the queue is waited for."""
        return (await self.task.aenqueue_as(self.delivery, [(self.args, self.kwargs)]))[0]


class Sender(Protocol):
    """What a task needs of its app."""

    def send_calls(self, task: Task[..., Any], calls: Pairs, delivery: Delivery) -> list[Ref[Any]]: ...

    async def send_calls_async(self, task: Task[..., Any], calls: Pairs, delivery: Delivery) -> list[Ref[Any]]: ...


class Task(Generic[P, R]):
    """A registered callable. Calling it runs it here and now; `enqueue` puts the call into its queue.

    `run` is what consumers call; for up to `gather` messages at once where that is not 0, the first of which has
    waited `wait_s` for the others (cronq.tasks.batch_task). A handler is one of its `message_class`.
    """

    gather: int = 0
    wait_s: float = 0.0
    is_coroutine: bool = False
    message_class: type | None = None

    def __init__(self, function: Callable[P, R], name: str, options: Options, sender: Sender) -> None:
        _refuse_what_a_call_does_not_run(name, function, self.is_coroutine)
        update_wrapper(self, function)
        self.function = function
        self.run: Callable[..., object] = function
        self.name = name
        self.options = options
        self.on_failure: Task[..., Any] | None = _callback(name, options.on_failure)
        self._asked = asked(options.unique, options.max_running, options.debounce_s)
        try:
            check_names("key", self._asked.keys, function)
            check_names("label", [options.label], function)
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

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not self._may_take_context:
            return self.function(*args, **kwargs)
        from cronq.tasks.plain_call import with_context

        filled = with_context(self.function, args, kwargs)
        return self.function(*filled.args, **filled.kwargs)

    @cached_property
    def _may_take_context(self) -> bool:
        """Whether to look closer: annotations are text, or the class itself."""
        annotations = getattr(self.function, "__annotations__", {})
        return any("Context" in str(annotation) for annotation in annotations.values())

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def enqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> Ref[R]:
        """Put a call into the queue and return its Ref.

        Raises ArgumentError when the arguments do not fit, Unsent when the queue cannot take it.
        """
        return self._sender.send_calls(self, [(args, kwargs)], NOTHING_ASKED)[0]

    async def aenqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> Ref[R]:
        """As `enqueue`, for coroutines: their event loop goes on while the queue is waited for."""
        return (await self._sender.send_calls_async(self, [(args, kwargs)], NOTHING_ASKED))[0]

    def enqueue_many(self, calls: Pairs) -> list[Ref[R]]:
        """Put many calls, given as pairs of args and kwargs, into the queue in one transaction: all or none."""
        return self._sender.send_calls(self, checked_pairs(self.name, calls), NOTHING_ASKED)

    def enqueue_as(self, delivery: Delivery, calls: Pairs) -> list[Ref[R]]:
        """Put calls into the queue as `delivery` says: what `using(...)` and calls come to."""
        return self._sender.send_calls(self, calls, delivery)

    async def aenqueue_as(self, delivery: Delivery, calls: Pairs) -> list[Ref[R]]:
        """As `enqueue_as`, for coroutines."""
        return await self._sender.send_calls_async(self, calls, delivery)

    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """Return a call as a value, for `app.enqueue`, `app.chain`, `app.group` and `app.enqueue_in`.

        Nothing is enqueued before `call.enqueue()`.
        """
        return Call(self, args, kwargs, NOTHING_ASKED)

    def map(self, items: Iterable[Any]) -> list[Call[R]]:
        """Return a call for each item, its only argument: `app.enqueue(*task.map(ids))`, or `app.group(...)`."""
        return [Call(self, (item,), {}, NOTHING_ASKED) for item in iterated(self.name, items)]

    def using(  # noqa: PLR0913 - by name only, each one thing that a call may ask for
        self,
        *,
        queue: str | None = None,
        delay_s: float | timedelta = 0.0,
        at: datetime | None = None,
        priority: int | None = None,
        expires_s: float | timedelta | None = None,
        headers: Mapping[str, str] | None = None,
        unique: Unique | Key | None = None,
        debounce_s: float | timedelta = 0.0,
        retry: Retry | None = None,
        timeout_s: float | timedelta | None = None,
        result_ttl_s: float | timedelta | None = None,
        immediately: bool = False,
    ) -> Prepared[P, R]:
        """Return the task prepared to be enqueued in another queue, later, sooner than others, in time, or once.

        `at` is a datetime with a time zone, one that is past means at once. What is not said is as the task's options
        say; `headers` are added to those. `[queues.NAME]` has the last word on `retry`, `timeout_s`, `result_ttl_s`.
        `immediately` passes by every outbox: sent now, whatever becomes of the request or task that enqueues it.
        """
        delivery = delivery_of(
            f"task {self.name}",
            queue=queue,
            delay_s=delay_s,
            at=at,
            priority=priority,
            expires_s=expires_s,
            headers=headers,
            unique=unique,
            debounce_s=debounce_s,
            retry=retry,
            timeout_s=timeout_s,
            result_ttl_s=result_ttl_s,
            immediately=immediately,
        )
        return Prepared(self, delivery)


class Prepared(Generic[P, R]):
    """A task with a delivery: what `task.using(...)` returns."""

    def __init__(self, task: Task[P, R], delivery: Delivery) -> None:
        self._task = task
        self._delivery = delivery

    def enqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> Ref[R]:
        """As `Task.enqueue`."""
        return self._task.enqueue_as(self._delivery, [(args, kwargs)])[0]

    async def aenqueue(self, /, *args: P.args, **kwargs: P.kwargs) -> Ref[R]:
        """As `Task.aenqueue`."""
        return (await self._task.aenqueue_as(self._delivery, [(args, kwargs)]))[0]

    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """As `Task.call`."""
        return Call(self._task, args, kwargs, self._delivery)

    def enqueue_many(self, calls: Pairs) -> list[Ref[R]]:
        """As `Task.enqueue_many`."""
        return self._task.enqueue_as(self._delivery, checked_pairs(self._task.name, calls))


class AsyncTask(Task[P, R]):
    """A task whose function is a coroutine: consumers run it in an event loop, and a plain call of it is awaited."""

    is_coroutine: bool = True

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:  # type: ignore[override]  # awaited
        return super().__call__(*args, **kwargs)  # type: ignore[return-value]  # R is what comes of awaiting it


def is_coroutine_function(function: Callable[..., object]) -> bool:
    """Tell whether a call of it returns a coroutine, as far as can be seen."""
    return bool(code_flags(function) & _COROUTINE)


def _refuse_what_a_call_does_not_run(name: str, function: Callable[..., object], may_be_coroutine: bool) -> None:
    if code_flags(function) & _GENERATOR:
        raise UsageError(f"task {name}: a call of a generator function runs nothing: make it a plain function")
    if is_coroutine_function(function) and not may_be_coroutine:
        raise UsageError(f"task {name}: a batch task cannot be a coroutine: make it a plain function")


def code_flags(function: object) -> int:
    """Return those of the code that a call runs: of a partial its function's, of an object its class's `__call__`."""
    while isinstance(function, partial):
        function = function.func
    called = function if hasattr(function, "__code__") else vars(type(function)).get("__call__")
    return int(getattr(getattr(called, "__code__", None), "co_flags", 0))


def _callback(name: str, given: Callable[..., object] | None) -> Task[..., Any] | None:
    if given is not None and not isinstance(given, Task):
        raise UsageError(f"task {name}: on_failure = {given!r}: must be a task, put @app.task above it")
    return given


def name_of(function: Callable[..., object]) -> str:
    """Return the dotted name by which consumers find the callable again, `shop.tasks.send_mail`.

    Raises UsageError for a callable that no import can reach.
    """
    qualified = getattr(function, "__qualname__", "")
    if not qualified or "<" in qualified or not getattr(function, "__module__", None):
        raise UsageError(
            f"{function!r} cannot be a task: it must be a function at the top of a module, so that consumers find it"
        )
    return f"{module_name(function.__module__)}.{qualified}"
