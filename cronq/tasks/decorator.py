"""How a function becomes a task, as type checkers see it: `@app.task`, `@app.handler`, and what they take.

What a task's callers pass is what its function takes without the Context, which is filled in where it runs: a leading
`context: Context` is left out, and one with a default (`context: Context = CURRENT`) need not be passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypedDict, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Unpack

    from cronq.tasks.context import Context
    from cronq.tasks.label import Label
    from cronq.tasks.retry import Retry
    from cronq.tasks.task import AsyncTask, Task
    from cronq.tasks.terms import Key, MaxRunning, Unique

P = ParamSpec("P")
R = TypeVar("R")


class TaskOptions(TypedDict, total=False):
    """What may be said of a task; see `Options`."""

    queue: str | Sequence[str] | None
    retry: Retry
    timeout_s: float | timedelta | None
    inline: bool
    ack_first: bool
    result_ttl_s: float | timedelta
    on_failure: Task[..., Any] | None
    isolated: bool
    memory_mb: int | str | None
    capture_output: bool
    unique: Unique | Key | None
    debounce_s: float | timedelta
    max_running: MaxRunning | int | None
    rate: str | None
    label: Label | None
    priority: int
    expires_s: float | timedelta | None
    headers: Mapping[str, str] | None


class DeliveryOptions(TypedDict, total=False):
    """What may be said of one enqueueing; see `Task.using`."""

    queue: str | None
    delay_s: float | timedelta
    at: datetime | None
    priority: int | None
    expires_s: float | timedelta | None
    headers: Mapping[str, str] | None
    unique: Unique | Key | None
    debounce_s: float | timedelta
    retry: Retry | None
    timeout_s: float | timedelta | None
    result_ttl_s: float | timedelta | None
    immediately: bool


class _Anything:
    """Only a parameter without a type, or one that takes anything, takes this: then the Context cannot be told."""


class TaskMaker(Protocol):
    """What `@app.task(...)` returns: it makes a function a task."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[_Anything, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[..., R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[_Anything, P], R], /) -> Task[..., R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...


class TaskDecorator:
    """Makes functions tasks: `@app.task`, or with options `@app.task(queue="high", timeout_s=30)`."""

    def __init__(self, make: Callable[[Any, str | None, Mapping[str, Any]], Task[..., Any]]) -> None:
        self._make = make

    @overload
    def __call__(
        self, function: Callable[Concatenate[_Anything, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[..., R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[_Anything, P], R], /) -> Task[..., R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def __call__(self, /, *, name: str | None = None, **options: Unpack[TaskOptions]) -> TaskMaker: ...

    def __call__(self, function: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
        if function is not None:
            return self._make(function, name, options)
        return lambda function: self._make(function, name, options)
