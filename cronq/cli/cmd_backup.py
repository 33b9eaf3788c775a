"""cronq backup: a copy of everything, while everybody works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from cronq.cli.common import bare_app, config_option, json_option, print_json, settings_of
from cronq.cli.text import count, say

if TYPE_CHECKING:
    from cronq.transports.abilities.copies import Copy


@click.command("backup")
@click.argument("file", type=click.Path(dir_okay=False))
@json_option
@config_option
@click.pass_context
def command(context: click.Context, file: str, as_json: bool) -> None:
    """Write a copy of all messages and schedules to FILE, without stopping anybody.

    A copy that FILE held before is replaced when the new one is complete and sound, not earlier. In Python:
    app.backup("shop.db").

    Example: cronq backup /home/ada/backups/shop.db
    """
    app = bare_app(settings_of(context))
    copy = app.backup(os.path.abspath(file))
    if as_json:
        print_json(as_data(copy))
    else:
        say(f"{file}: {contents(copy)}, {size(copy)}")


def as_data(copy: Copy) -> dict[str, Any]:
    return copy._asdict()


def contents(copy: Copy) -> str:
    """Say in words what a copy holds."""
    return f"{count(copy.waiting, 'message')} waiting, {copy.failed} failed"


def size(copy: Copy) -> str:
    kilobytes = copy.size / 1024
    return f"{kilobytes:.0f} KB" if kilobytes < 1024 else f"{kilobytes / 1024:.1f} MB"
