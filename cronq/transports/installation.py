"""An installation: what belongs together because it has one configuration."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from cronq.host.state_dir import StateDir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.transports.admission import Admission
    from cronq.transports.base import Transport


class Installation:
    """The configuration, the clock, and the state directory and transport that the configuration names."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings: Settings = settings
        self.clock: Clock = clock
        self.state: StateDir = StateDir(settings.state_dir)

    @cached_property
    def transport(self) -> Transport:
        """The transport of the configuration, opened with the first message."""
        from cronq.transports.schemes import make_transport

        if self.settings.transport.startswith("sqlite:"):
            self.state.prepare()
        if self.settings.spool:
            from cronq.transports.spool_choice import reserve_room, spool_of

            spool = spool_of(self.settings, self.state)
            if spool is not None:
                reserve_room(spool)
        return make_transport(self.settings, self.clock)

    @cached_property
    def admission(self) -> Admission | None:
        """Who refuses messages beyond the limits of the configuration; None where it has none."""
        settings = self.settings
        if settings.store_max_mb is None and all(queue.max_waiting is None for queue in settings.queues.values()):
            return None
        from cronq.transports.admission import Admission

        return Admission(settings, lambda: self.transport, self.clock)

    @property
    def is_alone(self) -> bool:
        """Whether no other process can see these queues."""
        return self.settings.transport.startswith(("memory:", "sync:"))

    @contextmanager
    def elsewhere(self, settings: Settings, clock: Clock, transport: Transport) -> Iterator[None]:
        """Have another configuration, clock and transport for a while, and the state directory that goes with them."""
        before = dict(self.__dict__)  # without a transport when none has been opened yet
        self.settings, self.clock, self.transport = settings, clock, transport
        self.__dict__.pop("admission", None)
        self.state = StateDir(settings.state_dir)
        try:
            yield
        finally:
            self.__dict__.clear()
            self.__dict__.update(before)
