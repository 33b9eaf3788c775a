"""How web servers finish a response early: one file per server, asked in this order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from wsgi_hooks.servers import gunicorn, other, wsgiref

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Server(Protocol):
    """What is known of a server."""

    def matches(self, environ: Mapping[str, Any]) -> bool:
        """Tell whether this is the server that made `environ`."""

    def answers_early(self, environ: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
        """Tell whether the visitor has the whole response before `close()` returns. Header names are lower case."""

    def finish(self, environ: Mapping[str, Any]) -> None:
        """Do what makes the response end now."""


_SERVERS: tuple[Server, ...] = (gunicorn, wsgiref, other)


def server_of(environ: Mapping[str, Any]) -> Server:
    """Return what is known of the server that made `environ`."""
    return next(server for server in _SERVERS if server.matches(environ))
