"""What `cronq backup` and `cronq restore` say of copies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cronq.cli.answer import Answer
from cronq.cli.text import count
from cronq.escape import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.cli.collection import Body
    from cronq.transports.abilities.copies import Copy

copy_file: Callable[[Body], Body] = click.argument("file", type=click.Path(dir_okay=False))


def written(file: str, copy: Copy) -> Answer:
    """Say what was copied to `file`, which is called as the person called it."""
    return Answer(lambda: [escaped(f"{file}: {_contents(copy)}, {_size(copy)}")], copy._asdict)


def put_back(copy: Copy, before: Copy) -> Answer:
    """Say what was restored, and where that is kept which was there before."""
    return Answer(
        lambda: [
            f"restored {_contents(copy)}",
            escaped(f"what was there ({_contents(before)}) is kept in {before.path}"),
        ],
        lambda: {"restored": copy._asdict(), "before": before._asdict()},
    )


def _contents(copy: Copy) -> str:
    return f"{count(copy.waiting, 'message')} waiting, {copy.failed} failed"


def _size(copy: Copy) -> str:
    kilobytes = copy.size / 1024
    return f"{kilobytes:.0f} KB" if kilobytes < 1024 else f"{kilobytes / 1024:.1f} MB"
