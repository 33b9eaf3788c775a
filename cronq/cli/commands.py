"""The click group. Each command is a file of its own, imported when it is used."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import click

import cronq
from cronq.errors import CronqError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("init", "check", "crontab", "tick", "consume", "drain", "status", "enqueue", "queues", "stop")


class Commands(click.Group):
    """Finds the command `status` in `cronq.cli.cmd_status`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in NAMES:
            return None
        module = importlib.import_module(f"cronq.cli.cmd_{cmd_name}")
        command: click.Command = module.command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(cronq.__version__, prog_name="cronq")
@click.option("--config", type=click.Path(dir_okay=False), help="The configuration file (default: $CRONQ_CONFIG, else ./cronq.toml).")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Background work by cron: priority queues, time-limited consumers, no daemon.

    Start with `cronq init`. One crontab line, which it prints, keeps everything going.
    """
    context.obj = config


def run(words: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    try:
        result = cli.main(args=list(words), prog_name="cronq", standalone_mode=False)
    except click.exceptions.Abort:
        sys.stderr.write("cronq: interrupted\n")
        return 1
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except CronqError as error:
        sys.stderr.write(f"cronq: {error}\n")
        return error.exit_code
    return result if isinstance(result, int) else 0
