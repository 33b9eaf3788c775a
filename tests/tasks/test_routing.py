from __future__ import annotations

import pytest

from cronq import HighPriority, LowPriority, NormalPriority
from cronq.tasks.routing import queues_of_class


class Plain: ...


class Urgent(HighPriority): ...


class UrgentChild(Urgent): ...


class Both(LowPriority, HighPriority): ...


NAME = f"{__name__}."


@pytest.mark.parametrize(
    ("message_class", "routing", "queues"),
    [
        (Plain, {}, ()),
        (Urgent, {}, ("high",)),
        (UrgentChild, {}, ("high",)),
        (Both, {}, ("low",)),
        (type("Normal", (NormalPriority,), {}), {}, ("normal",)),
        (Plain, {NAME + "Plain": ("mail",)}, ("mail",)),
        (Urgent, {NAME + "Urgent": ("mail",)}, ("mail",)),
        (UrgentChild, {NAME + "Urgent": ("mail",)}, ("mail",)),
        (UrgentChild, {NAME + "Urgent": ("mail",), NAME + "UrgentChild": ("own",)}, ("own",)),
        (Urgent, {NAME + "UrgentChild": ("own",)}, ("high",)),
        (Urgent, {"cronq.tasks.routing.HighPriority": ("mail",)}, ("mail",)),
        (Urgent, {"Urgent": ("mail",)}, ("high",)),
    ],
)
def test_the_configuration_wins_over_the_marker_nearest_class_first(message_class, routing, queues):
    assert queues_of_class(message_class, routing) == queues
