"""What a call may return that has not run yet, and so must not be taken for done."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator

from cronq.errors import GiveUp

_WORDS: dict[type, str] = {
    Coroutine: "a coroutine",
    Generator: "a generator",
    AsyncGenerator: "an asynchronous generator",
    Awaitable: "an awaitable",
}
_UNRUN = tuple(_WORDS)


def refuse_unrun(who: str, *values: object) -> None:
    """Raise GiveUp, since no further attempt would do more, when one of what a call has returned is run by nobody.

    Coroutines and generators are closed: Python would complain that they were never awaited.
    """
    unrun = [value for value in values if isinstance(value, _UNRUN)]
    if not unrun:
        return
    for value in unrun:
        if isinstance(value, Coroutine | Generator):
            value.close()
    first = unrun[0]
    words = next(words for kind, words in _WORDS.items() if isinstance(first, kind))
    raise GiveUp(
        f"{who}: a call returned {words} ({type(first).__name__}), so nothing has run: make it a plain function, "
        f"which may use asyncio.run()"
    )
