"""From the URL in the configuration to the transport."""

from __future__ import annotations

from cronq.errors import ConfigError

_ON_THIS_HOST = ("sqlite", "memory", "sync")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.clock import Clock
    from cronq.config.settings import Settings
    from cronq.transports.base import Transport


def make_transport(settings: Settings, clock: Clock, busy_timeout_s: float | None = None) -> Transport:
    """Return the transport that `transport = "..."` names. Raises ConfigError for a URL nobody knows."""
    scheme, _, rest = settings.transport.partition("://")
    if scheme == "sqlite":
        from cronq.transports.sqlite import SqliteTransport
        from cronq.transports.sqlite.connections import BUSY_TIMEOUT_S

        path = sqlite_path(settings.state_dir, rest)
        shared = SqliteTransport(path, settings.durability, clock, busy_timeout_s or BUSY_TIMEOUT_S)
        return _prefixed(shared, settings.queue_prefix, clock)
    if scheme == "memory":
        from cronq.transports.memory.transport import MemoryTransport

        return MemoryTransport(clock)
    if scheme == "sync":
        from cronq.transports.sync import SyncTransport

        return SyncTransport(clock)
    from cronq.config.complaint_words import show_url

    raise ConfigError(f"transport = {show_url(settings.transport)}: must start with sqlite://, memory:// or sync://")


def _prefixed(transport: Transport, prefix: str, clock: Clock) -> Transport:
    if not prefix:
        return transport
    from cronq.transports.prefix import Prefixed

    return Prefixed(transport, prefix, clock)


def sqlite_path(state_dir: str, rest: str) -> str:
    """Return the file of `sqlite:///queue.db` (in the state directory) or `sqlite:////abs/queue.db`."""
    path = rest.removeprefix("/")
    return path if path.startswith("/") else f"{state_dir}/{path or 'queue.db'}"


def place_of(settings: Settings) -> str:
    """Return what tells this installation from others, for `H` fields: the place of its queue.

    It is the same for the web processes, the tick and every host that shares the queue, and after each deployment;
    a host name or a random number would not be. Passwords are no part of it: they change.
    """
    scheme, _, rest = settings.transport.partition("://")
    place = settings.state_dir if scheme in _ON_THIS_HOST else rest.rpartition("@")[2]
    return f"{settings.queue_prefix} {place}"
