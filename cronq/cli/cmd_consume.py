"""cronq consume: run messages in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cronq.cli import completions
from cronq.cli.common import configured, duration, settings_of
from cronq.cli.limit_options import limit_options
from cronq.config.kinds import refuse_bad_queue_names
from cronq.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.config.settings import Settings
    from cronq.consumer.runner import Runner


@configured("consume")
@click.argument("targets", metavar="[GROUP]...", nargs=-1, shell_complete=completions.groups)
@click.option(
    "--queue",
    "queues",
    multiple=True,
    shell_complete=completions.queues,
    help="Serve this queue instead of a group; several in strict order.",
)
@limit_options
@click.option("--sleep", "sleep_s", type=duration, help="Look again after so long when nothing wakes it.")
@click.option("--stop-when-empty", is_flag=True, help="Leave when nothing is ready.")
@click.option(
    "-v", "verbosity", count=True, help="Tell when a message begins and how it ended; -vv with arguments and results."
)
def command(
    context: click.Context,
    /,
    targets: tuple[str, ...],
    queues: tuple[str, ...],
    stop_when_empty: bool,
    verbosity: int,
    **limits: Any,
) -> int:
    """Run messages until a limit is reached. The tick starts `cronq consume GROUP`; people may as well.

    Of several groups, one consumer each is forked from this process once the project is imported.

    Example: cronq consume --queue high --queue normal --time-limit 10m
    """
    from cronq.runtime.assignment import ad_hoc, assignment
    from cronq.runtime.launcher import launch

    settings = settings_of(context)
    if targets and queues:
        raise UsageError("give a group or --queue, not both")
    try:
        refuse_bad_queue_names(queues)
    except ValueError as error:
        raise UsageError(f"--queue: {error}") from None
    named = [assignment(settings, target) for target in targets]
    assigned = named or [ad_hoc(queues or _all_queues(settings))]
    given = {name: value for name, value in limits.items() if value is not None}
    limited = [one._replace(group=one.group.changed(**given)) for one in assigned]
    return launch(settings, limited, stop_when_empty, _makes(verbosity))


def _makes(verbosity: int) -> Callable[..., Runner] | None:
    if not verbosity:
        return None
    from cronq.cli.narrated_runner import narrated

    return narrated(verbosity)


def _all_queues(settings: Settings) -> tuple[str, ...]:
    served = [queue for group in settings.groups for queue in group.queues] or list(settings.inline.queues)
    return tuple(dict.fromkeys(served))
