"""What a call may return that has not run yet, and so must not be taken for done."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Coroutine, Generator

from cronq.errors import GiveUp, UsageError

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
    said = list(filter(None, map(unrun_in_words, values)))
    if said:
        raise GiveUp(
            f"{who}: a call returned {said[0]}, so nothing has run: make it a plain function, which may use "
            f"asyncio.run()"
        )


def refuse_unrun_hook(kind: str, hook: object, returned: object) -> None:
    """Raise UsageError when what a hook has returned is run by nobody: a decorator may hide that it is a coroutine."""
    said = unrun_in_words(returned)
    if said is not None:
        raise UsageError(
            f"@app.{kind}: {getattr(hook, '__qualname__', hook)} returned {said}, so nothing has run: make it a plain "
            f"function"
        )


def unrun_in_words(value: object) -> str | None:
    """Say what a value is that nobody has run, and close it; None for any other."""
    if not isinstance(value, _UNRUN):
        return None
    if isinstance(value, Coroutine | Generator):
        value.close()
    words = next(words for kind, words in _WORDS.items() if isinstance(value, kind))
    return f"{words} ({type(value).__name__})"
