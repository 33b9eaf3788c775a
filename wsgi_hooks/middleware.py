"""The WSGI middleware: an outbox around every request, and work after the response when no consumer lives."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cronq.app.outbox import Outbox
from cronq.host.marks import oldest_age_s
from wsgi_hooks.closing import FileWrapper, closing

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
    as they enqueued. While consumers live, none of that costs more than a look at the clock.
    """

    def __init__(self, application: WSGIApplication, app: App, page_view: PageView = is_page_view) -> None:
        self._application = application
        self._app = app
        self._page_view = page_view
        self._marks = [app.state.alive(queue) for queue in app.settings.inline.queues]
        self._is_off = not self._marks or app.settings.inline.mode == "off"
        self._attended_until = 0.0

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = _Request(self, environ, start_response)
        files = request.put_file_wrapper()
        outbox = Outbox(self._app.send)
        try:
            body = self._application(environ, request.start_response)
        except BaseException:
            outbox.drop()
            raise
        finally:
            outbox.close()
            request.restore_file_wrapper(files)
        request.enqueued = outbox.settle(request.has_failed())
        if files is not None:
            if body is files.made:
                return body
            files.disarm()
        return closing(body, request.over)

    def is_attended(self) -> bool:
        """Tell whether a consumer looked at every inline queue within the grace period.

        What the marks say stays true until the oldest of them has reached that age, so they are not asked before.
        """
        now = time.monotonic()
        if now < self._attended_until:
            return True
        age_s = oldest_age_s(self._marks, time.time())
        if age_s is None or age_s >= self._app.settings.inline.grace_period_s:
            return False
        self._attended_until = now + self._app.settings.inline.grace_period_s - age_s
        return True

    def after(self, request: _Request) -> None:
        """Work, if it is on this process to do so. Nothing in here reaches the response."""
        if self._is_off or self.is_attended():
            return
        from wsgi_hooks.drain import drain_after

        headers = {name.lower(): value for name, value in request.headers}
        drain_after(
            self._app,
            request.environ,
            headers,
            is_page_view=self._page_view(request.environ, headers),
            enqueued=request.enqueued,
            elapsed_s=time.monotonic() - request.began,
        )


class _Request:
    """What one request leaves behind for the time after its response."""

    __slots__ = ("_middleware", "_start_response", "began", "enqueued", "environ", "headers", "status")

    def __init__(self, middleware: CronqMiddleware, environ: Environ, start_response: Callable[..., Any]) -> None:
        self._middleware = middleware
        self._start_response = start_response
        self.environ = environ
        self.began = time.monotonic()
        self.enqueued = 0
        self.status = ""
        self.headers: list[tuple[str, str]] = []

    def start_response(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        self.status = status
        self.headers = headers
        return self._start_response(status, headers, *exc_info)

    def has_failed(self) -> bool:
        return self.status.startswith("5")

    def put_file_wrapper(self) -> FileWrapper | None:
        make = self.environ.get("wsgi.file_wrapper")
        if make is None:
            return None
        files = self.environ["wsgi.file_wrapper"] = FileWrapper(make, self.over)
        return files

    def restore_file_wrapper(self, files: FileWrapper | None) -> None:
        """Servers compare what they get back with their own class: they must find it where they put it."""
        if files is not None:
            self.environ["wsgi.file_wrapper"] = files.make

    def over(self) -> None:
        """The response is over."""
        self._middleware.after(self)
