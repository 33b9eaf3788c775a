"""Putting a copy back, while nobody consumes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cronq.errors import CronqError, TransportError
from cronq.host import locks
from cronq.host.process import HAS_CONSUMERS
from cronq.host.requirements import no_consumers
from cronq.supervisor import slots
from cronq.transports.abilities.copies import Copies
from cronq.transports.abilities.demand import demanded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.app.application import App
    from cronq.transports.abilities.copies import Copy

TICK_LASTS_S = 5.0
BEFORE = ("before-restore.db", "before-restore-2.db")  # the second when the first is what is restored


def restore(app: App, path: str) -> tuple[Copy, Copy]:
    """Put the copy at `path` back, and return it with the copy of what was there before. Raises CronqError.

    All slots are held meanwhile, so no consumer and no web request works on messages that are about to go.
    Enqueueing goes on: it waits for the commit.
    """
    with _nobody_consuming(app):
        try:
            before = app.backup(_kept_as(app, path))
        except TransportError as error:
            if error.pressure:
                raise
            raise CronqError(
                f"what is there now cannot be kept, so nothing was restored: {error}\nto restore all the same, move "
                f"the database and the files with -wal and -shm at the end of their names away"
            ) from error
        return demanded(app.transport, Copies).restore(path), before


def _kept_as(app: App, restored: str) -> str:
    """Return where to keep what is there now: not over the very copy that is restored."""
    places = (os.path.join(app.state.path, name) for name in BEFORE)
    return next(place for place in places if os.path.realpath(place) != os.path.realpath(restored))


@contextmanager
def _nobody_consuming(app: App) -> Iterator[None]:
    """Hold the tick's lock and every slot. Raises CronqError naming who is at work."""
    if not HAS_CONSUMERS:
        raise no_consumers("restore")
    tick = locks.take(app.state.tick_lock, within_s=TICK_LASTS_S)
    if tick is None:
        raise CronqError("a tick is at work: try again in a moment")
    taken, busy = [tick], []
    try:
        for name in _all_slots(app):
            lock = locks.take(app.state.slot(name))
            if lock is None:
                busy.append(name)
            else:
                taken.append(lock)
        if busy:
            raise CronqError(
                f"{', '.join(busy)} still at work: run `cronq stop --for 10m`, restore, then `cronq stop --for 0`"
            )
        yield
    finally:
        for lock in taken:
            lock.release()


def _all_slots(app: App) -> list[str]:
    """Return the names of all slots that there are or may come to be."""
    names = {seen.name for seen in slots.survey(app.state)}
    names.update(f"inline.{number}" for number in range(app.settings.inline.max_processes))
    for group in app.settings.groups:
        names.update(f"{group.name}.{number}" for number in range(group.autoscale.max))
    return sorted(names)
