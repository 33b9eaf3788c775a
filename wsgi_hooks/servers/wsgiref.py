"""wsgiref (and with it Django's runserver): a response without Content-Length ends when close() has returned."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def matches(environ: Mapping[str, Any]) -> bool:
    return str(environ.get("SERVER_SOFTWARE", "")).startswith("WSGIServer/")


def answers_early(environ: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    return "content-length" in headers


def finish(environ: Mapping[str, Any]) -> None:
    """Nothing makes wsgiref end a response sooner."""
