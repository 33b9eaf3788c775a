"""cronq restore: put back what `cronq backup` has written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cronq.cli.answer import Tell, json_option
from cronq.cli.common import bare_app, configured, settings_of
from cronq.cli.copy_text import copy_file, put_back

if TYPE_CHECKING:
    import click


@configured("restore")
@copy_file
@json_option
def command(context: click.Context, file: str, tell: Tell) -> None:
    """Replace all messages and schedules by those of FILE, which `cronq backup` wrote.

    Consumers have to be gone: `cronq stop --for 10m` before, `cronq stop --for 0` afterwards. What was there is kept
    in the state directory as before-restore.db.

    Example: cronq restore /home/ada/backups/shop.db
    """
    from cronq.runtime.restoration import restore

    app = bare_app(settings_of(context))
    app.state.prepare()
    tell(put_back(*restore(app, os.path.abspath(file))))
