"""The WSGI middleware: an outbox around every request, and work after the response when no consumer lives."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from cronq import events
from cronq.app.project_hooks import checked
from cronq.consumer.lifetime import ChangedFiles
from cronq.errors import CronqError
from cronq.messages.outbox import Outbox
from cronq.supervisor.code_marks import watched_files
from wsgi_hooks.body import close, closing, wrapped_files
from wsgi_hooks.development import is_development
from wsgi_hooks.lookout import Lookout

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
    5xx status). After the response this process works on the queues that no consumer looks after, as `[inline]`
    allows. Requests that are no page views (`page_view`) only work on as many messages as they enqueued. While
    consumers live, or where `[inline]` is off, a request gets its outbox, and its response is left as it is. On a
    developer's machine (`dev`) this process does all the work, whoever lives.
    """

    def __init__(self, application: WSGIApplication, app: App, page_view: PageView = is_page_view) -> None:
        self._application = application
        self._app = app
        self._send = app.enqueuer.send
        self._installation = app.installation
        self._arounds = app.hooks.request_arounds
        self._page_view = checked("page_view", page_view)
        self._lookout = Lookout(app.installation)
        self._code = ChangedFiles(watched_files(app.settings, app.state), app.clock)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.monotonic()
        request = _Request().open(self._send)
        request.begin = start_response
        if began >= self._lookout.calm_until and (not self._is_off() or self._is_development()):
            return self._answer_and_work(environ, request, began)
        body = self._answer(environ, request)
        if request.messages and self._is_called_for(request):  # they cannot wait for the next look
            return closing(body, partial(self._after, environ, request, began))
        return body

    def _is_called_for(self, request: _Request) -> bool:
        return not self._is_off() and self._lookout.look().calls_for(request.queues())

    def _is_off(self) -> bool:
        return self._installation.settings.inline.mode == "off"

    def _is_development(self) -> bool:
        return is_development(self._app, self._application)

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
        if self._is_development():
            from wsgi_hooks.development import work_after

            work_after(self._app, environ)
            return
        if self._is_off():
            return
        try:
            found = self._lookout.look()
        except CronqError as error:
            events.emit("trouble", error=error)
            return
        if found.is_calm and not found.calls_for(request.queues()):
            return
        from wsgi_hooks.drain import Visit, drain_after

        headers = {name.lower(): value for name, value in getattr(request, "headers", ())}
        visit = Visit(
            environ,
            headers,
            found,
            request.queues(),
            enqueued=len(request.messages),
            elapsed_s=time.monotonic() - began,
            is_outdated=self._code.changed() is not None,
        )
        drain_after(self._app, visit, partial(self._page_view, environ, headers))
        self._lookout.bury(found.dead)


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

    def queues(self) -> frozenset[str]:
        """Return the queues of what the request enqueued."""
        return frozenset(message.queue for message in self.messages)

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        self.status = status
        self.headers = headers
        return self.begin(status, headers) if exc_info is None else self.begin(status, headers, exc_info)
