"""When a consumer calls others to its queues: a backlog, a message that is or may be long, follow-ups for others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cronq.errors import CronqError
from cronq.events import emit
from cronq.supervisor.child_environ import for_child
from cronq.supervisor.help import Help
from cronq.supervisor.permission import may_start
from cronq.supervisor.spawn import TwiceDetached
from cronq.supervisor.tick import Supervisor, tick

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cronq.app.application import App
    from cronq.config.settings import Group
    from cronq.messages.message import Message

LOOK_EVERY_S = 1.0


class Assistance:
    """Calls for others on behalf of a consumer of `group`. What fails here never reaches the messages."""

    def __init__(self, app: App, group: Group) -> None:
        self._app = app
        self._group = group
        self._help = Help(app, may_start)
        self._next_look = 0.0

    def with_backlog(self) -> None:
        """Run the tick early when more is ready than the group is sized for."""
        app, size = self._app, self._group.autoscale.desired_size
        if app.transport.depth(app.settings.unpaused(self._group.queues), size + 1) > size:
            environ = for_child(app.state.environ, os.environ)
            supervisor = Supervisor(app.settings, app.state, app.transport, app.clock, TwiceDetached(), environ)
            tick(supervisor, from_cron=False)

    def ahead(self) -> None:
        """Have somebody ready before a message that may be long."""
        _quietly(lambda: self._help.ahead(self._group.queues))

    def tied_up(self) -> None:
        """In the middle of a message that turned out long: have somebody come for what is ready."""
        _quietly(lambda: self._for_ready(self._group.queues))

    def hand_place_on(self) -> None:
        """This consumer has made room: have somebody come for what waits in any queue, for whom there was no place."""
        queues = dict.fromkeys(queue for group in self._app.settings.groups for queue in group.queues)
        _quietly(lambda: self._for_ready(tuple(queues)))

    def followed(self, messages: Sequence[Message]) -> None:
        """Tell of messages that were enqueued with an ack; somebody has to come for those of queues not served here."""
        app = self._app
        app.enqueuer.announce(messages)
        now = app.clock.monotonic()
        others = {message.queue for message in messages if message.queue not in self._group.queues}
        if others and now >= self._next_look:
            self._next_look = now + LOOK_EVERY_S
            _quietly(lambda: self._help.for_waiting(sorted(others)))

    def _for_ready(self, queues: tuple[str, ...]) -> None:
        app = self._app
        ready = [queue for queue in app.settings.unpaused(queues) if app.transport.depth((queue,), 1)]
        if ready:
            self._help.for_waiting(ready)


def _quietly(call: Callable[[], object]) -> None:
    try:
        call()
    except (CronqError, OSError) as error:
        emit("trouble", error=error)
