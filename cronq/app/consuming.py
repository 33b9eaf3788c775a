"""Wiring a consumer to an app: for a process of its own, for `cronq drain`, and for work inside a web process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from cronq.consumer.alarm import Alarm
from cronq.consumer.attendance import Attendance, marks
from cronq.consumer.batch import BatchSize
from cronq.consumer.leaving import ChangedFiles, Leaving, Seldom, Signals
from cronq.consumer.limits import FailureLimit, IdleLimit, Limit, MemoryLimit, MessageLimit, Progress, TimeLimit
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.post import NoPost
from cronq.consumer.rest import Rest
from cronq.consumer.runner import Runner, Tasks, cause_of
from cronq.host.bell import Bells
from cronq.host.process import memory_mb
from cronq.message import Ack, Fail
from cronq.supervisor import interval, seats
from cronq.transports.base import Want

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app.application import App
    from cronq.config.settings import Group, Settings
    from cronq.consumer.durations import Durations
    from cronq.host.state_dir import StateDir
    from cronq.supervisor.slots import Slot
    from cronq.task import Task


class Crew(NamedTuple):
    """A consumer ready to run, with what its caller wants to know of it."""

    consumer: Consumer
    progress: Progress
    durations: Durations


def tasks_of(app: App) -> Tasks:
    """Return what a runner needs to know of the app."""

    def timeout_s(task: Task[..., Any], queue: str) -> float | None:
        configured = app.settings.queue(queue).timeout_s
        return task.options.timeout_s if configured is None else configured

    def result_ttl_s(task: Task[..., Any], queue: str) -> float:
        configured = app.settings.queue(queue).result_ttl_s
        return task.options.result_ttl_s if configured is None else configured

    return Tasks(app.registry.get, app.policy, timeout_s, result_ttl_s, app.arounds)


class Shift(NamedTuple):
    """One consumer's time in a slot: until `deadline` (monotonic seconds), or until one of the `watched` files changes.

    With `stop_when_empty` also until nothing is ready.
    """

    slot: Slot
    group: Group
    deadline: float
    watched: ChangedFiles
    stop_when_empty: bool = False


def make_consumer(app: App, shift: Shift, call_for_help: Callable[[], None]) -> Crew:
    """Return the consumer of a shift. For the main thread only: it listens to signals and sets an alarm."""
    slot, group, clock = shift.slot, shift.group, app.clock
    signals = Signals()
    signals.listen()
    bells = Bells([app.state.wake(queue) for queue in group.queues], signals.wake_descriptor)
    progress = Progress()
    leaving = Leaving(
        progress,
        [*limits_of(app, group, shift.deadline), *_idle_limit(app, slot, group)],
        [signals.reason, shift.watched.reason, Seldom(slot.reason_to_leave, clock).reason],
    )
    alarm = Alarm(clock)
    attendance = Attendance(marks([app.state.alive(queue) for queue in group.queues], clock), call_for_help, clock)
    conditions = Conditions(
        leaving,
        progress,
        Rest(bells, clock, group.sleep_s, shift.deadline),
        clock,
        BatchSize(*_batch_most(app, group)),
        attendance.looked,
        alarm.share_after,
    )
    runner = Runner(tasks_of(app), clock, alarm, lambda: leaving.reason() is not None, ends_at=shift.deadline)
    duty = Duty(group.queues, lapse_s(app), shift.stop_when_empty)
    consumer = Consumer(app.transport, runner, duty, slot, conditions)
    return Crew(consumer, progress, runner.durations)


def limits_of(app: App, group: Group, deadline: float) -> list[Limit]:
    """Return the limits of a group as objects."""
    limits: list[Limit] = [TimeLimit(deadline, app.clock)]
    if group.limit is not None:
        limits.append(MessageLimit(group.limit))
    if group.failure_limit is not None:
        limits.append(FailureLimit(group.failure_limit))
    if group.memory_limit_mb is not None:
        limits.append(MemoryLimit(group.memory_limit_mb, memory_mb, app.clock))
    return limits


def _idle_limit(app: App, slot: Slot, group: Group) -> list[Limit]:
    """Return the limit of consumers beyond their group's minimum: idle ones make room when the account is full."""
    if slot.seat is None or slot.number < group.autoscale.min:
        return []
    settings = app.settings
    return [IdleLimit(group.linger_s, lambda: seats.are_all_taken(app.state, settings.max_processes), app.clock)]


def lapse_s(app: App) -> float:
    """Return how long this host's reservations stand without a tick."""
    return interval.lapse_s(interval.current(app.state.ticks, app.settings.interval_s))


def run_here(app: App) -> None:
    """Run everything that is ready, here and now: what `sync://` does after every enqueue.

    An exception of a task reaches the caller, as that of a plain call would.
    """
    runner = Runner(tasks_of(app), app.clock, survives=())
    queues = sorted({counts.queue for counts in app.transport.counts()})
    while taken := app.transport.exchange(NoPost.holder, [], Want(queues, 0.0, 1, 1)).messages:
        call = runner.prepare(taken[0])
        if isinstance(call, Fail):
            app.transport.exchange(NoPost.holder, [call], None)
            continue
        try:
            outcome = runner.run(taken[0], call)
        except BaseException as error:
            cause = cause_of(error)
            failed = Fail(taken[0], f"{cause.error_class}: {cause.text}", cause)
            app.transport.exchange(NoPost.holder, [failed], None)
            raise
        if isinstance(outcome, Ack):
            app.transport.exchange(NoPost.holder, [outcome], None)


def _batch_most(app: App, group: Group) -> tuple[int, ...]:
    each = any(app.settings.queue(queue).ack == "each" for queue in group.queues)
    return (1,) if each else ()


def watched_files(settings: Settings, state: StateDir) -> list[str]:
    """Return the files whose change means: leave. `tmp/restart.txt` is how Passenger is told of new code."""
    restart = os.path.join(settings.base_dir, "tmp", "restart.txt")
    return [state.stop, restart, *settings.code_marker]
