from __future__ import annotations

import pytest

from cronq import errors
from cronq.messages import attempts
from cronq.messages.causes import Memory, of_silent_death

WHO = "consumer high.0 (pid 7)"


@pytest.mark.parametrize(
    ("memory", "error_class", "why"),
    [
        (Memory(), "Killed", "killed by a signal, or crashed"),
        (Memory(60, (256,)), "Killed", "killed by a signal, or crashed; last seen at 60 of 256 MB"),
        (Memory(60), "Killed", "killed by a signal, or crashed; last seen at 60 MB"),
        (Memory(0, (256,)), "Killed", "killed by a signal, or crashed"),
        (Memory(217, (256,)), "Killed", "killed by a signal, or crashed; last seen at 217 of 256 MB"),
        (Memory(218, (256,)), "OutOfMemory", "probably out of memory, last seen at 218 of 256 MB"),
        (Memory(300, (256,)), "OutOfMemory", "probably out of memory, last seen at 300 of 256 MB"),
        (Memory(120, (256, 128)), "OutOfMemory", "probably out of memory, last seen at 120 of 128 MB"),
        (Memory(60, (256,), 1), "OutOfMemory", "the kernel has killed for lack of it, last seen at 60 of 256 MB"),
        (Memory(0, (), 1), "OutOfMemory", "out of memory: the kernel has killed for lack of it"),
    ],
)
def test_what_is_known_of_the_memory_tells_a_kill_from_a_lack_of_it(memory, error_class, why):
    cause = of_silent_death(WHO, memory)
    assert cause.error_class == error_class
    assert cause.text.startswith(f"{WHO} died while running it: ")
    assert cause.text.endswith(why)


def test_the_error_classes_of_deaths_are_the_names_of_what_retry_policies_see():
    names = (errors.Killed.__name__, errors.OutOfMemory.__name__, errors.TaskTimeout.__name__)
    assert names == (attempts.KILLED, attempts.OUT_OF_MEMORY, attempts.TIMED_OUT)
