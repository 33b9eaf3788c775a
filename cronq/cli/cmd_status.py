"""cronq status: what goes on, on one screen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cronq.cli.answer import Answer, Tell, in_json, in_words, json_option
from cronq.cli.common import bare_app, configured, settings_of
from cronq.cli.status_screen import as_data, screen
from cronq.config.complaint_words import no_file
from cronq.errors import UsageError
from cronq.supervisor.status import Status, look
from cronq.supervisor.troubles import troubles

if TYPE_CHECKING:
    from cronq.app import App

WATCH_S = 2.0


@configured("status")
@click.option("--watch", is_flag=True, help="Show it anew every two seconds, until Ctrl-C.")
@json_option
def command(context: click.Context, watch: bool, tell: Tell) -> int:
    """Show cron, consumers and queues, and what is wrong with them.

    Exits with 1 when there is something that a person must look into.

    Example: cronq status --watch
    """
    if watch and tell is in_json:
        raise UsageError("give --watch or --json, not both")
    app = bare_app(settings_of(context))
    if watch:
        return _watch(app)
    status = _look(app)
    found = (*_without_configuration(app), *troubles(status))
    tell(_answer(status, found))
    return 1 if found else 0


def _without_configuration(app: App) -> tuple[str, ...]:
    settings = app.settings
    return (no_file(settings.base_dir),) if settings.path is None and settings.app is None else ()


def _watch(app: App) -> int:
    try:
        while True:
            status = _look(app)
            click.clear()
            in_words(_answer(status, troubles(status)))
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        return 0


def _look(app: App) -> Status:
    """Look without leaving a trace: what was never used is empty, and need not be made for that."""
    from cronq.cli.database import is_used

    if not is_used(app.settings):
        return look(app.settings, app.state, [], app.clock)
    refused = tuple(one.trouble for one in app.transport.schedules() if one.trouble is not None)
    transport = app.transport
    found = look(app.settings, app.state, transport.glance(), app.clock, transport.held_at)
    return found._replace(refused=refused)


def _answer(status: Status, found: tuple[str, ...]) -> Answer:
    return Answer(lambda: screen(status, found), lambda: as_data(status, found))
