"""The default transport: one SQLite file in the state directory."""

from cronq.transports.sqlite.transport import SqliteTransport

__all__ = ["SqliteTransport"]
