"""Chains and groups: calls that are enqueued together, each when what comes before it has succeeded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.app.workflow_ref import Gathered, Many, One, WorkflowRef
from cronq.errors import UsageError
from cronq.messages.follow import MOST_BYTES, Follow, begun, carrying, read, written
from cronq.messages.ids import new_id
from cronq.namedtuple import NamedTuple
from cronq.tasks.task import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cronq.app.definitions import Definitions
    from cronq.app.enqueuer import Enqueuer
    from cronq.app.workflow_ref import Node
    from cronq.app.writer import Writer
    from cronq.messages.follow import Stage, Step

MOST_DEPTH = 20
MOST_STEPS = 10_000


class Chain(NamedTuple):
    """Calls one after the other: what `app.chain(...)` returns."""

    workflows: Workflows
    steps: tuple[Any, ...]

    def enqueue(self) -> WorkflowRef:
        """Enqueue the first step; each of the others follows when the one before has succeeded. Raises UsageError."""
        return self.workflows.enqueue(self)


class CallGroup(NamedTuple):
    """Calls at the same time, and one when all have succeeded: what `app.group(...)` returns."""

    workflows: Workflows
    parts: tuple[Any, ...]
    then: Call[Any] | None = None

    def enqueue(self) -> WorkflowRef:
        """Enqueue all parts at once. Raises UsageError."""
        return self.workflows.enqueue(self)


class _Compiled(NamedTuple):
    stages: tuple[Stage, ...]
    tree: Node


class Workflows:
    """Makes chains and groups of a project's calls, and enqueues them."""

    def __init__(self, definitions: Definitions, writer: Writer, enqueuer: Enqueuer) -> None:
        self._definitions = definitions
        self._writer = writer
        self._enqueuer = enqueuer

    def enqueue(self, whole: Chain | CallGroup) -> WorkflowRef:
        """Enqueue what begins it, and return what names all of it. Raises UsageError."""
        stages, tree = self._compile(whole, ())
        for step in stages[0]:
            if step.into and step.message.waits_for is None:
                raise UsageError(f"{step.message.task}: takes RESULT, but nothing comes before the first step")
        messages = begun(stages, None, self._definitions.installation.clock.now())
        for message in messages:
            if len(message.follow) > MOST_BYTES:
                raise UsageError(
                    f"{message.task}: what follows it has {len(message.follow)} bytes, {MOST_BYTES} are the most: "
                    f"pass ids instead of data, or enqueue the later steps from an earlier one"
                )
        self._enqueuer.post(messages)
        return WorkflowRef(self._definitions.installation, self._enqueuer.refs, tree)

    def _compile(self, node: Any, above: tuple[int, ...]) -> _Compiled:
        """Return the stages of a call, chain, group, or list of steps. `above` are the nodes it is in."""
        if isinstance(node, Call):
            step = self._writer.step(node)
            return _Compiled(((step,),), One(step.message.id))
        if id(node) in above:
            raise UsageError("a chain contains itself: it would never end")
        if len(above) >= MOST_DEPTH:
            raise UsageError(f"chains and groups are nested more than {MOST_DEPTH} deep")
        if isinstance(node, CallGroup):
            return self._group(node, (*above, id(node)))
        if isinstance(node, Chain | list | tuple):
            steps = node.steps if isinstance(node, Chain) else tuple(node)
            return self._chain(steps, (*above, id(node)))
        raise UsageError(f"{node!r} is no step: use task.call(...), app.chain(...) or app.group(...)")

    def _chain(self, steps: tuple[Any, ...], above: tuple[int, ...]) -> _Compiled:
        """Compile steps one after the other; the call behind a group that has no `then` becomes that."""
        if not steps:
            raise UsageError("a chain needs at least one step")
        stages: tuple[Stage, ...] = ()
        trees: list[Node] = []
        left = list(steps)
        while left:
            node = left.pop(0)
            if isinstance(node, CallGroup) and node.then is None and left:
                if not isinstance(left[0], Call):
                    raise UsageError(
                        "behind a group in a chain stands one call, which gets the results: group(..., then=)"
                    )
                node = node._replace(then=left.pop(0))
            compiled = self._compile(node, above)
            stages += compiled.stages
            trees.append(compiled.tree)
            if len(stages) > MOST_STEPS:
                raise UsageError(f"a chain of more than {MOST_STEPS} steps")
        return _Compiled(stages, Many(tuple(trees), is_ordered=True))

    def _group(self, group: CallGroup, above: tuple[int, ...]) -> _Compiled:
        if not group.parts:
            raise UsageError("a group needs at least one part")
        if len(group.parts) > MOST_STEPS:
            raise UsageError(f"a group of more than {MOST_STEPS} parts")
        parts = [self._compile(part, above) for part in group.parts]
        if group.then is None:
            if len(above) > 1 and any(len(part.stages[0]) > 1 for part in parts):
                raise UsageError("a group inside a group needs a `then`, which returns what counts as its result")
            steps = [step for part in parts for step in _entrance(part.stages)]
            return _Compiled((tuple(steps),), Many(tuple(part.tree for part in parts)))
        self._refuse_ack_first(parts)
        group_id = new_id()
        steps = [
            step for number, part in enumerate(parts) for step in _entrance(_counted(part.stages, group_id, number))
        ]
        callback = _callback(self._writer.step(group.then), group_id)
        tree = Gathered(tuple(part.tree for part in parts), One(callback.message.id))
        return _Compiled(((*steps, callback),), tree)

    def _refuse_ack_first(self, parts: Sequence[_Compiled]) -> None:
        for task in (self._definitions.registry.get(stage[-1].message.task) for part in parts for stage in part.stages):
            if task.options.ack_first:
                raise UsageError(
                    f"{task.name} has ack_first=True: its message is gone when it starts, so the `then` of its group "
                    f"would not wait for it; use a task without ack_first as a part"
                )


def _counted(stages: tuple[Stage, ...], group_id: str, part: int) -> tuple[Stage, ...]:
    """Return the stages of one part: the last step of each is what the group waits for."""
    counted = []
    for *others, carrier in stages:
        message = carrier.message._replace(group_id=group_id, part=part)
        counted.append((*others, carrier._replace(message=message)))
    return tuple(counted)


def _entrance(stages: tuple[Stage, ...]) -> Stage:
    """Return the first stage, whose last step takes the others along."""
    *others, carrier = stages[0]
    return (*others, carrier._replace(message=carrying(carrier.message, stages[1:])))


def _callback(step: Step, group_id: str) -> Step:
    """Return the step that waits for a group; the parameters for its results are filled in when it is run."""
    follow = written(read(step.message.follow) + Follow(into=step.into))
    return step._replace(message=step.message._replace(waits_for=group_id, follow=follow), into=())
