"""cronq status: what goes on, on one screen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from cronq.cli.answer import Answer, Tell, in_json, in_words, json_option
from cronq.cli.common import bare_app, configured, settings_of
from cronq.cli.older_releases import older_releases
from cronq.cli.status_screen import as_data, screen
from cronq.config.complaint_words import no_file
from cronq.errors import StateDirError, TransportError, UsageError
from cronq.supervisor.bulletin import Trouble
from cronq.supervisor.spool_status import spool_status
from cronq.supervisor.status import Status, look
from cronq.supervisor.troubles import troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    found = (*_without_configuration(app), *troubles(status), *_of_older_releases(app))
    tell(_answer(status, found))
    return 1 if found else 0


def _without_configuration(app: App) -> tuple[Trouble, ...]:
    settings = app.settings
    if settings.path is not None or settings.app is not None:
        return ()
    return (Trouble("configuration", no_file(settings.base_dir)),)


def _of_older_releases(app: App) -> Iterator[Trouble]:
    for one in older_releases(app.settings):
        yield Trouble(f"release {one.directory}", one.text)


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
    """Look without leaving a trace: what was never used is empty, and need not be made for that.

    Queues that cannot be looked at are a trouble of their own: all else is wanted then more than ever.
    """
    from cronq.cli.database import is_used

    try:
        app.state.refuse()
        found = look(app.settings, app.state, app.transport if is_used(app.settings) else None, app.clock)
    except (StateDirError, TransportError) as error:
        try:
            found = look(app.settings, app.state, None, app.clock)._replace(queues=(), unreadable=str(error))
        except OSError:  # not for us to look at, which is the very trouble
            raise error from None
    return found._replace(spool=spool_status(app.installation)) if is_used(app.settings) else found


def _answer(status: Status, found: tuple[Trouble, ...]) -> Answer:
    texts = [one.text for one in found]
    return Answer(lambda: screen(status, texts), lambda: as_data(status, texts))
