"""A server that cronq knows nothing of: the visitor is taken to wait, so the work is kept short."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def matches(environ: Mapping[str, Any]) -> bool:
    return True


def answers_early(environ: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    return False


def finish(environ: Mapping[str, Any]) -> None:
    """Nothing is known that would help."""
