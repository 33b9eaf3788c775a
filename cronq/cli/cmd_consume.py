"""cronq consume: run messages in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cronq.cli.common import config_option, duration, settings_of
from cronq.errors import UsageError

if TYPE_CHECKING:
    from cronq.config.settings import Settings


@click.command("consume")
@click.argument("target", metavar="[GROUP]", required=False)
@click.option("--queue", "queues", multiple=True, help="Serve this queue instead of a group; several in strict order.")
@click.option("--limit", type=click.IntRange(1), help="Leave after so many messages.")
@click.option("--time-limit", "time_limit_s", type=duration, help="Leave after so long, such as 55 or 10m.")
@click.option("--memory-limit", "memory_limit_mb", type=click.IntRange(8), help="Leave when larger than so many MB.")
@click.option("--failure-limit", type=click.IntRange(1), help="Leave after so many failed attempts.")
@click.option("--sleep", "sleep_s", type=duration, help="Look again after so long when nothing wakes it.")
@click.option("--stop-when-empty", is_flag=True, help="Leave when nothing is ready.")
@config_option
@click.pass_context
def command(
    context: click.Context, /, target: str | None, queues: tuple[str, ...], stop_when_empty: bool, **limits: Any
) -> int:
    """Run messages until a limit is reached. The tick starts `cronq consume GROUP`; people may as well.

    Example: cronq consume --queue high --queue normal --time-limit 10m
    """
    from cronq.app.assignment import ad_hoc, assignment
    from cronq.app.process import consume

    settings = settings_of(context)
    if target is not None and queues:
        raise UsageError("give a group or --queue, not both")
    assigned = assignment(settings, target) if target is not None else ad_hoc(queues or _all_queues(settings))
    given = {name: value for name, value in limits.items() if value is not None}
    assigned = assigned._replace(group=assigned.group._replace(**given))
    return consume(settings, assigned, stop_when_empty)


def _all_queues(settings: Settings) -> tuple[str, ...]:
    served = [queue for group in settings.groups for queue in group.queues] or list(settings.inline.queues)
    return tuple(dict.fromkeys(served))
