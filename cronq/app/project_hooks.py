"""What a project has called at certain moments: around messages and requests, after them, before an enqueue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cronq.errors import UsageError
from cronq.tasks.task import RUNS_NOTHING, code_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cronq.messages.message import Message
    from cronq.messages.unsent import Unsent
    from cronq.tasks.context import Context

    Around = Callable[[Context], AbstractContextManager[object]]
    AroundRequest = Callable[[Mapping[str, Any]], AbstractContextManager[object]]
    BeforeEnqueue = Callable[[dict[str, str]], None]
    Hook = Callable[[], object]
    OnUnsent = Callable[[Unsent, Sequence[Message]], object]


T = TypeVar("T", bound="Callable[..., object]")
_ASYNC_GENERATOR = 0x200  # inspect.CO_...


def checked(kind: str, hook: T) -> T:
    """Return a hook. Raises UsageError for one a call of which runs nothing: hooks are called where no loop runs."""
    is_async_manager = "around" in kind and code_flags(getattr(hook, "__wrapped__", None)) & _ASYNC_GENERATOR
    if is_async_manager or code_flags(hook) & RUNS_NOTHING:
        raise UsageError(
            f"@app.{kind}: {getattr(hook, '__qualname__', hook)} is asynchronous, or a generator, so a call of it runs "
            f"nothing: make it a plain function, or put @contextlib.contextmanager above what yields"
        )
    return hook


class ProjectHooks:
    """Every hook, in the order in which they were registered; what each is for says the App's method of its name."""

    def __init__(self) -> None:
        self.arounds: list[Around] = []
        self.request_arounds: list[AroundRequest] = []
        self.resets: list[Hook] = []
        self.disconnects: list[Hook] = []
        self.before_enqueue: list[BeforeEnqueue] = []
        self.unsent: list[OnUnsent] = []
