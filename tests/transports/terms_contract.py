"""What every transport does about the terms of messages. Every transport's test module subclasses this."""

from __future__ import annotations

from math import inf

import pytest

from cronq.messages import reasons
from cronq.messages.ids import enqueued_at
from cronq.messages.message import UNTIL_DONE, WHILE_WAITING, Ack, Continue, Fail, Release, State
from cronq.messages.rate import parse
from cronq.schedules.stored import Firing
from cronq.transports.exchange import Want
from cronq.transports.verdict import Evidence
from tests.transports.contract import ME, OTHER, TransportContract, message
from tests.transports.schedules_contract import schedule

ENDINGS = {
    "ack": Ack,
    "keep": lambda one: Ack(one, b"1", 60),
    "release": lambda one: Release(one, error="boom"),
    "fail": lambda one: Fail(one, "no"),
    "continue": lambda one: Continue(one, b"1"),
}


def ids(messages) -> list[str]:
    return [one.id for one in messages]


class TermsContract(TransportContract):
    def bring_to(self, transport, clock, state, sent) -> None:
        """Enqueue a message and bring it into a state."""
        transport.enqueue([sent])
        if state is State.BLOCKED:
            transport.pause_task(sent.task, paused=True)
        if state not in {State.READY, State.DELAYED}:
            taken = self.reserve(transport).messages
        ending = {State.FAILED: lambda one: Fail(one, "no"), State.DONE: lambda one: Ack(one, b"1", 60)}.get(state)
        if ending:
            transport.exchange(ME, [ending(one) for one in taken], None)
        assert self.state_of(transport, sent) is state

    def work(self, transport, rates=(), *, limit=10, outcomes=(), position=1):
        known = {name: parse(rate) for name, rate in dict(rates).items()}
        return transport.exchange(ME, outcomes, Want(["high"], 1e12, limit, position, (), known)).messages

    # unique

    @pytest.mark.parametrize(
        ("state", "until", "absorbs"),
        [
            (State.READY, WHILE_WAITING, True),
            (State.DELAYED, WHILE_WAITING, True),
            (State.BLOCKED, WHILE_WAITING, True),
            (State.RESERVED, WHILE_WAITING, False),
            (State.FAILED, WHILE_WAITING, False),
            (State.DONE, WHILE_WAITING, False),
            (State.READY, UNTIL_DONE, True),
            (State.DELAYED, UNTIL_DONE, True),
            (State.BLOCKED, UNTIL_DONE, True),
            (State.RESERVED, UNTIL_DONE, True),
            (State.FAILED, UNTIL_DONE, False),
            (State.DONE, UNTIL_DONE, False),
            *[(state, "ahead", True) for state in State],
            *[(state, "past", False) for state in State],
        ],
    )
    def test_a_second_message_of_a_key_is_absorbed_while_the_first_counts(
        self, transport, clock, state, until, absorbs
    ):
        until = {"ahead": clock.now() + 100, "past": clock.now() - 1}.get(until, until)
        later = clock.now() + 50 if state is State.DELAYED else 0.0
        first = message(unique_key="k", unique_until=until, available_at=later)
        self.bring_to(transport, clock, state, first)
        second = message(unique_key="k", unique_until=until)
        assert transport.enqueue([second]) == ({second.id: first.id} if absorbs else {})
        assert (transport.find(second.id) is None) is absorbs

    def test_another_key_is_another_message(self, transport):
        transport.enqueue([message(unique_key="k")])
        assert transport.enqueue([message(unique_key="l"), message()]) == {}

    def test_two_of_a_key_in_one_call_are_one(self, transport):
        first, second = message(unique_key="k"), message(unique_key="k")
        assert transport.enqueue([first, message(), second]) == {second.id: first.id}
        assert transport.depth(["high"], 9) == 2

    def test_a_finished_message_is_kept_as_long_as_it_is_unique(self, transport, clock):
        sent = message(unique_key="k", unique_until=clock.now() + 100)
        transport.enqueue([sent])
        self.reserve(transport, outcomes=[Ack(one) for one in self.reserve(transport).messages])
        assert transport.find(sent.id).keep_until == clock.now() + 100
        clock.advance(101)
        assert transport.enqueue([message(unique_key="k")]) == {}
        assert transport.prune(60, 10) == 1

    def test_a_rescued_message_is_kept_as_long_as_it_is_unique(self, transport, clock):
        sent = message(unique_key="k", unique_until=clock.now() + 100)
        transport.enqueue([sent])
        self.reserve(transport)
        transport.rescue(ME, Evidence("killed", finished_below=2, certain=True))
        assert self.state_of(transport, sent) is State.DONE

    def test_one_that_replaces_gives_the_waiting_one_all_it_brings(self, transport, clock):
        first = message(
            unique_key="k", follow=b'{"stages":[],"finished":[],"failed":[],"into":["x"]}', group_id="g", part=2
        )
        transport.enqueue([first])
        new = message(
            "low",
            unique_key="k",
            unique_until=UNTIL_DONE,
            replaces=inf,
            body=b'{"to":"eve"}',
            headers=b"{}",
            priority=5,
            max_attempts=9,
            expires_at=clock.now() + 99,
            running_key="r",
            max_running=2,
        )
        assert transport.enqueue([new]) == {new.id: first.id}
        expected = new._replace(
            id=first.id,
            follow=b'{"stages":[],"finished":[],"failed":[],"into":["x"]}',
            group_id="g",
            part=2,
            replaces=0.0,
        )
        assert transport.find(first.id).message == expected

    @pytest.mark.parametrize("state", [State.RESERVED, State.DONE, State.FAILED])
    def test_one_that_replaces_leaves_what_does_not_wait_alone(self, transport, clock, state):
        first = message(unique_key="k", unique_until=clock.now() + 100)
        self.bring_to(transport, clock, state, first)
        transport.enqueue([message(unique_key="k", replaces=inf, body=b"{}")])
        record = transport.find(first.id)
        assert (record.message.body, record.state) == (first.body, state)

    def test_one_that_replaces_puts_off_the_waiting_one_no_longer_than_it_says(self, transport, clock):
        first = message(unique_key="k")
        clock.wall = enqueued_at(first.id)
        transport.enqueue([first._replace(available_at=clock.now() + 5)])
        for _ in range(10):
            clock.advance(4)
            transport.enqueue([message(unique_key="k", replaces=20.0, available_at=clock.now() + 5)])
        assert transport.find(first.id).message.available_at == enqueued_at(first.id) + 20

    def test_a_blocked_message_that_is_replaced_is_looked_at_anew(self, transport):
        first = message(unique_key="k")
        transport.pause_task(first.task, paused=True)
        transport.enqueue([first])
        self.reserve(transport)
        transport.enqueue([message(unique_key="k", replaces=inf, task="shop:pack")])
        assert ids(self.reserve(transport).messages) == [first.id]

    def test_what_follows_an_ending_is_absorbed_too(self, transport):
        standing, running = message("low", unique_key="k"), message()
        transport.enqueue([standing, running])
        (taken,) = self.reserve(transport).messages
        second = message("low", unique_key="k")
        transport.exchange(ME, [Ack(taken, then=(second,))], None)
        assert transport.find(second.id) is None

    def test_a_scheduled_message_is_absorbed_too(self, transport):
        standing = message(unique_key="k")
        transport.enqueue([standing])
        transport.declare("code", [schedule()])
        second = message(unique_key="k")
        transport.fire(Firing(schedule(), 2e9, [second]))
        assert transport.find(second.id) is None
        assert transport.schedules()[0].last_message_id == standing.id

    def test_a_retry_comes_back_though_its_key_was_taken_meanwhile(self, transport):
        first, second = message(unique_key="k"), message(unique_key="k")
        transport.enqueue([first])
        taken = self.reserve(transport).messages
        transport.enqueue([second])
        self.work(transport, outcomes=[Release(one, error="boom") for one in taken], limit=0)
        assert ids(self.reserve(transport, position=2).messages) == [first.id, second.id]

    # max_running

    def running(self, key="r", most=1, **fields):
        return message(running_key=key, max_running=most, **fields)

    def test_no_more_of_a_running_key_are_reserved_than_it_allows(self, transport):
        sent = [self.running(most=2) for _ in range(4)]
        transport.enqueue(sent)
        assert ids(self.reserve(transport).messages) == ids(sent[:2])
        record = transport.find(sent[2].id)
        assert (record.state, record.blocked_by) == (State.BLOCKED, "running:r")
        assert (transport.depth(["high"], 9), transport.counts()[0].blocked) == (0, 2)

    def test_a_batch_counts_each_of_a_key_and_takes_others_past_them(self, transport):
        first, second, other = self.running(), self.running(), message()
        transport.enqueue([first, second, other])
        assert ids(self.reserve(transport, limit=2).messages) == [first.id, other.id]

    def test_running_keys_hold_across_holders_and_queues(self, transport):
        transport.enqueue([self.running(), self.running(queue="low")])
        assert len(self.reserve(transport, "high", "low").messages) == 1
        assert self.reserve(transport, "high", "low", holder=OTHER).messages == []

    @pytest.mark.parametrize("ends", ENDINGS)
    def test_every_ending_frees_the_next(self, transport, ends):
        first, second = self.running(), self.running()
        transport.enqueue([first, second])
        (taken,) = self.reserve(transport, limit=1).messages
        self.reserve(transport, holder=OTHER)
        assert self.state_of(transport, second) is State.BLOCKED
        transport.exchange(ME, [ENDINGS[ends](taken)], None)
        assert self.state_of(transport, second) is State.READY

    @pytest.mark.parametrize("below", [0, 2])
    def test_a_rescue_frees_the_next(self, transport, below):
        first, second = self.running(), self.running()
        transport.enqueue([first, second])
        self.reserve(transport)
        transport.rescue(ME, Evidence("killed", finished_below=below, running=1, certain=True))
        assert self.state_of(transport, second) is State.READY

    def test_the_freed_come_in_the_order_of_their_priority(self, transport):
        sent = [self.running(priority=number) for number in (9, 0, 1)]
        transport.enqueue(sent)
        (taken,) = self.reserve(transport).messages
        (second,) = self.reserve(transport, outcomes=[Ack(taken)], position=2).messages
        assert second.id == sent[2].id

    def test_a_freed_message_in_a_paused_queue_does_not_keep_others_waiting(self, transport):
        sent = [self.running(), self.running(queue="a"), self.running(queue="b")]
        transport.enqueue(sent)
        (taken,) = self.reserve(transport, "high", "a", "b").messages
        transport.pause("a", paused=True)
        got = self.reserve(transport, "a", "b", outcomes=[Ack(taken)], position=2).messages
        assert ids(got) == [sent[2].id]

    def test_removing_a_freed_message_frees_the_next(self, transport):
        sent = [self.running() for _ in range(3)]
        transport.enqueue(sent)
        (taken,) = self.reserve(transport).messages
        transport.exchange(ME, [Ack(taken)], None)
        transport.remove([sent[1].id])
        assert self.state_of(transport, sent[2]) is State.READY

    def test_a_freed_message_whose_task_was_paused_makes_room_for_another(self, transport):
        sent = [self.running(), self.running(task="shop:pack"), self.running()]
        transport.enqueue(sent)
        (taken,) = self.reserve(transport).messages
        transport.pause_task("shop:pack", paused=True)
        self.reserve(transport, outcomes=[Ack(taken)], position=2)
        assert ids(self.reserve(transport, position=3).messages) == [sent[2].id]

    # rates

    def test_no_more_are_reserved_in_any_window_than_a_rate_allows(self, transport, clock):
        transport.enqueue([message() for _ in range(300)])
        times, position = [], 1
        for _ in range(400):
            got = self.work(transport, {"task:shop:send": "10/m"}, position=position)
            transport.exchange(ME, [Ack(one) for one in got], None)
            times += [clock.now()] * len(got)
            position += len(got)
            clock.advance(1.7)
        assert len(times) > 100
        assert max(sum(one <= at < one + 60 for at in times) for one in times) == 10

    def test_a_queue_may_have_a_rate_as_well_and_both_hold(self, transport):
        transport.enqueue([message() for _ in range(3)] + [message(task="shop:pack") for _ in range(3)])
        rates = {"task:shop:send": "1/m", "queue:high": "3/m"}
        assert [one.task for one in self.work(transport, rates)] == ["shop:send", "shop:pack", "shop:pack"]
        by = {record.message.id: record.blocked_by for record in transport.browse(State.BLOCKED)}
        assert sorted(by.values()) == ["rate:queue:high", "rate:task:shop:send", "rate:task:shop:send"]

    def test_what_a_rate_holds_back_is_counted_and_announced_when_its_time_comes(self, transport, clock):
        transport.enqueue([message() for _ in range(5)])
        assert len(self.work(transport, {"task:shop:send": "2/m"})) == 2
        assert transport.depth(["high"], 9) == 0
        at = transport.next_at(["high"])
        assert clock.now() + 60 < at < clock.now() + 62
        assert transport.next_at(["low"]) is None
        clock.wall = at
        assert (transport.depth(["high"], 9), transport.depth(["high"], 1), transport.depth(["low"], 9)) == (2, 1, 0)
        assert len(self.work(transport, {"task:shop:send": "2/m"}, position=3)) == 2

    def test_a_later_message_of_a_higher_priority_comes_before_those_a_rate_held_back(self, transport, clock):
        transport.enqueue([message() for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/s"})
        high = message(priority=1)
        transport.enqueue([high])
        clock.advance(2)
        assert ids(self.work(transport, {"task:shop:send": "1/s"}, position=2)) == [high.id]

    def test_a_rate_that_is_no_longer_in_force_holds_nothing_back(self, transport):
        transport.enqueue([message() for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/d"})
        assert len(self.work(transport, position=2)) == 2

    def test_a_rate_that_was_raised_counts_what_was_spent(self, transport):
        transport.enqueue([message() for _ in range(9)])
        self.work(transport, {"task:shop:send": "2/m"})
        assert len(self.work(transport, {"task:shop:send": "5/m"}, position=3)) == 3

    def test_a_clock_that_is_set_back_holds_a_rate_up_for_one_window_at_most(self, transport, clock):
        transport.enqueue([message() for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/m"})
        clock.advance(-86400)
        assert transport.depth(["high"], 9) == 1
        assert self.work(transport, {"task:shop:send": "1/m"}, position=2) == []
        assert transport.depth(["high"], 9) == 0
        clock.wall = transport.next_at(["high"])
        assert len(self.work(transport, {"task:shop:send": "1/m"}, position=2)) == 1

    def test_tasks_that_are_not_wanted_are_left_when_a_rate_allows_them(self, transport, clock):
        transport.enqueue([message() for _ in range(3)])
        self.work(transport, {"task:shop:send": "1/s"})
        clock.advance(2)
        want = Want(["high"], 1e12, 10, 2, ["shop:send"], {"task:shop:send": parse("1/s")})
        assert transport.exchange(ME, [], want).messages == []

    # paused tasks

    def test_a_paused_task_waits_until_it_is_resumed_and_others_go_on(self, transport):
        sent, other = message(), message(task="shop:pack")
        transport.enqueue([sent, other])
        transport.pause_task("shop:send", paused=True)
        assert ids(self.reserve(transport).messages) == [other.id]
        assert (transport.paused_tasks(), transport.find(sent.id).blocked_by) == (["shop:send"], "task:shop:send")
        transport.pause_task("shop:send", paused=False)
        assert ids(self.reserve(transport, position=2).messages) == [sent.id]
        assert transport.paused_tasks() == []

    def test_a_paused_task_is_no_queue(self, transport):
        transport.pause_task("shop:send", paused=True)
        assert transport.counts() == []

    # groups

    def group(self, size=2, group_id="g", **fields):
        parts = [message(group_id=group_id, part=number) for number in range(size)]
        return parts, message("low", waits_for=group_id, **fields)

    @pytest.mark.parametrize("callback_first", [False, True])
    def test_a_callback_is_blocked_until_all_parts_are_done_and_then_finds_their_results(
        self, transport, callback_first
    ):
        parts, callback = self.group()
        transport.enqueue([callback, *parts] if callback_first else [*parts, callback])
        assert transport.find(callback.id).blocked_by == "group:g"
        first, second = self.reserve(transport).messages
        transport.exchange(ME, [Ack(second, b"2")], None)
        assert self.state_of(transport, callback) is State.BLOCKED
        transport.exchange(ME, [Ack(first, b"1")], None)
        assert self.state_of(transport, callback) is State.READY
        assert transport.results("g") == {0: b"1", 1: b"2"}

    def test_the_results_go_with_the_callback_and_not_before(self, transport, clock):
        parts, callback = self.group()
        transport.enqueue([*parts, callback])
        transport.exchange(ME, [Ack(one, b"1") for one in self.reserve(transport).messages], None)
        clock.advance(3600)
        (taken,) = self.reserve(transport, "low").messages
        transport.exchange(ME, [Release(taken, error="boom")], None)
        assert (transport.prune(60, 10), len(transport.results("g"))) == (0, 2)
        (taken,) = self.reserve(transport, "low", position=2).messages
        transport.exchange(ME, [Ack(taken)], None)
        assert (transport.prune(60, 10), transport.results("g")) == (2, {})

    def test_a_result_that_is_kept_anyway_stays_when_the_callback_has_gone(self, transport, clock):
        (part,), callback = self.group(1)
        transport.enqueue([part, callback])
        transport.exchange(ME, [Ack(one, b"1", 600) for one in self.reserve(transport).messages], None)
        transport.exchange(ME, [Ack(one) for one in self.reserve(transport, "low").messages], None)
        assert transport.find(part.id).keep_until == clock.now() + 600

    def test_a_part_that_failed_holds_the_callback_until_it_is_retried_or_removed(self, transport):
        parts, callback = self.group()
        transport.enqueue([*parts, callback])
        first, second = self.reserve(transport).messages
        transport.exchange(ME, [Ack(first), Fail(second, "no")], None)
        assert self.state_of(transport, callback) is State.BLOCKED
        transport.revive([second.id])
        transport.exchange(ME, [Ack(one) for one in self.reserve(transport, position=3).messages], None)
        assert self.state_of(transport, callback) is State.READY

    @pytest.mark.parametrize("way", ["remove", "flush", "prune"])
    def test_a_part_that_is_removed_is_waited_for_no_longer(self, transport, clock, way):
        (part,), callback = self.group(1)
        transport.enqueue([part, callback])
        if way == "prune":
            transport.exchange(ME, [Fail(one, "no") for one in self.reserve(transport).messages], None)
            clock.advance(100)
        {
            "remove": lambda: transport.remove([part.id]),
            "flush": lambda: transport.flush("high"),
            "prune": lambda: transport.prune(60, 10),
        }[way]()
        assert self.state_of(transport, callback) is State.READY

    def test_a_part_whose_next_step_is_the_same_part_goes_on(self, transport):
        (part,), callback = self.group(1)
        step = message(group_id="g", part=0)
        transport.enqueue([part, callback])
        (taken,) = self.reserve(transport).messages
        transport.exchange(ME, [Ack(taken, b"1", then=(step,))], None)
        assert (self.state_of(transport, callback), transport.results("g")) == (State.BLOCKED, {})
        transport.exchange(ME, [Ack(one, b"2") for one in self.reserve(transport, position=2).messages], None)
        assert (self.state_of(transport, callback), transport.results("g")) == (State.READY, {0: b"2"})

    def test_a_callback_without_parts_waits_for_nothing(self, transport):
        _, callback = self.group()
        transport.enqueue([callback])
        assert self.state_of(transport, callback) is State.READY

    def test_a_removed_callback_lets_the_results_go(self, transport):
        (part,), callback = self.group(1)
        transport.enqueue([part, callback])
        transport.exchange(ME, [Ack(one, b"1") for one in self.reserve(transport).messages], None)
        transport.remove([callback.id])
        assert transport.prune(60, 10) == 1

    # batches

    def gathering(self, clock, many, wait_s=10.0, **fields):
        return [message(gather=3, available_at=clock.now() + wait_s, **fields) for _ in range(many)]

    def test_messages_gather_until_they_are_so_many(self, transport, clock):
        sent = self.gathering(clock, 3)
        transport.enqueue(sent[:2])
        assert (transport.depth(["high"], 9), self.reserve(transport).messages) == (0, [])
        assert transport.find(sent[0].id).blocked_by == "batch:high:shop:send"
        transport.enqueue(sent[2:])
        got = self.reserve(transport, limit=1, position=7).messages
        assert [(one.id, one.position) for one in got] == list(zip(ids(sent), (7, 8, 9), strict=True))

    def test_messages_gather_until_the_first_has_waited_long_enough(self, transport, clock):
        (first,) = self.gathering(clock, 1)
        transport.enqueue([first])
        clock.advance(9)
        (second,) = self.gathering(clock, 1)
        transport.enqueue([second])
        assert transport.next_at(["high"]) == clock.now() + 1
        clock.advance(1)
        assert ids(self.reserve(transport).messages) == [first.id, second.id]

    def test_a_batch_comes_alone(self, transport, clock):
        plain, batch, later = message(priority=1), self.gathering(clock, 3), message()
        transport.enqueue([plain, *batch, later])
        first = self.reserve(transport)
        second = self.reserve(transport, position=2)
        third = self.reserve(transport, position=5)
        assert [ids(one.messages) for one in (first, second, third)] == [[plain.id], ids(batch), [later.id]]
        assert [one.more for one in (first, second, third)] == [True, True, False]

    def test_more_than_a_batch_come_as_several(self, transport, clock):
        transport.enqueue(self.gathering(clock, 7))
        sizes = [len(self.reserve(transport, position=number).messages) for number in (1, 4)]
        assert (sizes, transport.counts()[0].delayed) == ([3, 3], 1)

    def test_batches_are_of_one_task_and_queue(self, transport, clock):
        transport.enqueue(self.gathering(clock, 2) + self.gathering(clock, 2, task="shop:pack"))
        transport.enqueue(self.gathering(clock, 2, queue="low"))
        assert transport.depth(["high", "low"], 9) == 0

    def test_one_of_a_batch_that_failed_is_retried_alone(self, transport, clock):
        transport.enqueue(self.gathering(clock, 4))
        first, *others = self.reserve(transport).messages
        transport.exchange(ME, [Release(first, error="boom"), *map(Ack, others)], None)
        got = self.reserve(transport, position=4).messages
        assert [(one.id, one.gather) for one in got] == [(first.id, 0)]

    def test_a_batch_that_was_never_started_is_a_batch_again(self, transport, clock):
        sent = self.gathering(clock, 3)
        transport.enqueue(sent)
        clock.advance(20)
        got = self.reserve(transport).messages
        transport.exchange(ME, [Release(one, uncounted=True) for one in got], None)
        assert ids(self.reserve(transport, position=4).messages) == ids(sent)

    def test_a_batch_counts_for_a_rate_each(self, transport, clock):
        transport.enqueue(self.gathering(clock, 3))
        assert len(self.work(transport, {"queue:high": "2/m"})) == 2

    def test_a_batch_whose_consumer_died_in_its_call_is_retried_one_by_one(self, transport, clock):
        transport.enqueue(self.gathering(clock, 3))
        self.reserve(transport, position=5)
        transport.rescue(ME, Evidence("killed", finished_below=5, running=5, certain=True))
        got = self.reserve(transport, position=8).messages
        assert [(one.attempt, one.gather) for one in got] == [(2, 0)] * 3

    # what people see and do

    def test_blocked_messages_are_listed_page_by_page_found_and_removed(self, transport):
        transport.pause_task("shop:send", paused=True)
        sent = [message(["high", "low"][number % 2], priority=number) for number in range(5)]
        transport.enqueue(sent)
        self.reserve(transport, "high", "low")
        whole = transport.browse(State.BLOCKED)
        pages = []
        while page := transport.select(self.selection(State.BLOCKED, after=pages[-1] if pages else None, at_most=2)):
            pages += page
        assert pages == whole
        assert transport.remove([sent[0].id]) == 1
        assert transport.flush("low") == 2
        assert transport.counts()[0].blocked == 2

    def selection(self, state, **fields):
        from cronq.transports.selection import Selection

        return Selection(state, **fields)

    def test_reasons_can_be_read(self):
        said = [reasons.running("ada"), reasons.rate("task:shop.send"), reasons.paused_task("t"), reasons.group("g")]
        assert [reasons.in_words(one) for one in (*said, reasons.batch("high", "t"))] == [
            "others with the running key ada to end",
            "the rate of task shop.send to allow it",
            "its task t to be resumed",
            "all parts of group g to be done",
            "others to be run in one call with it",
        ]
