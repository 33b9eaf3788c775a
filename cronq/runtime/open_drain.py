"""Work on a developer's machine: everything that is ready, in the web server's process, where it can be seen.

No consumer is started, whose code would be that of its start, and whose errors would be in a file. On Linux the work is
done in a slot as all work is, so that ticks and consumers beside it run nothing twice. Elsewhere there are none.
"""

from __future__ import annotations

import sys
import traceback
from _thread import allocate_lock
from typing import TYPE_CHECKING, Any

from cronq import events
from cronq.consumer.batch_size import BatchSize
from cronq.consumer.lifetime import Leaving
from cronq.consumer.limits import TimeLimit
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.rest import NoRest
from cronq.consumer.runner import Runner
from cronq.consumer.tally import Tally
from cronq.escape import escaped, escaped_lines
from cronq.host.event_words import words_for
from cronq.host.process import HAS_CONSUMERS, identity
from cronq.runtime.crew import lapse_s, stops_of
from cronq.supervisor import overdue_list, slots
from cronq.supervisor.rescue import find_dead, rescue
from cronq.tasks.context import Workplace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cronq.app.application import App
    from cronq.consumer.post import Post
    from cronq.messages.holder import Holder

GROUP = "inline"
MOST = 16  # processes of a development server that work at the same time
_TOLD = frozenset({"released", "failed", "ended_once", "trouble", "left_for_newer_code", "timed_out", "rescued"})

_turn = allocate_lock()
_wanted: list[None] = []
"""Not empty: somebody has enqueued since the thread that works last began to look."""
_rescued: set[str] = set()
"""State directories in which this process has taken back what dead ones had reserved, where there are no slots."""


def work_in_the_open(app: App) -> None:
    """Run what is ready in all queues, for `[inline] time_limit` at most; what goes wrong is told on stderr.

    One thread of a process works; another that comes meanwhile has it look once more, and leaves. It must not wait: the
    task that runs may be waiting for its answer.
    """
    _wanted.append(None)
    while _wanted and _turn.acquire(blocking=False):
        events.listeners.append(_tell)
        try:
            while _wanted:
                _wanted.clear()
                _work(app)
        finally:
            events.listeners.remove(_tell)
            _turn.release()


def queues_of(app: App) -> tuple[str, ...]:
    """Return all queues that messages may be taken from: those of the configuration first, in its order."""
    settings = app.settings
    served = [queue for group in settings.groups for queue in group.queues]
    waiting = [one.queue for one in app.transport.counts()]
    return settings.unpaused(tuple(dict.fromkeys([*served, *settings.inline.queues, *settings.queues, *waiting])))


def _work(app: App) -> None:
    queues = queues_of(app)
    if not app.transport.depth(queues, 1) and not app.transport.held():
        return
    if HAS_CONSUMERS:
        _work_in_slot(app, queues)
    else:
        _work_alone(app, queues)


def _work_in_slot(app: App, queues: Sequence[str]) -> None:
    slot = slots.take(app.state, GROUP, MOST)
    if slot is None:
        return
    try:
        seen = {one.name: one for one in slots.survey(app.state)}
        seen[slot.name] = slots.Seen(slot.name, None, slot.previous)  # as in inline_drain: it counts as free
        _rescue(app, seen)
        slot.begin(queues, app.clock.monotonic() + app.settings.inline.time_limit_s, slots.CONSUMING)
        _run(app, slot, slot.identity, queues)
    finally:
        slot.leave("nothing is left to do")


def _work_alone(app: App, queues: Sequence[str]) -> None:
    """Work where no lock tells who lives. What is reserved when a server has just started, its predecessor had."""
    if app.state.path not in _rescued:
        _rescued.add(app.state.path)
        _rescue(app, {})
    here = identity(f"{GROUP}.0")
    _run(app, _Unnoted(here), here, queues)


class _Unnoted:
    """A post that nobody looks at."""

    def __init__(self, identity: Holder) -> None:
        self.holder = str(identity)

    def note(self, position: int, must_end: float | None = None) -> None:
        """Nobody would read it."""

    def note_idle(self, position: int) -> None:
        """Nobody would read it."""


def _rescue(app: App, seen: Mapping[str, slots.Seen]) -> None:
    held = app.transport.held()
    if held:
        rescue(app.transport, find_dead(held, seen, app.clock.now(), overdue_list.read(app.state)))


def _run(app: App, post: Post, identity: Holder, queues: Sequence[str]) -> None:
    """Run messages one after the other; isolated ones here as well, where a debugger reaches them."""
    ends_at = app.clock.monotonic() + app.settings.inline.time_limit_s
    workplace = Workplace(identity.slot, in_web_process=True, ends_at=ends_at)
    runner = Runner(app.runner_tasks(), app.clock, workplace=workplace, stops=stops_of(app, post.holder))
    runner.leave_to_newer_code(app.code)
    tally = Tally()
    conditions = Conditions(
        Leaving(tally, [TimeLimit(ends_at, app.clock)]),
        tally,
        NoRest(),
        app.clock,
        BatchSize(most=1),
        followed=app.enqueuer.announce,
    )
    duty = Duty(queues, lapse_s(app), True, (), app.definitions.rates())
    try:
        Consumer(app.transport, runner, duty, post, conditions).run()
    finally:
        runner.close()


def _tell(name: str, facts: Mapping[str, Any]) -> None:
    """Write what went wrong to the terminal, an exception with its traceback."""
    if name not in _TOLD:
        return
    sys.stderr.write(f"cronq: {escaped(words_for(name, facts) or name)}\n")
    error = facts.get("error")
    if isinstance(error, BaseException):
        sys.stderr.write(escaped_lines("".join(traceback.format_exception(error))))
