"""`pause NAME` and `resume NAME`, for whatever can be paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cronq.cli.text import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app import App
    from cronq.cli.collection import Collection
    from cronq.cli.completions import Completer


class Pauses:
    """The two commands of a collection. They raise UsageError for a name that is none of its things'."""

    def __init__(self, collection: Collection, word: str, completer: Completer, example: str) -> None:
        self._collection = collection
        self._name = click.argument("name", metavar=word, shell_complete=completer)
        self._example = example

    def pause(self, function: Callable[[App, str], None], meaning: str) -> None:
        """Have `function` pause what is named; `meaning` says in the help what that keeps from being taken."""
        kind = self._collection.name

        def pause(app: App, name: str) -> None:
            function(app, name)
            say(f"{name} is paused; `cronq {kind} resume {name}` ends that")

        self._add("pause", pause, f"{meaning} What runs, runs to its end; new messages are accepted and wait.")

    def resume(self, function: Callable[[App, str], str], meaning: str) -> None:
        """Have `function` resume what is named, and return what is to be said of it."""
        self._add("resume", lambda app, name: say(f"{name} {function(app, name)}"), meaning)

    def _add(self, verb: str, body: Callable[[App, str], None], meaning: str) -> None:
        text = f"{meaning}\n\nExample: cronq {self._collection.name} {verb} {self._example}"
        self._collection.has(verb, text)(self._name(body))
