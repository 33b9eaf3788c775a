"""cronq restore: put back what `cronq backup` has written."""

from __future__ import annotations

import os

import click

from cronq.cli.cmd_backup import as_data, contents
from cronq.cli.common import bare_app, config_option, json_option, print_json, settings_of
from cronq.cli.text import say


@click.command("restore")
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
@config_option
@click.pass_context
def command(context: click.Context, file: str, as_json: bool) -> None:
    """Replace all messages and schedules by those of FILE, which `cronq backup` wrote.

    Consumers have to be gone: `cronq stop --for 10m` before, `cronq stop --for 0` afterwards. What was there is kept
    in the state directory as before-restore.db.

    Example: cronq restore /home/ada/backups/shop.db
    """
    from cronq.runtime.restoration import restore

    app = bare_app(settings_of(context))
    app.state.prepare()
    restored, before = restore(app, os.path.abspath(file))
    if as_json:
        print_json({"restored": as_data(restored), "before": as_data(before)})
        return
    say(f"restored {contents(restored)}")
    say(f"what was there ({contents(before)}) is kept in {before.path}")
