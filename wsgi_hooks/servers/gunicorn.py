"""gunicorn. Measured with 20.1 and 27: responses with Content-Length or in chunks are complete before close().

What is left, an HTTP/1.0 response without Content-Length (nginx asks so by default), ends when the socket is shut
down for writing. Only the sync worker may do that: it closes the connection anyway, while on a kept-alive
connection of gthread the next request would be run and its answer lost.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def matches(environ: Mapping[str, Any]) -> bool:
    return "gunicorn.socket" in environ


def answers_early(environ: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    if "content-length" in headers or environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
        return True
    return _is_sync(environ)


def finish(environ: Mapping[str, Any]) -> None:
    if not _is_sync(environ):
        return
    try:
        environ["gunicorn.socket"].shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the visitor has gone already


def _is_sync(environ: Mapping[str, Any]) -> bool:
    """Sync workers run one request per process on a plain socket (TLS would need its own way to end)."""
    return not environ.get("wsgi.multithread") and type(environ["gunicorn.socket"]) is socket.socket
