"""The click group. Each command is a file of its own, imported when it is used."""

from __future__ import annotations

import importlib
import sys
from io import StringIO, TextIOWrapper
from typing import TYPE_CHECKING

import click

import cronq
from cronq.cli.error_text import complaint
from cronq.errors import CronqError
from cronq.escape import escaped, escaped_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

CHAPTERS: dict[str, tuple[str, ...]] = {
    "Set up": ("init", "check", "crontab", "completion"),
    "Look and steer": ("status", "queues", "tasks", "schedule", "messages", "failed", "stop"),
    "Keep safe": ("backup", "restore"),
    "Work by hand": ("enqueue", "run", "drain"),
    "What cron runs": ("tick", "consume"),
}
NAMES: tuple[str, ...] = tuple(name for names in CHAPTERS.values() for name in names)


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in NAMES and not ctx.resilient_parsing:
            ctx.fail(_unknown(args[0]))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what people want to do, not by the alphabet."""
        for chapter, names in CHAPTERS.items():
            found = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(chapter):
                formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in found if command])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(cronq.__version__, prog_name="cronq")
@click.option(
    "--config",
    type=click.Path(dir_okay=False),
    help="The configuration file (default: $CRONQ_CONFIG, else ./cronq.toml).",
)
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Background work by cron: priority queues, time-limited consumers, no daemon.

    Start with `cronq init`. One crontab line, which it prints, keeps everything going.
    `cronq COMMAND --help` tells more, with an example.
    """
    context.obj = config


def run(words: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # no character of others is a reason to end, however old the terminal
            stream.reconfigure(errors="backslashreplace")
    try:
        result = cli.main(args=list(words), prog_name="cronq", standalone_mode=False)
    except click.exceptions.Abort:
        sys.stderr.write("cronq: interrupted\n")
        return 1
    except click.ClickException as error:  # click shows words of the command line as they were given
        shown = StringIO()
        error.show(shown)
        sys.stderr.write(escaped_lines(shown.getvalue().replace(click.unstyle(error.message), escaped(error.message))))
        return 2
    except CronqError as error:
        sys.stderr.write(f"cronq: {complaint(error)}\n")
        return error.exit_code
    except OSError as error:  # a full disk, a file of somebody else: the user's business, not a fault of the program
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"cronq: {escaped(f'{where}{error.strerror or error}')}\n")
        return 1
    return result if isinstance(result, int) else 0


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, NAMES, n=2)
    return f"no such command {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "")
