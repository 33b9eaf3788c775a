"""Two stamps on messages: a task runs as who enqueued it, and as superuser only where the code says so.

The stamp is one header, `acting`: a name, perhaps `+superuser`, and a signature, so that nobody who can write to the
queue but does not know the key becomes somebody else.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING

from cronq import GiveUp, carry
from library.people import ANONYMOUS, PEOPLE, act_as, acting

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cronq import App

HEADER = "acting"
SUPERUSER = "+superuser"
KEY = os.environ.get("LIBRARY_KEY", "for this example only").encode()


def use_stamps(app: App) -> None:
    """Have every message carry who enqueued it. One without a stamp, a schedule's say, runs as anonymous."""
    carry.value(app, HEADER, read=lambda: signed(acting().name), within=restored)


def as_superuser() -> dict[str, str]:
    """Return the header that lets one task run without permission checks: `task.using(headers=as_superuser())`.

    It does not spread: what that task enqueues runs as the person alone.
    """
    return {HEADER: signed(acting().name + SUPERUSER)}


def as_person(name: str) -> dict[str, str]:
    """Return the header that lets one task run as somebody else."""
    return {HEADER: signed(name)}


def restored(stamp: str | None) -> AbstractContextManager[None]:
    """Act as the stamp says. Raises GiveUp for a forged one and for somebody who is no more: no retry mends that."""
    if stamp is None:
        return act_as(ANONYMOUS)
    said, _, _ = stamp.rpartition(".")
    if not hmac.compare_digest(signed(said).encode(), stamp.encode()):
        raise GiveUp(f"the stamp {stamp!r} is not ours: the task was not run")
    name = said.removesuffix(SUPERUSER)
    person = ANONYMOUS if name == ANONYMOUS.name else PEOPLE.get(name)
    if person is None:
        raise GiveUp(f"there is no {name!r} any more: the task was not run")
    return act_as(person._replace(is_superuser=said.endswith(SUPERUSER)))


def signed(said: str) -> str:
    """Return the text with its signature."""
    return f"{said}.{hmac.new(KEY, said.encode(), 'sha256').hexdigest()}"
