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
from cronq.runtime.crew import lapse_s, stops_of
from cronq.supervisor import interval, overdue_list, slots
from cronq.supervisor.cleanup import tidy
from cronq.supervisor.rescue import find_dead, rescue
from cronq.supervisor.single_start import group_for, start_one
from cronq.supervisor.spawn import TwiceDetached
from cronq.supervisor.tick import Supervisor
from cronq.tasks.context import Workplace

if TYPE_CHECKING:
    from cronq.app.application import App
    from cronq.supervisor.inline_decision import Decision
    from cronq.supervisor.slots import Slot
    from cronq.tasks.task import Task

TICKS_ARE_GONE_S = 2 * 3600.0  # longer than any host's cron takes


def is_held(app: App) -> bool:
    """Tell whether a consumer holds a slot for one of the inline queues, whatever it is busy with."""
    wanted = set(app.settings.inline.queues)
    for seen in slots.survey(app.state):
        if seen.is_live and not seen.is_inline and (seen.live_note is None or wanted & set(seen.live_note.queues)):
            return True
    return False


def has_work(app: App) -> bool:
    """Tell whether something is ready, or reserved by somebody who may be dead."""
    return bool(app.transport.depth(app.settings.unpaused(app.settings.inline.queues), 1) or app.transport.held())


def work(app: App, slot: Slot, decision: Decision) -> None:
    """Carry a decision out in an inline slot: run messages, then start a consumer for what is left, or go on."""
    began = app.clock.monotonic()
    app.definitions.complete()
    _rescue_all(app, slot)
    slot.begin(app.settings.inline.queues, began + max(decision.budget_s, decision.fallback_s), slots.CONSUMING)
    drain = _Drain(app, slot, decision.messages)
    reason = drain.until(began + decision.budget_s)
    if decision.spawns and app.transport.depth(app.settings.unpaused(app.settings.inline.queues), 1):
        if _start_consumer(app):
            reason = "a consumer was started for the rest"
        else:
            reason = drain.until(began + decision.fallback_s)
    done = drain.tally
    emit("inline", messages=done.messages, failures=done.failures, reason=reason)
    _tidy_without_cron(app)


def _tidy_without_cron(app: App) -> None:
    """Do what the tick does for the size of the state directory, where no tick has come for long."""
    times = interval.read(app.state.ticks)
    if not times or app.clock.now() - times[-1] > TICKS_ARE_GONE_S:
        tidy(app.settings, app.state, app.transport, app.clock)


class _Drain:
    """Runs messages until the queues are empty, the time is over, or as many were run as the request may run.

    It can be continued: positions go on rising, as the note in the slot needs.
    """

    def __init__(self, app: App, slot: Slot, messages: int | None) -> None:
        self._app = app
        self._slot = slot
        self._messages = messages
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
        duty = Duty(inline_queues(app.settings), lapse_s(app), True, _unfit(app, left_s), app.definitions.rates())
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


def _start_consumer(app: App) -> bool:
    group = group_for(app.settings, app.settings.inline.queues)
    if group is None or app.settings.path is None:
        return False  # a consumer of its own process could not know this configuration
    supervisor = Supervisor(app.settings, app.state, app.transport, app.clock, TwiceDetached(), os.environ)
    try:
        started = start_one(supervisor, group)
    except (ConfigError, OSError) as error:  # no interpreter, or a host whose policy lets a web process start none
        emit("trouble", error=error)
        return False
    if started:
        emit("inline_spawned", target=group.name)
    return started
