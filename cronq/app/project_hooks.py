"""What a project has called at certain moments: around messages and requests, after them, before an enqueue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from cronq.tasks.context import Context

    Around = Callable[[Context], AbstractContextManager[object]]
    AroundRequest = Callable[[Mapping[str, Any]], AbstractContextManager[object]]
    BeforeEnqueue = Callable[[dict[str, str]], None]
    Hook = Callable[[], object]


class ProjectHooks:
    """Every hook, in the order in which they were registered; what each is for says the App's method of its name."""

    def __init__(self) -> None:
        self.arounds: list[Around] = []
        self.request_arounds: list[AroundRequest] = []
        self.resets: list[Hook] = []
        self.disconnects: list[Hook] = []
        self.before_enqueue: list[BeforeEnqueue] = []
