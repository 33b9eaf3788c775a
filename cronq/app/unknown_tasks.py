"""Being told at enqueue, once per task and process, that no consumer knows what is enqueued."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

from cronq.host import known_tasks
from cronq.tasks.module_name import module_name

if TYPE_CHECKING:
    from cronq.tasks.task import Task
    from cronq.transports.installation import Installation

_CALLER = 7  # frames from here to who enqueues; one more or less shows another line of the same warning


def warn_if_unknown(installation: Installation, task: Task[..., Any]) -> None:
    """Warn of a task that consumers with the same code did not get to know, and say which line is missing.

    It is enqueued nevertheless: what they cannot run waits in the failure queue, and is not lost.
    """
    settings = installation.settings
    module = sys.modules.get(task.function.__module__)
    source = getattr(module, "__file__", None)
    if source is not None and known_tasks.lacks(installation.state.known_tasks, task.name, source):
        name = module_name(task.function.__module__)
        warnings.warn(
            f"consumers do not know {task.name}: importing app = {settings.app!r} does not import {name}; write "
            f"modules = [{name!r}] in {settings.path}, or import it there",
            RuntimeWarning,
            stacklevel=_CALLER,
        )
