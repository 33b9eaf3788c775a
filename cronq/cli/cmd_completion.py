"""cronq completion: have the shell complete commands, tasks, queues, groups and ids."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cronq.cli.common import configured

SHELLS = ("bash", "zsh", "fish")


@configured("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(context: click.Context, /, shell: str) -> None:
    """Print what makes a shell complete commands, names and ids.

    These are tasks, queues, groups, schedules and messages, each where it fits, and all options.

    \b
    bash, in ~/.bashrc:                     eval "$(cronq completion bash)"
    zsh, in ~/.zshrc, after compinit:       eval "$(cronq completion zsh)"
    fish, in ~/.config/fish/config.fish:    cronq completion fish | source

    Tasks and schedules are found by importing the project, for three seconds at most.

    Example: cronq completion bash
    """
    kind = get_completion_class(shell)
    if kind is None:  # click has all three
        raise click.ClickException(f"click knows no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, "cronq", "_CRONQ_COMPLETE").source())
