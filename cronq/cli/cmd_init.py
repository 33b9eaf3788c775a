"""cronq init: from nothing to a first tick."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from cronq.cli.common import app_of, bare_app, configured
from cronq.cli.crontab import tick_line
from cronq.cli.text import say
from cronq.config import load
from cronq.config.file import NAME
from cronq.config.kinds import is_import_path
from cronq.config.template import template
from cronq.errors import CronqError, StateDirError, UsageError
from cronq.host.state_dir import flags_of

if TYPE_CHECKING:
    from cronq.config.settings import Settings


@configured("init")
@click.option("--app", help="What consumers import: the module and the variable of your App, such as shop.tasks:app.")
@click.option("--force", is_flag=True, help="Overwrite a cronq.toml that exists.")
def command(context: click.Context, app: str | None, force: bool) -> int:
    """Write a cronq.toml here, make the state directory, and say what to do next.

    Example: cronq init --app shop.tasks:app
    """
    if app is not None and not (":" in app and is_import_path(app)):
        raise UsageError(f"--app {app}: name a module, a colon and the App in it, such as shop.tasks:app")
    path = os.path.abspath(context.obj or NAME)
    _write(path, template(app), force)
    say(f"wrote {path}")
    settings = load(path)
    _prepare(settings)
    say(f"made {settings.state_dir}")
    say("")
    for number, step in enumerate(_steps(settings), 1):
        for line in f"{number}. {step}".split("\n"):
            say(line)
    return 0


def _write(path: str, text: str, force: bool) -> None:
    """Make the file, 0600 as it may come to hold a password. The kernel says whether one is there, no look before."""
    target = f"{path}.new" if force else path
    flags = os.O_TRUNC if force else os.O_EXCL
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | flags_of("O_NOFOLLOW") | flags, 0o600)
    except FileExistsError:
        raise UsageError(f"{path}: is there already: edit it, or overwrite it with --force") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if force:
        os.replace(target, path)


def _prepare(settings: Settings) -> None:
    """Make the state directory and the queues in it, so that a first tick finds all it needs."""
    app = bare_app(settings)
    try:
        app.state.prepare()
    except StateDirError as error:
        raise StateDirError(
            f"{error}\n{settings.path} is written: set state_dir in it, then run `cronq check`. "
            f"If the web server hands out this directory, move cronq.toml out of it as well."
        ) from error
    app.transport.counts()


def _steps(settings: Settings) -> list[str]:
    missing = _missing(settings)
    line = tick_line(settings)
    return [
        *([missing] if missing else []),
        f"Let cron tick, with `cronq crontab install`, or with this line in your host's panel:\n\n     {line}\n",
        f"Wrap the WSGI application, at the end of its file:\n\n{_wsgi_lines(settings)}\n",
        "See whether all is well with `cronq check`, then with `cronq status`.",
    ]


def _missing(settings: Settings) -> str | None:
    """Return what is to be done about the app, None when it can be imported."""
    if settings.app is None:
        return f'Set app = "shop.tasks:app" in {settings.path}: the module and the variable of your App.'
    try:
        app_of(settings)
    except CronqError as error:
        return f"The app cannot be imported yet: {error}"
    return None


def _wsgi_lines(settings: Settings) -> str:
    module, _, variable = (settings.app or "shop.tasks:app").partition(":")
    name = variable.partition(".")[0]
    lines = [
        "from wsgi_hooks import CronqMiddleware",
        f"from {module} import {name}",
        f"application = CronqMiddleware(application, {variable})",
    ]
    return "\n".join(f"     {line}" for line in lines)
