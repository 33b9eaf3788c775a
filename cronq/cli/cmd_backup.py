"""cronq backup: a copy of everything, while everybody works."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cronq.cli.answer import Tell, json_option
from cronq.cli.common import bare_app, configured, settings_of
from cronq.cli.copy_text import copy_file, written

if TYPE_CHECKING:
    import click


@configured("backup")
@copy_file
@json_option
def command(context: click.Context, file: str, tell: Tell) -> None:
    """Write a copy of all messages and schedules to FILE, without stopping anybody.

    A copy that FILE held before is replaced when the new one is complete and sound, not earlier. In Python:
    app.backup("shop.db").

    Example: cronq backup /home/ada/backups/shop.db
    """
    app = bare_app(settings_of(context))
    tell(written(file, app.backup(os.path.abspath(file))))
