"""How far a chain or group has come, told from the ids of its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.app.looks import looks
from cronq.errors import NoResult, WaitTimeout
from cronq.messages.message import State
from cronq.namedtuple import NamedTuple
from cronq.tasks.ref import last_line
from cronq.units import in_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from cronq.app.refs import AppRefs
    from cronq.transports.installation import Installation


class One(NamedTuple):
    """One message."""

    id: str


class Many(NamedTuple):
    """Messages one after the other, or at the same time."""

    nodes: tuple[Node, ...]
    is_ordered: bool = False


class Gathered(NamedTuple):
    """Messages at the same time, and one that waits for them and gets their results."""

    parts: tuple[Node, ...]
    then: One


Node = One | Many | Gathered


class Progress(NamedTuple):
    """How many of the messages are done, and how many have failed."""

    done: int
    total: int
    failed: int = 0

    def __str__(self) -> str:
        return f"{self.done} of {self.total} done" + (f", {self.failed} failed" if self.failed else "")


class WorkflowRef:
    """Names all messages of a chain or group, those to come included."""

    def __init__(self, installation: Installation, refs: AppRefs, tree: Node) -> None:
        self._installation = installation
        self._refs = refs
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

    @property
    def result(self) -> Any:
        """What the last step returned; the list of what the parts returned, for a group without a `then`.

        A task keeps what it returns for `result_ttl_s`. Raises NoResult, which says why there is none: not yet,
        failed, or not kept.
        """
        progress = self.progress
        if progress.failed:
            raise NoResult(f"the workflow failed: {'; '.join(self._failures())}")
        if progress.done < progress.total:
            raise NoResult(f"the workflow has no result yet, {progress}: workflow.wait(timeout_s) waits for it")
        return self._result_of(self._tree)

    def wait(self, timeout_s: float | timedelta) -> WorkflowRef:
        """Return self when nothing of it is left to be done, or a step has failed for good.

        For scripts, commands and tests, as `Ref.wait`. Raises WaitTimeout after `timeout_s` seconds.
        """
        most_s = in_seconds(timeout_s)
        for _ in looks(most_s):
            progress = self.progress
            if progress.failed or progress.done == progress.total:
                return self
        raise WaitTimeout(f"the workflow is not over after {most_s:g} s: {progress}")

    def cancel(self) -> bool:
        """Remove what waits; what would follow it never comes. False when a message is running: it goes on."""
        self._installation.transport.cancel(self.ids)
        return State.RESERVED not in self._states().values()

    def _result_of(self, node: Node) -> Any:
        if isinstance(node, One):
            return self._refs.sent(node.id).result
        if isinstance(node, Gathered):
            return self._result_of(node.then)
        return self._result_of(node.nodes[-1]) if node.is_ordered else [self._result_of(one) for one in node.nodes]

    def _failures(self) -> Iterator[str]:
        for message_id in self.ids:
            record = self._installation.transport.find(message_id)
            if record is not None and record.state is State.FAILED:
                yield f"{record.message.task} {message_id}: {last_line(record.error)}"

    def _states(self) -> dict[str, State]:
        """Look the messages up in their order, so that a step is not missed that takes the place of another."""
        found = ((one, self._installation.transport.find(one)) for one in self.ids)
        return {one: record.state for one, record in found if record is not None}


def _ids(node: Node) -> Iterator[str]:
    if isinstance(node, One):
        yield node.id
        return
    for one in (*node.parts, node.then) if isinstance(node, Gathered) else node.nodes:
        yield from _ids(one)


def _left(node: Node, states: dict[str, State]) -> int:
    """Count what is not done yet of a node that has begun."""
    if isinstance(node, One):
        return int(states.get(node.id, State.DONE) is not State.DONE)
    if isinstance(node, Gathered):
        return sum(_left(one, states) for one in (*node.parts, node.then))
    if not node.is_ordered:
        return sum(_left(one, states) for one in node.nodes)
    for number in reversed(range(len(node.nodes))):
        left = _left(node.nodes[number], states)
        if left:  # what comes after it has not begun
            return left + sum(len(list(_ids(one))) for one in node.nodes[number + 1 :])
    return 0
