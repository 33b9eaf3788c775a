"""The built-in task that reports the end of messages: registered when `[webhooks.NAME]` is configured.

It is a task like any other: its messages wait in a queue, are retried, and end in the failure queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cronq.messages.follow import Follow
from cronq.tasks.context import Context  # noqa: TC001 - read from the annotation, when messages are decoded
from cronq.tasks.retry import Retry
from cronq.tasks.routing import DEFAULT_QUEUE
from cronq.tasks.task import Delivery, Options, Task
from cronq.webhook.subscription import TASK

if TYPE_CHECKING:
    from cronq.app.application import App
    from cronq.messages.follow import Step
    from cronq.webhook.subscription import On, Webhook

PATIENCE = Retry(max_attempts=10, delay_s=15, multiplier=3, max_delay_s=6 * 3600)  # 17 hours, all in all
LONGEST_S = 70.0  # for one attempt, whatever a receiver does to draw it out


def add_to(app: App) -> None:
    """Register the task that delivers."""

    def deliver(webhook: str, event: dict[str, Any], on: str, context: Context) -> None:
        """Post to a webhook how a message has ended."""
        from cronq.webhook.delivery import post

        post(app, webhook, on, event, context.message_id)

    app.registry.add(Task(deliver, TASK, Options(retry=PATIENCE, timeout_s=LONGEST_S), app))


def reports(app: App, task: str, queue: str) -> Follow:
    """Return the deliveries that follow each message of a task in a queue. There is none about a delivery."""
    if task == TASK:
        return Follow()

    def steps(event: On) -> tuple[Step, ...]:
        return tuple(_step(app, one, event) for one in app.settings.webhooks if one.hears_of(event, task, queue))

    return Follow(finished=steps("finished"), failed=steps("failed"))


def queue_of(app: App, webhook: Webhook) -> str:
    """Return where the deliveries of a webhook wait: the default queue, or the least important one that is served."""
    served = [queue for group in app.settings.groups for queue in group.queues] or [DEFAULT_QUEUE]
    return webhook.queue or (DEFAULT_QUEUE if DEFAULT_QUEUE in served else served[-1])


def _step(app: App, webhook: Webhook, event: On) -> Step:
    from cronq.tasks.call import RESULT, Call

    arguments = {"webhook": webhook.name, "event": RESULT, "on": event}
    call = Call(app.registry.get(TASK), (), arguments, Delivery(queue=queue_of(app, webhook)))
    return app.writer.follower(call)._replace(without_arguments=not webhook.arguments)
