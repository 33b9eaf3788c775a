"""The WSGI middleware: an outbox around every request, and work after the response when no consumer lives."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from cronq.host.marks import oldest_age_s
from cronq.messages.outbox import Outbox
from wsgi_hooks.body import close, closing, wrapped_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cronq.app import App

    Environ = dict[str, Any]
    WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
    PageView = Callable[[Environ, dict[str, str]], bool]


def is_page_view(environ: Environ, headers: dict[str, str]) -> bool:
    """Tell whether a person looks at a page: a GET that was answered with HTML. `headers` are in lower case."""
    return environ.get("REQUEST_METHOD") == "GET" and headers.get("content-type", "").startswith("text/html")


class CronqMiddleware:
    """Wraps a WSGI application: `application = CronqMiddleware(application, app)`.

    Messages enqueued by a request are sent together when it succeeds and dropped when it fails (an exception, or a
    5xx status). After the response, if no consumer has looked at the queues for the grace period, this process
    works on them as `[inline]` allows. Requests that are no page views (`page_view`) only work on as many messages
    as they enqueued. While consumers live, or where `[inline]` is off, a request gets its outbox, and its response is
    left as it is.
    """

    def __init__(self, application: WSGIApplication, app: App, page_view: PageView = is_page_view) -> None:
        self._application = application
        self._app = app
        self._send = app.enqueuer.send
        self._installation = app.installation
        self._arounds = app.hooks.request_arounds
        self._page_view = page_view
        self._marks = [app.state.alive(queue) for queue in app.settings.inline.queues]
        self._attended_until = 0.0

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.monotonic()
        request = _Request().open(self._send)
        request.begin = start_response
        if began < self._attended_until or self._installation.settings.inline.mode == "off":
            return self._answer(environ, request)
        return self._answer_and_work(environ, request, began)

    def _answer(self, environ: Environ, request: _Request) -> Iterable[bytes]:
        """Call the application, and settle the outbox of the request when it returns."""
        application = self._within if self._arounds else self._application
        try:
            body = application(environ, request.start_response)
        except BaseException:
            request.drop()
            raise
        finally:
            request.close()
        if request.messages:
            try:
                request.settle(request.has_failed())
            except BaseException:
                close(body)  # the server will never see it
                raise
        return body

    def _answer_and_work(self, environ: Environ, request: _Request, began: float) -> Iterable[bytes]:
        """Work when the response is over, if nobody else does by then."""
        over = partial(self._after, environ, request, began)
        with wrapped_files(environ, over) as files:
            body = self._answer(environ, request)
        if files.is_sent_as(body):
            return body
        files.disarm()
        return closing(body, over)

    def _within(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Call the application inside what `@app.around_request` registered."""
        with ExitStack() as stack:
            for around in self._arounds:
                stack.enter_context(around(environ))
            return self._application(environ, start_response)

    def _after(self, environ: Environ, request: _Request, began: float) -> None:
        """Work, if it is on this process to do so. Nothing in here reaches the response."""
        if self._installation.settings.inline.mode == "off" or not self._marks or self.is_attended():
            return
        from wsgi_hooks.drain import drain_after

        headers = {name.lower(): value for name, value in getattr(request, "headers", ())}
        drain_after(
            self._app,
            environ,
            headers,
            is_page_view=partial(self._page_view, environ, headers),
            enqueued=len(request.messages),
            elapsed_s=time.monotonic() - began,
        )

    def is_attended(self) -> bool:
        """Tell whether a consumer looked at every inline queue within the grace period.

        What the marks say stays true until the oldest of them has reached that age, so they are not asked before.
        """
        now = time.monotonic()
        if now < self._attended_until:
            return True
        age_s = oldest_age_s(self._marks, time.time())
        if age_s is None or age_s >= self._installation.settings.inline.grace_period_s:
            return False
        self._attended_until = now + self._installation.settings.inline.grace_period_s - age_s
        return True


class _Request(Outbox):
    """The outbox of one request, which listens how the response begins.

    One object for both, and no `*exc_info`: this is all that a request pays for while consumers live.
    """

    __slots__ = ("begin", "headers", "status")

    begin: Callable[..., Any]  # the server's start_response
    headers: list[tuple[str, str]]
    status: str

    def has_failed(self) -> bool:
        """Tell whether the response says so. Before it begins, which a generator may put off, nothing does."""
        return getattr(self, "status", "").startswith("5")

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        self.status = status
        self.headers = headers
        return self.begin(status, headers) if exc_info is None else self.begin(status, headers, exc_info)
