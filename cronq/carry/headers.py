"""What a message carries from where it is enqueued to where it runs: a user, a language, a request id, a trace.

Each function here is called once, beside the App. What it names becomes a header of every message, and is there again
while the task runs, also for what that task enqueues. A header given by hand (`task.using(headers=...)`) wins.
A message without the header (a schedule's, an older one) runs with the default, whatever its process did before.
"""

from __future__ import annotations

import contextvars
import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cronq.carry.trace_context import Trace
from cronq.messages.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from cronq.app import App
    from cronq.tasks.context import Context

T = TypeVar("T")

request_id: ContextVar[str | None] = ContextVar("cronq_request_id", default=None)
current_trace: ContextVar[Trace | None] = ContextVar("cronq_trace", default=None)

_REQUEST_ID = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


def value(
    app: App,
    header: str,
    read: Callable[[], str | None],
    within: Callable[[str | None], AbstractContextManager[object]],
) -> None:
    """Carry what `read()` returns when something is enqueued; the task runs in `within(value)`.

    `within` gets None for a message without the header: it decides what holds then. What it raises fails the attempt,
    so that a value which is not what it should be is refused: raise `GiveUp`.
    """

    @app.before_enqueue
    def add(headers: dict[str, str]) -> None:
        if header not in headers:
            found = read()
            if found is not None:
                headers[header] = found

    @app.around
    def restore(context: Context) -> AbstractContextManager[object]:
        return within(context.headers.get(header))


def variable(
    app: App,
    carried: ContextVar[T],
    *,
    header: str | None = None,
    to_text: Callable[[T], str] = str,
    from_text: Callable[[str], T] = cast("Callable[[str], T]", str),  # noqa: B008 - a name for str, made once
) -> None:
    """Carry a context variable, under its own name or as `header`. None is not carried.

    Without the header the variable has its own default, or None when it has none.
    """
    default = _default_of(carried)

    def read() -> str | None:
        found = carried.get(None)
        return None if found is None else to_text(found)

    @contextmanager
    def within(text: str | None) -> Iterator[None]:
        token = carried.set(default if text is None else from_text(text))
        try:
            yield
        finally:
            carried.reset(token)

    value(app, header or carried.name, read, within)


def _default_of(carried: ContextVar[T]) -> T:
    try:
        return contextvars.Context().run(carried.get)  # where nobody has set it
    except LookupError:
        return cast("T", None)


def request_ids(app: App) -> None:
    """Carry `carry.request_id`: under the middleware X-Request-ID, or a new id where a request brings none."""

    @app.around_request
    @contextmanager
    def begin(environ: Mapping[str, Any]) -> Iterator[None]:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        token = request_id.set(given if _REQUEST_ID.fullmatch(given) else new_id())
        try:
            yield
        finally:
            request_id.reset(token)

    variable(app, request_id, header="request_id")


def trace(app: App) -> None:
    """Carry the W3C trace context: every message, and every attempt at it, is a span of its enqueuer's trace.

    `carry.current_trace` has the span; the middleware takes it over from the request. Where nothing has begun a
    trace, a message does. A project that has imported OpenTelemetry gets that one's context carried instead, by its
    own propagators, and a span around every task.
    """

    @app.around_request
    def begin(environ: Mapping[str, Any]) -> AbstractContextManager[None]:
        names = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}
        received = Trace.read({name: environ.get(key, "") for name, key in names.items()})
        return _spanning(received.child() if received else Trace.begin())

    @app.before_enqueue
    def add(headers: dict[str, str]) -> None:
        if "traceparent" in headers:
            return
        theirs = _telemetry()
        if theirs is not None:
            theirs.inject(headers)
        else:
            headers.update((current_trace.get() or Trace.begin()).child().headers())

    @app.around
    @contextmanager
    def restore(context: Context) -> Iterator[None]:
        theirs = _telemetry()
        if theirs is not None:
            with theirs.spanning(context.task, context.headers) as span, _spanning(span):
                yield
            return
        received = Trace.read(context.headers)
        with _spanning(received.child() if received else Trace.begin()):
            yield


@contextmanager
def _spanning(span: Trace | None) -> Iterator[None]:
    token = current_trace.set(span)
    try:
        yield
    finally:
        current_trace.reset(token)


def _telemetry() -> Any:
    """Return our bridge to OpenTelemetry if the project uses that, without importing it for those who do not."""
    import sys

    if "opentelemetry.trace" not in sys.modules:
        return None
    from cronq.carry import telemetry

    return telemetry
