"""What a transport must do about unique keys."""

from __future__ import annotations

from math import inf

import pytest

from cronq.messages.ids import enqueued_at
from cronq.messages.message import UNTIL_DONE, WHILE_WAITING, Ack, Fail, Release, State
from cronq.schedules.stored import Firing
from cronq.transports.exchange import Evidence
from tests.transports.abilities.stored_schedules_contract import schedule
from tests.transports.contract import ME, Contract, ids, message


class UniqueKeysContract(Contract):
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
