"""How far a chain or group has come, told from the ids of its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cronq.messages.message import State
from cronq.namedtuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.transports.installation import Installation


class One(NamedTuple):
    """One message."""

    id: str


class Many(NamedTuple):
    """Messages one after the other, or at the same time."""

    nodes: tuple[One | Many, ...]
    is_ordered: bool = False


Node = One | Many


class Progress(NamedTuple):
    """How many of the messages are done, and how many have failed."""

    done: int
    total: int
    failed: int = 0

    def __str__(self) -> str:
        return f"{self.done} of {self.total} done" + (f", {self.failed} failed" if self.failed else "")


class WorkflowRef:
    """Names all messages of a chain or group, those to come included."""

    def __init__(self, installation: Installation, tree: Node) -> None:
        self._installation = installation
        self._tree = tree
        self.ids: list[str] = list(_ids(tree))

    @property
    def progress(self) -> Progress:
        """How far it has come. What is no longer there, or was cancelled, counts as done."""
        states = self._states()
        left = _left(self._tree, states)
        return Progress(len(self.ids) - left, len(self.ids), list(states.values()).count(State.FAILED))

    @property
    def status(self) -> str:
        """`failed` when a step has failed for good, `running` while something is left, then `done`."""
        progress = self.progress
        if progress.failed:
            return "failed"
        return "running" if progress.done < progress.total else "done"

    def cancel(self) -> bool:
        """Remove what waits; what would follow it never comes. False when a message is running: it goes on."""
        self._installation.transport.cancel(self.ids)
        return State.RESERVED not in self._states().values()

    def _states(self) -> dict[str, State]:
        """Look the messages up in their order, so that a step is not missed that takes the place of another."""
        found = ((one, self._installation.transport.find(one)) for one in self.ids)
        return {one: record.state for one, record in found if record is not None}


def _ids(node: Node) -> Iterator[str]:
    if isinstance(node, One):
        yield node.id
    else:
        for one in node.nodes:
            yield from _ids(one)


def _left(node: Node, states: dict[str, State]) -> int:
    """Count what is not done yet of a node that has begun."""
    if isinstance(node, One):
        return int(states.get(node.id, State.DONE) is not State.DONE)
    if not node.is_ordered:
        return sum(_left(one, states) for one in node.nodes)
    for number in reversed(range(len(node.nodes))):
        left = _left(node.nodes[number], states)
        if left:  # what comes after it has not begun
            return left + sum(len(list(_ids(one))) for one in node.nodes[number + 1 :])
    return 0
