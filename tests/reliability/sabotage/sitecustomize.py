"""Faults planted into processes of cronq: each must be found by the harness that says it finds such (test_controls).

With this directory on PYTHONPATH every Python imports this at its start, and has the fault that $SABOTAGE names.
"""

import os


def acks_before_it_runs() -> None:
    """Whoever is killed in the middle of a message has lost it, and what fails is gone. One with a result is spared:
    that would be missed as well.
    """
    from cronq.consumer.loop import Consumer
    from cronq.messages.message import Ack

    run_next = Consumer._run_next

    def ack_and_run_next(self: Consumer) -> None:
        if self._waiting and self._waiting[0].task != "tasks.kept":
            self._ledger.add(Ack(self._waiting[0]))
            self._ledger.settle()
        run_next(self)

    Consumer._run_next = ack_and_run_next  # type: ignore[method-assign]  # this is the fault


def believes_the_living_dead() -> None:
    """What runs is taken back and run by another at the same time."""
    from cronq.supervisor import rescue

    rescue._lives = lambda holder, seen: False


def drops_acks() -> None:
    """Every message is run again once, though nobody was killed."""
    from cronq.messages.message import Ack, Release
    from cronq.transports.sqlite import settlement

    settle = settlement.settle

    def settle_without_acks(connection, holder, outcomes, now):
        kept = [Release(one.message) if isinstance(one, Ack) and one.message.attempt == 1 else one for one in outcomes]
        return settle(connection, holder, kept, now)

    settlement.settle = settle_without_acks


def leaves_half_written_files() -> None:
    """What a killed process was writing stays for ever."""
    from cronq.supervisor import cleanup

    cleanup._remove_half_written = lambda directory, now: None


def believes_marks() -> None:
    """Whether somebody looks after a queue is told by its mark alone, which a consumer leaves behind as well."""
    from cronq.supervisor import presence

    presence.presence_of = lambda slots, groups, host: presence.Presence(
        elsewhere=frozenset(queue for group in groups for queue in group.queues)
    )


FAULTS = (acks_before_it_runs, believes_the_living_dead, drops_acks, leaves_half_written_files, believes_marks)
{one.__name__: one for one in FAULTS}[os.environ["SABOTAGE"]]()
