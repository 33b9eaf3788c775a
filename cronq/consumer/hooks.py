"""The project's own hooks between messages: what they raise is reported, and changes nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cronq.consumer.forked_child import leave_at_once
from cronq.events import emit
from cronq.interruptions import is_interruption
from cronq.tasks.unrun import refuse_unrun

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Hook = Callable[[], object]


def call(kind: str, hooks: Sequence[Hook]) -> None:
    """Call all hooks of one kind, each whatever becomes of the others."""
    pid = os.getpid()
    for hook in hooks:
        try:
            value = hook()
            if value is not None:
                refuse_unrun(f"@app.{kind} hook", value)
        except BaseException as error:  # the message is done; a fault in what comes after must not undo that
            if os.getpid() != pid:
                leave_at_once(error)
            if is_interruption(error):
                raise
            emit("hook_failed", kind=kind, hook=getattr(hook, "__qualname__", repr(hook)), error=error)
        if os.getpid() != pid:  # forked by the hook, which is its parent's to go on after
            leave_at_once(None)
