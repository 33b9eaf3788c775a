"""cronq schedule: what recurs, when it ran, when it comes next."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cronq.cli import completions
from cronq.cli.answer import Answer, Tell, json_option
from cronq.cli.collection import Collection
from cronq.cli.common import refuse_unknown, settings_of, whole_app_of
from cronq.cli.direct_enqueue import refuse_to_lose, sending
from cronq.cli.lists import Column, Listing
from cronq.cli.table_writer import Fit
from cronq.cli.terminal import line_width
from cronq.cli.text import at_zoned, count, red, relative, say
from cronq.errors import CronqError
from cronq.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app import App
    from cronq.app.schedule_status import ScheduleStatus
    from cronq.messages.message import Message
    from cronq.schedules.stored import StoredSchedule

    Registered = tuple[App, list[StoredSchedule]]

NONE_YET = 'no schedules: @app.cron("30 2 * * *") above a task, or [schedule.NAME] in cronq.toml, makes one'


def _registered(context: click.Context) -> Registered:
    """Return the app and its schedules, those that no consumer has seen yet among them."""
    app = whole_app_of(settings_of(context))
    return app, app.declarations.register()


command: Collection = Collection(
    "schedule",
    "List recurring tasks, run one now, resume one that has stopped.",
    example="cronq schedule run nightly",
    opened=_registered,
)


@command.has("list")
@json_option
def show_all(project: Registered, tell: Tell) -> int:
    """Show every schedule with its last and its next run, and how the last one ended.

    Exits with 1 when one is refused or has stopped after failures. A terminal shows how far times are from now; what
    goes elsewhere (`| cat`) has them whole, in this host's own zone. Of H fields the list shows what they stand for,
    and what was written in brackets.

    Example: cronq schedule list --json
    """
    app, _ = project
    found = app.schedules.list()
    troubles = [red(f"! {one.trouble}") for one in found if one.trouble is not None]
    tell(_LISTING.of(found, lambda: troubles) if found else Answer(lambda: [NONE_YET], list))
    return 1 if any(one.trouble for one in found) else 0


@command.has("run")
@click.argument("name", shell_complete=completions.schedules)
def run(project: Registered, name: str) -> None:
    """Enqueue one schedule's task now, whenever it is due, and print the id of the message.

    Example: cronq schedule run nightly
    """
    app, stored = project
    refuse_to_lose(app.settings)
    one = _named(name, stored)
    if one.refused is not None:
        raise CronqError(escaped(one.refused))
    say(_run(app, one).id)


@command.has("resume")
@click.argument("name", shell_complete=completions.schedules)
def resume(project: Registered, name: str) -> int:
    """Let a schedule go on that has stopped after failures.

    Its failures so far are forgotten. Exits with 1 when it had not stopped.

    Example: cronq schedule resume nightly
    """
    app, stored = project
    one = _named(name, stored)
    if app.schedules.resume(name):
        say(f"{name} goes on")
        return 0
    say(f"{name} had not stopped" + (f": {one.refused}" if one.refused else ""), err=True)
    return 1


@command.has("remove")
@click.argument("name", shell_complete=completions.schedules)
def remove(project: Registered, name: str) -> None:
    """Forget a schedule that a program added with `app.schedules.add`.

    Example: cronq schedule remove report-42
    """
    app, stored = project
    _named(name, stored)
    app.schedules.remove(name)


def _named(name: str, stored: Sequence[StoredSchedule]) -> StoredSchedule:
    refuse_unknown("schedule", [name], [one.name for one in stored])
    return next(one for one in stored if one.name == name)


def _run(app: App, one: StoredSchedule) -> Message:
    from cronq.schedules.spec import message_of
    from cronq.supervisor.firing import run_now

    if not app.settings.transport.startswith("sync:"):
        return run_now(app.installation, one)
    now = app.clock.now()
    message = message_of(one, now, now)
    with sending():
        app.enqueuer.send([message])
    return message


def _cron(one: ScheduleStatus) -> str:
    return one.cron if one.cron == one.written else f"{one.cron} ({one.written})"


def _time(wall: float | None) -> str:
    """Return a point in time: how far it is from now on a terminal, which has no room for two whole ones."""
    if wall is None:
        return "-"
    return at_zoned(wall) if line_width() is None else relative(wall - time.time())


def _result(one: ScheduleStatus) -> str:
    result = one.last_result or "-"
    if one.last_error is not None:
        result += f": {one.last_error}"
    if one.failures > 1:
        result += f", {one.failures} in a row"
    return f"{result}; {count(one.skipped, 'run')} skipped meanwhile" if one.skipped else result


_LISTING: Listing[ScheduleStatus] = Listing(
    lambda one: one.as_data(),
    Column("name", lambda one: one.name, Fit.NAME),
    Column("cron", _cron, Fit.TEXT),
    Column("tz", lambda one: one.tz, Fit.NAME),
    Column("last run", lambda one: _time(one.last_at)),
    Column("next run", lambda one: _time(one.next_at)),
    Column("last result", _result, Fit.TEXT),
)
