"""Commands about things of one kind: `cronq queues`, `cronq tasks`, `cronq failed`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from cronq.cli.common import bare_app, config_option, settings_of

Body = Callable[..., Any]


def queues_alone(context: click.Context) -> Any:
    """Open the queues without importing the project."""
    return bare_app(settings_of(context))


class Collection(click.Group):
    """A command whose own commands, `list` among them, are about things of one kind. Alone it lists them.

    Each of them takes `--config`, and receives first what `opened` returns: the App, for most.
    """

    def __init__(self, name: str, summary: str, example: str, opened: Body = queues_alone) -> None:
        lists = f"Without a command it lists them, as `cronq {name} list`."
        text = f"{summary}\n\n{lists}\n\nExample: {example}"
        super().__init__(name, help=text, invoke_without_command=True, callback=click.pass_context(self._list))
        config_option(self)
        self._opened = opened

    def has(self, name: str, text: str | None = None) -> Callable[[Body], click.Command]:
        """Make a command of a function, whose docstring is its help where there is no `text`."""

        def made(function: Body) -> click.Command:
            @wraps(function)
            def body(**options: Any) -> Any:
                return function(self._opened(click.get_current_context()), **options)

            return config_option(self.command(name, help=text)(body))

        return made

    def _list(self, context: click.Context) -> Any:
        if context.invoked_subcommand is not None:
            return None
        command = self.commands["list"]
        with command.make_context("list", [], parent=context) as own:
            return command.invoke(own)
