"""The built-in task that reports the end of messages: registered when `[webhooks.NAME]` is configured.

It is a task like any other: its messages wait in a queue, are retried, and end in the failure queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.errors import GiveUp
from cronq.messages.follow import Follow
from cronq.tasks.context import Context  # noqa: TC001 - read from the annotation, when messages are decoded
from cronq.tasks.options import Delivery, Options
from cronq.tasks.retry import Retry
from cronq.tasks.routing import DEFAULT_QUEUE
from cronq.tasks.task import RESULT, Call, Task
from cronq.webhook.subscription import TASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from cronq.app.definitions import Definitions
    from cronq.config.settings import Settings
    from cronq.messages.follow import Step
    from cronq.tasks.task import Sender
    from cronq.transports.installation import Installation
    from cronq.webhook.subscription import On, Webhook

    StepOf = Callable[[Call[Any]], Step]

PATIENCE = Retry(max_attempts=10, delay_s=15, multiplier=3, max_delay_s=6 * 3600)  # 17 hours, all in all
LONGEST_S = 70.0  # for one attempt, whatever a receiver does to draw it out


def webhook_task(installation: Installation, sender: Sender) -> Task[..., Any]:
    """Return the task that delivers."""

    def deliver(webhook: str, event: dict[str, Any], on: str, context: Context) -> None:
        """Post to a webhook how a message has ended."""
        from cronq.webhook.delivery import News, post
        from cronq.webhook.signing_secret import secrets_of

        told = next((one for one in installation.settings.webhooks if one.name == webhook), None)
        if told is None:
            raise GiveUp(f"there is no [webhooks.{webhook}] any more")
        secrets = secrets_of(installation.state, told)
        post(told, secrets, News(context.message_id, on, event), installation.clock.now())

    return Task(deliver, TASK, Options(retry=PATIENCE, timeout_s=LONGEST_S), sender)


def reports(definitions: Definitions, step_of: StepOf, task: str, queue: str) -> Follow:
    """Return the deliveries that follow each message of a task in a queue. There is none about a delivery."""
    if task == TASK:
        return Follow()

    settings, deliver = definitions.installation.settings, definitions.registry.get(TASK)

    def step(webhook: Webhook, event: On) -> Step:
        arguments = {"webhook": webhook.name, "event": RESULT, "on": event}
        call = Call(deliver, (), arguments, Delivery(queue=queue_of(settings, webhook)))
        return step_of(call)._replace(without_arguments=not webhook.arguments)

    def steps(event: On) -> tuple[Step, ...]:
        told = [one for one in settings.webhooks if one.hears_of(event, task, queue)]
        return tuple(step(one, event) for one in told)

    return Follow(finished=steps("finished"), failed=steps("failed"))


def queue_of(settings: Settings, webhook: Webhook) -> str:
    """Return where the deliveries of a webhook wait: the default queue, or the least important one that is served."""
    served = [queue for group in settings.groups for queue in group.queues] or [DEFAULT_QUEUE]
    return webhook.queue or (DEFAULT_QUEUE if DEFAULT_QUEUE in served else served[-1])
