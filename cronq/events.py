"""What happened, told to whoever listens. Listeners never break the work they hear of."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Listener = Callable[[str, Mapping[str, object]], None]

listeners: list[Listener] = []


def emit(name: str, **facts: object) -> None:
    """Tell every listener that `name` happened. Costs nothing worth naming when nobody listens."""
    for listener in listeners:
        try:
            listener(name, facts)
        except Exception as error:  # a listener is somebody else's code: its fault must not lose a message
            sys.stderr.write(f"cronq: a listener failed on {name}: {type(error).__name__}: {error}\n")
