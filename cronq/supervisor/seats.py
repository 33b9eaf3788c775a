"""The account's few places: `max_processes` locks, of which every consumer holds one beside its slot."""

from __future__ import annotations

import time

from cronq.host import locks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cronq.host.state_dir import StateDir


def take(state: StateDir, seats: int, within_s: float = 0.0) -> locks.Lock | None:
    """Take a free seat for life, trying for `within_s`. None: the account has as many consumers as it may have."""
    last_try = time.monotonic() + within_s
    while True:
        for number in range(seats):
            seat = locks.take(state.account(number))
            if seat is not None:
                return seat
        if time.monotonic() >= last_try:
            return None
        time.sleep(0.02)


def are_all_taken(state: StateDir, seats: int) -> bool:
    """Tell whether no seat is free. Nothing is taken by looking."""
    return all(locks.holder_pid(state.account(number)) is not None for number in range(seats))


def free(state: StateDir, seats: int) -> int:
    """Return how many seats are free. Nothing is taken by looking."""
    return sum(locks.holder_pid(state.account(number)) is None for number in range(seats))
