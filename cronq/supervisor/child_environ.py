"""Which variables a consumer inherits from who is not a tick: those that cron's ticks have as well.

A web server adds the request's (CGI, RFC 3875), a shell whatever its user has set; consumers that differed by who had
started them would be hard to understand. Only names are written down, no values: those may be secrets.
"""

from __future__ import annotations

from cronq.host.state_dir import read_text, replace_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OF_REQUESTS = (
    *("AUTH_TYPE", "CONTENT_", "DOCUMENT_", "GATEWAY_INTERFACE", "HTTP_", "HTTPS", "PATH_INFO", "PATH_TRANSLATED"),
    *("QUERY_STRING", "REDIRECT_", "REMOTE_", "REQUEST_", "SCRIPT_", "SERVER_", "SSL_", "WERKZEUG_", "mod_wsgi."),
    "wsgi.",
)


def note(path: str, names: Iterable[str]) -> None:
    """Write down which variables a tick has, if they are not those that stand there."""
    text = "".join(f"{name}\n" for name in sorted(names) if "\n" not in name)
    if text != read_text(path):
        replace_text(path, text)


def for_child(path: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return those of our variables that a consumer gets; before any tick all but what web servers add."""
    known = frozenset((read_text(path) or "").split("\n"))
    if known == {""}:
        return {name: value for name, value in environ.items() if not name.startswith(_OF_REQUESTS)}
    return {name: value for name, value in environ.items() if name in known}
