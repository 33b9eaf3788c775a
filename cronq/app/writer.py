"""Writing calls as messages: what a task call, its delivery and the configuration say together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cronq.app.call_terms import under_terms
from cronq.errors import UsageError
from cronq.messages.ids import new_id
from cronq.messages.message import Message
from cronq.messages.own_headers import as_bytes
from cronq.tasks.options import NOTHING_ASKED
from cronq.tasks.task import RESULT, Call, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cronq.app.definitions import Definitions
    from cronq.app.followers import Followers
    from cronq.app.project_hooks import BeforeEnqueue
    from cronq.messages.follow import Step
    from cronq.tasks.options import Delivery
    from cronq.tasks.task import Pairs

    Encode = Callable[[tuple[Any, ...], Mapping[str, Any]], bytes]


class Writer:
    """Writes messages. `hooks` add to the headers of each."""

    def __init__(self, definitions: Definitions, followers: Followers, hooks: Sequence[BeforeEnqueue]) -> None:
        self.definitions = definitions
        self._followers = followers
        self._hooks = hooks
        self._usual: dict[tuple[str, str | None], Message] = {}

    def messages(
        self,
        task: Task[..., Any],
        calls: Pairs,
        delivery: Delivery,
        encode: Encode | None = None,
    ) -> list[Message]:
        """Return calls of a task as messages, with what follows them. Raises ArgumentError, UsageError."""
        usual = self._usual.get((task.name, delivery.queue))
        if usual is None:
            self.definitions.own(task)
            queues = self.definitions.queues_for(task, delivery.queue)
            if len(queues) > 1:
                return self._in_each(queues, task, list(calls), delivery, encode)
            usual = self._usual_message(task, delivery.queue, queues[0])
        messages = self._unfollowed(usual, task, calls, delivery, encode)
        follow = self._followers.of(task, usual.queue)
        return [message._replace(follow=follow) for message in messages] if follow else messages

    def dispatched(self, message: object, delivery: Delivery) -> list[Message]:
        """Return a message object as messages: one for each of its handlers."""
        if isinstance(message, type | Call | Task):
            raise UsageError(_no_message(message))
        handlers = self.definitions.handlers(type(message))
        return [one for task in handlers for one in self.messages(task, [((message,), {})], delivery)]

    def written(self, wanted: Call[Any] | object) -> list[Message]:
        """Return a call, or a message object, as messages; what is a message already (out of an Unsent) as it is."""
        if isinstance(wanted, Message):
            return [wanted]
        if isinstance(wanted, Call):
            return self.messages(wanted.task, [(wanted.args, wanted.kwargs)], wanted.delivery)
        return self.dispatched(wanted, NOTHING_ASKED)

    def _in_each(
        self,
        queues: Sequence[str],
        task: Task[..., Any],
        calls: Pairs,
        delivery: Delivery,
        encode: Encode | None,
    ) -> list[Message]:
        """Return the messages for one queue after the other: first those of all calls for the first of them."""
        return [one for queue in queues for one in self.messages(task, calls, replace(delivery, queue=queue), encode)]

    def _unfollowed(
        self,
        usual: Message,
        task: Task[..., Any],
        calls: Pairs,
        delivery: Delivery,
        encode: Encode | None = None,
    ) -> list[Message]:
        is_usual = delivery is NOTHING_ASKED and not self._hooks and task.options.expires_s is None
        pattern = usual if is_usual else self._asked_for(task, delivery, usual)
        wanted = task.asked(delivery)
        calls = calls if wanted is None and task.options.label is None else list(calls)
        encode = encode or task.codec.encode
        messages = [pattern.with_call(new_id(), encode(args, kwargs)) for args, kwargs in calls]
        if task.options.label is not None:
            from cronq.app.call_labels import labelled

            messages = labelled(task, messages, calls)
        if wanted is None:
            return messages
        now, apart = self.definitions.installation.clock.now(), self.definitions.apart(task, delivery.queue)
        return under_terms(task, wanted, messages, calls, now, apart)

    def _usual_message(self, task: Task[..., Any], wanted: str | None, queue: str) -> Message:
        """Return what the messages of a task's calls look like when nothing else is asked for; looked up once."""
        attempts = self.definitions.policy(task, queue).max_attempts
        headers = as_bytes(task.options.headers)
        usual = Message("", queue, task.name, b"", headers, task.options.priority, max_attempts=attempts)
        self._usual[task.name, wanted] = usual
        return usual

    def _asked_for(self, task: Task[..., Any], delivery: Delivery, usual: Message) -> Message:
        now = self.definitions.installation.clock.now()
        expires_s = _expires_s(task, delivery)
        from cronq.tasks.own_options import as_headers

        own = as_headers(delivery)
        if delivery.timeout_s is not None and task.gather:
            raise UsageError(f"task {task.name}: a batch task runs many calls at once: timeout_s belongs to the task")
        retry = delivery.retry and self.definitions.changed(delivery.retry, usual.queue)
        has_own_headers = delivery.headers or own or self._hooks
        return usual._replace(
            headers=self._headers(own, task.options.headers, delivery.headers) if has_own_headers else usual.headers,
            max_attempts=usual.max_attempts if retry is None else retry.max_attempts,
            priority=usual.priority if delivery.priority is None else delivery.priority,
            available_at=delivery.available_at(now),
            expires_at=now + expires_s if expires_s else None,
        )

    def step(self, call: Call[Any], is_followed: bool = True) -> Step:
        """Return a call that will be enqueued when something before it has ended. Raises ArgumentError, UsageError."""
        from cronq.messages.follow import Step

        task, delivery = call.task, call.delivery
        body, into = task.codec.encode_open(call.args, call.kwargs, RESULT)
        self.definitions.own(task)
        queue = self.definitions.queue_for(task, delivery.queue)
        usual = self._usual_message(task, delivery.queue, queue)
        (message,) = self._unfollowed(usual, task, [(call.args, call.kwargs)], delivery, lambda args, kwargs: body)
        if is_followed:
            message = message._replace(follow=self._followers.of(task, queue))
        expires_s = _expires_s(task, delivery)
        not_before = 0.0 if delivery.at is None else message.available_at
        message = message._replace(available_at=not_before, expires_at=None)
        return Step(message, into, task.wait_s if message.gather else delivery.delay_s, expires_s)

    def follower(self, call: Call[Any]) -> Step:
        """Return a call that is made as often as something ends, and is followed by nothing.

        It is kept for all messages of a task, so it carries nothing of the one who enqueued the first.
        """
        step = self.step(call, is_followed=False)
        return step._replace(message=step.message._replace(id="", headers=as_bytes(call.task.options.headers)))

    def _headers(self, own: dict[str, str], *given: Mapping[str, str] | None) -> bytes:
        headers = {name: value for one in given if one for name, value in one.items()}
        for hook in self._hooks:
            returned: object = hook(headers)
            if returned is not None:
                from cronq.tasks.unrun import refuse_unrun_hook

                refuse_unrun_hook("before_enqueue", hook, returned)
        return as_bytes(headers | own)


def _expires_s(task: Task[..., Any], delivery: Delivery) -> float | None:
    return task.options.expires_s if delivery.expires_s is None else delivery.expires_s


def _no_message(given: type | Call[Any] | Task[..., Any]) -> str:
    """Say what would be right in place of what looks like a message and is none."""
    if isinstance(given, type):
        return f"{given.__qualname__} is a class: a message is an object of it, {given.__qualname__}(...)"
    if isinstance(given, Call):
        return f"a call of {given.task.name} is no message: call.enqueue() or app.enqueue(call) puts it into its queue"
    return f"{given!r} is no message: {given.name}.enqueue(...) puts a call of it into its queue"
