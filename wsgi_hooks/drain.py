"""Work after the response: decide, take the inline slot without waiting, work, leave no trace in the response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cronq import events
from cronq.host.log import EventLog
from cronq.interruptions import is_interruption
from cronq.runtime.inline_drain import has_work, rescue_dead, start_consumer, work
from cronq.supervisor import slots
from cronq.supervisor.inline_decision import Facts, decide
from cronq.supervisor.tick import paused_until
from cronq.tasks.unrun import refuse_unrun_hook
from wsgi_hooks.servers import server_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cronq.app import App
    from wsgi_hooks.lookout import Look

GROUP = "inline"


class Visit(NamedTuple):
    """A request that is over, what a look found then, and what it put into which queues.

    `is_outdated`: this process has loaded its code before it was changed, or before everybody was told to leave.
    """

    environ: Mapping[str, Any]
    headers: Mapping[str, str]
    found: Look
    queues: frozenset[str]
    enqueued: int
    elapsed_s: float
    is_outdated: bool


def drain_after(app: App, visit: Visit, is_page_view: Callable[[], bool]) -> None:
    """See to it that what waits is worked on, as far as it is this process's turn.

    Errors go to the event log, never further.
    """
    try:
        listen(app)
        app.state.prepare()
        if app.clock.now() < paused_until(app.state):
            return
        if visit.found.dead:
            rescue_dead(app)
        _work(app, visit, is_page_view)
        busy = visit.found.busy & visit.queues
        if busy:
            start_consumer(app, [queue for queue in app.settings.inline.queues if queue in busy])
    except BaseException as error:  # the visitor has an answer already; whatever fails here is for the log
        if is_interruption(error):  # the server ends its worker
            raise
        events.emit("trouble", error=error)


def _work(app: App, visit: Visit, is_page_view: Callable[[], bool]) -> None:
    server, answer = server_of(visit.environ), is_page_view()
    refuse_unrun_hook("page_view", is_page_view, answer)
    facts = Facts(
        queues=visit.found.unattended,
        is_page_view=answer,
        enqueued=visit.enqueued,
        elapsed_s=visit.elapsed_s,
        answers_early=server.answers_early(visit.environ, visit.headers),
        is_outdated=visit.is_outdated,
    )
    decision = decide(facts, app.settings.inline)
    if decision.is_nothing or not has_work(app, decision.queues):
        return
    slot = slots.take(app.state, GROUP, app.settings.inline.max_processes)
    if slot is None:
        return
    try:
        server.finish(visit.environ)
        work(app, slot, decision)
    finally:
        slot.leave("the request is over")


def listen(app: App) -> None:
    """Have events of this process logged, once."""
    if not any(isinstance(listener, EventLog) and listener.path == app.state.log for listener in events.listeners):
        events.listeners.append(EventLog(app.state.log, "web"))
