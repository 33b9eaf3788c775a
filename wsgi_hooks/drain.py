"""Work after the response: decide, take the inline slot without waiting, work, leave no trace in the response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq import events
from cronq.host.log import EventLog
from cronq.interruptions import is_interruption
from cronq.runtime.inline_drain import has_work, is_held, work
from cronq.supervisor import slots
from cronq.supervisor.inline_decision import Facts, decide
from wsgi_hooks.servers import server_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cronq.app import App

GROUP = "inline"


def drain_after(
    app: App,
    environ: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    is_page_view: Callable[[], bool],
    enqueued: int,
    elapsed_s: float,
) -> None:
    """Work on the inline queues as far as it is this process's turn. Errors go to the event log, never further."""
    try:
        _listen(app)
        server = server_of(environ)
        app.state.prepare()
        facts = Facts(
            is_attended=False,
            is_held=is_held(app),
            is_page_view=is_page_view(),
            enqueued=enqueued,
            elapsed_s=elapsed_s,
            answers_early=server.answers_early(environ, headers),
        )
        decision = decide(facts, app.settings.inline)
        if decision.is_nothing or not has_work(app):
            return
        slot = slots.take(app.state, GROUP, app.settings.inline.max_processes)
        if slot is None:
            return
        try:
            server.finish(environ)
            work(app, slot, decision)
        finally:
            slot.leave("the request is over")
    except BaseException as error:  # the visitor has an answer already; whatever fails here is for the log
        if is_interruption(error):  # the server ends its worker
            raise
        events.emit("trouble", error=error)


def _listen(app: App) -> None:
    """Have events of this process logged, once."""
    if not any(isinstance(listener, EventLog) and listener.path == app.state.log for listener in events.listeners):
        events.listeners.append(EventLog(app.state.log, "web"))
