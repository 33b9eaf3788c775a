"""A batch task whose calls a test sees and steers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cronq import (
    HighPriority,
    Retry,
)
from cronq.messages.message import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.consumer.crew import Crew


@dataclass(frozen=True)
class Indexed(HighPriority):
    number: int


class Batch:
    """A batch task that remembers its calls, and does in them what a test wants."""

    def __init__(self, crew: Crew, size: int = 3, wait_s: float = 2.0, **options) -> None:
        self.crew = crew
        self.calls: list[list[int]] = []
        self.inside: Callable[..., object] = lambda items: None

        def index(items: list[int]) -> object:
            self.calls.append(items)
            return self.inside(items)

        options = {"retry": Retry(3, delay_s=0), **options}
        self.task = crew.app.batch(size=size, wait_s=wait_s, name="shop.index", **options)(index)

    def send(self, *items: int, **using):
        return self.task.using(**using).enqueue_many([((item,), {}) for item in items])

    def raises(self, error) -> None:
        def inside(items):
            raise error

        self.inside = inside


def waiting(crew: Crew, state: State = State.READY) -> list[tuple[int, int]]:
    return [(one.message.attempt, one.message.gather) for one in crew.transport.browse(state)]
