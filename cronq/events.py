"""What happened, told to whoever listens. Listeners never break the work they hear of."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Listener = Callable[[str, Mapping[str, object]], None]

listeners: list[Listener] = []


def emit(name: str, **facts: object) -> None:
    """Tell every listener that `name` happened. Costs nothing worth naming when nobody listens."""
    for listener in listeners:
        try:
            listener(name, facts)
        except BaseException as error:  # a listener is somebody else's code: its fault must not lose a message
            if not isinstance(error, Exception):
                from cronq.interruptions import is_interruption

                if is_interruption(error):
                    raise
            from contextlib import suppress

            from cronq.escape import escaped

            said = escaped(f"{type(error).__name__}: {error}")
            with suppress(OSError, ValueError, AttributeError):  # nobody hears of it: full, closed, or none
                sys.stderr.write(f"cronq: a listener failed on {name}: {said}\n")
