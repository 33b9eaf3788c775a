"""Changing the arguments of a failed message in the user's editor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cronq.cli.common import app_of
from cronq.cli.message_portrait import pretty
from cronq.cli.text import say
from cronq.errors import CronqError, UsageError
from cronq.escape import escaped

if TYPE_CHECKING:
    from cronq.config.settings import Settings
    from cronq.messages.message import Message


def edited(settings: Settings, message: Message) -> Message | None:
    """Return a message with new arguments, which fit its task, and its label made of them; None for nothing saved.

    What does not fit is said, and the editor opens again with it, so that no work is lost.
    """
    from cronq.app.call_labels import relabelled

    try:
        task = app_of(settings).definitions.find(message.task)
    except CronqError as error:
        raise UsageError(escaped(str(error))) from None
    text: str = pretty(message.body)
    while True:
        saved = click.edit(text, extension=".json")
        if saved is None:
            return None
        text = saved
        try:
            task.codec.decode(text.encode())
            return relabelled(task, message._replace(body=_compact(text)))
        except (CronqError, UnicodeError) as error:
            say(f"these arguments do not fit: {escaped(str(error))}", err=True)
            click.confirm("edit them again?", default=True, abort=True, err=True)


def _compact(text: str) -> bytes:
    import msgspec

    compact: bytes = msgspec.json.format(text.encode(), indent=-1)
    return compact
