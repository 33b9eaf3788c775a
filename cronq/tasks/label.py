"""How a call is called in lists and logs: text made of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cronq.errors import ArgumentError, OptionError
from cronq.tasks.key_template import read, rendered
from cronq.tasks.terms import called
from cronq.tasks.unrun import unrun_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

Label = str | Callable[..., str]

LABEL_LENGTH = 100  # characters: a line of a list


def check_label(label: object) -> None:
    """Raise OptionError for what can be no label."""
    if callable(label):
        return
    if not isinstance(label, str) or not label:
        raise OptionError(
            f'label = {label!r}: must be text, such as "order {{order_id}}", or a function that returns it'
        )
    read("label", label)


def label_of_call(
    task: str, label: Label, args: tuple[Any, ...], kwargs: Mapping[str, Any], named: Callable[[], Mapping[str, Any]]
) -> str:
    """Return the label of one call, on one line; `named` tells its arguments by name. Raises ArgumentError."""
    made = (
        rendered(task, label, named)
        if isinstance(label, str)
        else called(f"task {task}: its label", label, args, kwargs)
    )
    if not isinstance(made, str):
        raise ArgumentError(f"task {task}: its label must be text, not {unrun_in_words(made) or repr(made)[:100]}")
    line = " ".join(made.split()).encode("utf-8", "replace").decode()
    return line if len(line) <= LABEL_LENGTH else f"{line[: LABEL_LENGTH - 1]}…"
