"""Wiring a consumer to an app: for a process of its own, for `cronq drain`, and for work inside a web process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.consumer import run_times
from cronq.consumer.alarm import Alarm
from cronq.consumer.attendance import Attendance, marks
from cronq.consumer.batch_size import BatchSize
from cronq.consumer.foresight import Foresight
from cronq.consumer.isolation_choice import isolation
from cronq.consumer.leftovers import Leftovers
from cronq.consumer.lifetime import ChangedFiles, Leaving, Seldom, Signals
from cronq.consumer.limits import LimitFacts, limits_of
from cronq.consumer.loop import Conditions, Consumer, Duty
from cronq.consumer.rest import Rest
from cronq.consumer.runner import Runner
from cronq.consumer.stops import Stops
from cronq.consumer.tally import Tally
from cronq.host.bell import Bells
from cronq.host.state_dir import read_text
from cronq.namedtuple import NamedTuple
from cronq.supervisor import interval, seats
from cronq.supervisor.replay import SpoolWatch
from cronq.supervisor.second_hand import SecondHand
from cronq.tasks.context import Workplace

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app.application import App
    from cronq.config.settings import Group
    from cronq.consumer.limits import Limit
    from cronq.runtime.assistance import Assistance
    from cronq.supervisor.slots import Slot


class Crew(NamedTuple):
    """A consumer ready to run, with what its caller wants to know of it."""

    consumer: Consumer
    tally: Tally
    runner: Runner


class Shift(NamedTuple):
    """One consumer's time in a slot: until `deadline` (monotonic seconds), or until one of the `watched` files changes.

    With `stop_when_empty` also until nothing is ready. `makes` makes the runner, where it is not to be a `Runner`.
    """

    slot: Slot
    group: Group
    deadline: float
    watched: ChangedFiles
    stop_when_empty: bool = False
    makes: Callable[..., Runner] | None = None


def make_consumer(app: App, shift: Shift, assistance: Assistance) -> Crew:
    """Return the consumer of a shift. For the main thread only: it listens to signals and sets an alarm."""
    slot, group, clock = shift.slot, shift.group, app.clock
    signals = Signals()
    signals.listen()
    bells = Bells([app.state.wake(queue) for queue in group.queues], signals.wake_descriptor)
    tally = Tally()
    leaving = Leaving(
        tally,
        _limits(app, shift),
        [signals.reason, shift.watched.reason, Seldom(slot.reason_to_leave, clock).reason],
    )

    stops = stops_of(app, slot.holder, lambda: leaving.reason() is not None)
    alarm = Alarm(clock, stops.due_in)
    second_hand = SecondHand(app.installation)
    errands = [*([] if shift.stop_when_empty else [second_hand.looked]), *_spool_errand(app)]
    attendance = Attendance(
        marks([app.state.alive(queue) for queue in group.queues], clock), assistance.with_backlog, clock
    )
    tasks, workplace = app.runner_tasks(isolated=group.isolated), Workplace(slot.name, ends_at=shift.deadline)
    runner = (shift.makes or Runner)(tasks, clock, alarm, _nothing, workplace, stops)
    known = run_times.from_text(read_text(app.state.durations) or "")
    conditions = Conditions(
        leaving,
        tally,
        Rest(bells, clock, group.sleep_s, leaving.comes_at, second_hand.next_at),
        clock,
        BatchSize(),
        _each(attendance.looked, *errands) if errands else attendance.looked,
        alarm.share_after,
        followed=assistance.followed,
        ack_each=any(app.settings.queue(queue).ack == "each" for queue in group.queues),
        foresight=Foresight(known, runner.durations, assistance.ahead, clock),
        tied_up=assistance.tied_up,
    )
    runner.leave_to_newer_code(app.code)
    runner.own_process(isolation(clock, stops), Leftovers())
    duty = Duty(app.settings.unpaused(group.queues), lapse_s(app), shift.stop_when_empty, rates=app.definitions.rates())
    consumer = Consumer(app.transport, runner, duty, slot, conditions)
    return Crew(consumer, tally, runner)


def stops_of(app: App, holder: str, is_leaving: Callable[[], bool] = lambda: False) -> Stops:
    """Return what knows which of a holder's messages somebody wants stopped."""
    transport = app.transport
    return Stops(app.clock, lambda: transport.asked_to_stop(holder), transport.is_busy, is_leaving)


def _spool_errand(app: App) -> list[Callable[[bool], None]]:
    """Return what is to be told of looks, in a list. It looks itself before the first one, which may be the last."""
    if not app.settings.spool:
        return []
    watch = SpoolWatch(app.installation)
    watch.looked(busy=False)
    return [watch.looked]


def _nothing(error: BaseException) -> bool:
    """Say which exceptions of a task end its consumer: the signals that do raise none."""
    return False


def _each(*listeners: Callable[[bool], None]) -> Callable[[bool], None]:
    def looked(busy: bool) -> None:
        for listener in listeners:
            listener(busy)

    return looked


def _limits(app: App, shift: Shift) -> list[Limit]:
    """Return the limits of a shift. Beyond their group's minimum, idle consumers make room when the account is full."""
    slot, group, settings = shift.slot, shift.group, app.settings
    may_stay = slot.seat is None or slot.number < group.autoscale.min
    is_wanted = None if may_stay else lambda: seats.are_all_taken(app.state, settings.max_processes)
    return limits_of(group.limits, LimitFacts(app.clock, shift.deadline, slot.look_at_memory, is_wanted))


def lapse_s(app: App) -> float:
    """Return how long this host's reservations stand without a tick."""
    return interval.lapse_s(interval.current(app.state, app.settings.interval_s))
