"""The kinds of addresses that keys of cronq.toml take: of transports, and on the web."""

from __future__ import annotations

from cronq.config.complaint_words import show_url
from cronq.config.nodes import Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

URL_WANTS = "a URL that begins with https:// or http://"
LATER_SCHEMES = ("postgresql", "postgres", "mysql", "mariadb", "redis", "rediss", "valkey", "amqp", "amqps")


def transport(value: object) -> str:
    """Return a transport URL as it is; raise ValueError for one that this version cannot serve."""
    if not isinstance(value, str) or not value.isprintable():
        raise ValueError
    scheme, _, rest = value.partition("://")
    if scheme in LATER_SCHEMES:
        raise ValueError(f'{scheme} is not in this version; for example "sqlite:///queue.db"')
    if scheme == "sqlite" and rest and not rest.startswith("/"):
        raise ValueError('needs three slashes for a file in the state directory, for example "sqlite:///queue.db"')
    if value in {"memory://", "sync://"} or (scheme == "sqlite" and rest.strip("/") not in {"", ":memory:"}):
        return value
    raise ValueError


def url(value: object) -> str:
    """Return a URL of the web as it is; raise ValueError, which may say what is wrong with it."""
    from urllib.parse import urlsplit  # which most configurations have none of

    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
        raise ValueError
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password: requests are signed with the secret instead")
    if parts.fragment:
        raise ValueError("must not have a part behind #, which no server gets to see")
    return value


def address(accept: Callable[[Any], str], wants: str, example: str) -> Kind:
    """Return the kind of a URL that may hold a password, which no complaint shows."""
    kind = Kind(accept, wants, example, "text")
    kind.shown = show_url
    return kind
