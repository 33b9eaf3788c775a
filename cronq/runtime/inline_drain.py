"""Working on the queues inside a process that has something else to do: a web server's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cronq.consumer import run_times
from cronq.consumer.batch_size import BatchSize
from cronq.consumer.isolation_choice import inline_queues
from cronq.consumer.lifetime import Leaving
from cronq.consumer.limits import Limit, MemoryLimit, MessageLimit, TimeLimit
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.rest import NoRest
from cronq.consumer.runner import Runner
from cronq.consumer.tally import Tally
from cronq.errors import ConfigError
from cronq.events import emit
from cronq.host.process import memory_mb
from cronq.host.state_dir import read_text
from cronq.messages.message import State
from cronq.runtime.crew import lapse_s, stops_of
from cronq.runtime.run_time_notes import remember
from cronq.supervisor import interval, overdue_list, slots, unserved
from cronq.supervisor.cleanup import tidy
from cronq.supervisor.permission import may_start
from cronq.supervisor.replay import is_waiting, look_after
from cronq.supervisor.rescue import find_dead, rescue
from cronq.supervisor.single_start import start_for
from cronq.supervisor.spawn import TwiceDetached
from cronq.supervisor.tick import Supervisor
from cronq.tasks.context import Workplace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app.application import App
    from cronq.messages.message import Message
    from cronq.supervisor.inline_decision import Decision
    from cronq.supervisor.slots import Slot
    from cronq.tasks.task import Task

TICKS_ARE_GONE_S = 2 * 3600.0  # longer than any host's cron takes


def has_work(app: App, queues: Sequence[str]) -> bool:
    """Tell whether something is ready in these queues, or in the spool, or is reserved by somebody who may be dead."""
    if app.settings.spool and is_waiting(app.installation):
        return True
    return bool(_ready(app, queues) or app.transport.held())


def rescue_dead(app: App) -> None:
    """Take back what dead consumers had reserved, and wake who may run it."""
    held = app.transport.held()
    if not held:
        return
    seen = {one.name: one for one in slots.survey(app.state)}
    rescue(app.transport, find_dead(held, seen, app.clock.now(), overdue_list.read(app.state)))
    app.enqueuer.wake(app.settings.inline.queues)


def work(app: App, slot: Slot, decision: Decision) -> None:
    """Carry a decision out in an inline slot: run messages, then start a consumer for what is left, or go on."""
    began = app.clock.monotonic()
    app.definitions.complete()
    _rescue_all(app, slot)
    if app.settings.spool:
        look_after(app.installation)
    slot.begin(decision.queues, began + max(decision.budget_s, decision.fallback_s), slots.CONSUMING)
    drain = _Drain(app, slot, decision)
    reason = drain.until(began + decision.budget_s)
    if _ready(app, decision.queues):
        if decision.spawns and start_consumer(app, decision.queues):
            reason = "a consumer was started for the rest"
        else:
            reason = drain.until(began + decision.fallback_s) if decision.spawns else reason
            _tell_what_waits(app, decision.queues)
    done = drain.tally
    emit("inline", messages=done.messages, failures=done.failures, reason=reason)
    _tidy_without_cron(app)


def _ready(app: App, queues: Sequence[str]) -> int:
    return app.transport.depth(app.settings.unpaused(tuple(queues)), 1)


def _tell_what_waits(app: App, queues: Sequence[str]) -> None:
    """Say which tasks wait for a consumer that cannot be had: they take longer than a web process may work."""
    if not _ready(app, queues):
        return
    waiting, limit_s = {one.task for queue in queues for one in _next_of(app, queue)}, app.settings.inline.time_limit_s
    too_long = sorted(waiting.intersection(_unfit(app, limit_s)))
    if too_long:
        emit("unserved", tasks=too_long, limit_s=limit_s)
        unserved.note(app.state, app.clock.now(), limit_s, too_long)


def _next_of(app: App, queue: str) -> list[Message]:
    return [record.message for record in app.transport.browse(State.READY, queue)]


def _tidy_without_cron(app: App) -> None:
    """Do what the tick does for the size of the state directory, where no tick has come for long."""
    times = interval.read(app.state.ticks)
    if not times or app.clock.now() - times[-1] > TICKS_ARE_GONE_S:
        tidy(app.settings, app.state, app.transport, app.clock)


class _Drain:
    """Runs messages until the queues are empty, the time is over, or as many were run as the request may run.

    It can be continued: positions go on rising, as the note in the slot needs.
    """

    def __init__(self, app: App, slot: Slot, decision: Decision) -> None:
        self._app = app
        self._slot = slot
        self._queues = decision.queues
        self._messages = decision.messages
        self._position = 1
        self.tally = Tally()

    def until(self, deadline: float) -> str:
        """Run messages until `deadline` (monotonic seconds) at most; return why it ended."""
        left_s = deadline - self._app.clock.monotonic()
        if left_s <= 0:
            return "no time left"
        runner = self._runner(deadline)
        consumer = self._consumer(runner, deadline, left_s)
        try:
            return consumer.run()
        finally:
            self._position = consumer.position
            remember(self._app.state, runner.durations)
            runner.close()

    def _runner(self, deadline: float) -> Runner:
        stops = stops_of(self._app, self._slot.holder)
        workplace = Workplace(self._slot.name, in_web_process=True, ends_at=deadline)
        runner = Runner(self._app.runner_tasks(), self._app.clock, workplace=workplace, stops=stops)
        runner.leave_to_newer_code(self._app.code)
        return runner

    def _consumer(self, runner: Runner, deadline: float, left_s: float) -> Consumer:
        app, inline = self._app, self._app.settings.inline
        limits: list[Limit] = [
            TimeLimit(deadline, app.clock),
            MemoryLimit(inline.memory_limit_mb, memory_mb, app.clock),
        ]
        if self._messages is not None:
            limits.append(MessageLimit(self._messages))
        conditions = Conditions(
            Leaving(self.tally, limits),
            self.tally,
            NoRest(),
            app.clock,
            BatchSize(most=1),
            followed=app.enqueuer.announce,
            first_position=self._position,
        )
        duty = Duty(
            inline_queues(app.settings, self._queues), lapse_s(app), True, _unfit(app, left_s), app.definitions.rates()
        )
        return Consumer(app.transport, runner, duty, self._slot, conditions)


def _unfit(app: App, left_s: float) -> list[str]:
    """Return the tasks that must not run here: `inline=False`, isolated, or known to take longer than is left."""
    known = run_times.from_text(read_text(app.state.durations) or "")
    return [task.name for task in app.registry if _is_for_consumers(task) or known.get(task.name, 0.0) > left_s]


def _is_for_consumers(task: Task[..., Any]) -> bool:
    return task.options.isolated or not task.options.inline


def _rescue_all(app: App, slot: Slot) -> None:
    """Take back what the dead left. Without cron there is no tick that would.

    Our own slot counts as free, with what its last holder noted: that may have been this process, after an earlier
    request, and what it could not write down then must not be judged by what is noted from now on.
    """
    held = app.transport.held()
    if held:
        seen = {one.name: one for one in slots.survey(app.state)}
        seen[slot.name] = slots.Seen(slot.name, None, slot.previous)
        rescue(app.transport, find_dead(held, seen, app.clock.now(), overdue_list.read(app.state)))


def start_consumer(app: App, queues: Sequence[str]) -> bool:
    """Start one consumer for some queues; tell whether one was started, or is about to be there."""
    supervisor = Supervisor(app.settings, app.state, app.transport, app.clock, TwiceDetached(), os.environ)
    try:
        return start_for(supervisor, queues, may_start)
    except (ConfigError, OSError) as error:  # no interpreter, or a host whose policy lets a web process start none
        emit("trouble", error=error)
        return False
