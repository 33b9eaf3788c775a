"""The main job, whole: a wheel installed for an unprivileged user, Debian's cron, gunicorn, visitors, at last no cron.

Each fixture lives through one chapter of the story and each test states one claim about it, in the order of the clock.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import pytest

pytest.importorskip("flask")
pytest.importorskip("PIL")

from cronq.supervisor import slots
from tests.mails import mail_server
from tests.presence import there
from tests.slow import host
from tests.slow.shop import Placed, Shop, Visits, consumers, locked_s, longest_gap_s, make_picture, peaks
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cronq.supervisor.slots import Seen
    from tests.slow.host import Cron

pytestmark = pytest.mark.slow

MISSING = host.what_is_missing()
if MISSING and os.environ.get("CI") != "true":  # there it is a failure, below
    pytest.skip(MISSING, allow_module_level=True)

MINUTE_S = 60
UNATTENDED_S = 15  # half of how long queues would be without a consumer if none had a successor: until the next tick
LIFE_S = 90  # of a consumer under a minutely cron
GRACE_S = 8  # more than the 5 s after which an idle consumer looks again
QUEUES = ("high", "normal", "low")
MAXIMA = {"standby": 1, "high": 2, "normal": 2, "low": 1}
MAX_PROCESSES = 5  # less than the maxima together: both bounds are put to the test
SLOW_DOWN_S = 0.25  # what each of the three messages of an order takes at least: who waits for one, waits longer
CHANGES = {
    "cronq.toml": {
        "max_processes =": f"max_processes = {MAX_PROCESSES}",
        # helpers for the mails leave soon, so that the others reach their maxima within the time of this test
        'queues = ["high"]': 'queues = ["high"]\ntime_limit = "20s"',
        "": f'[inline]\nmode = "inline"\ngrace_period = "{GRACE_S}s"',
    },
    "shop.toml": {"slow_down_s": f"slow_down_s = {SLOW_DOWN_S}"},
}


class Attended(NamedTuple):
    """What happened while cron ran, from the first tick until it was stopped."""

    begin: float
    end: float
    ticks: list[float]


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """The shop, installed and served for a user of its own, before cron knows of it."""
    assert not MISSING, MISSING
    with ExitStack() as stack:
        mails = stack.enter_context(mail_server())
        user = stack.enter_context(host.account())
        shop = Shop(user, host.make_venv(user, "flask", "pillow", "gunicorn"), mails)
        shop.install({**CHANGES, "shop.toml": {**CHANGES["shop.toml"], "port =": f"port = {mails.port}"}})
        stack.enter_context(shop.watched())
        stack.enter_context(shop.served())
        yield shop


@pytest.fixture(scope="module")
def cron(shop: Shop) -> Iterator[Cron]:
    shop.install_crontab()
    with host.cron() as daemon:
        yield daemon


@pytest.fixture(scope="module")
def first_tick(shop: Shop, cron: Cron) -> float:
    return wait_until(shop.ticks, 2 * MINUTE_S)[0]


@pytest.fixture(scope="module")
def first_order(shop: Shop, first_tick: float) -> Placed:
    wait_until(shop.is_attended)
    order = shop.order("mug", make_picture(60))
    wait_until(lambda: shop.is_done(order))
    return order


@pytest.fixture(scope="module")
def many_orders(shop: Shop, first_order: Placed) -> list[Placed]:
    """Two hundred orders, all of them done."""
    began = time.time()
    orders = shop.order_many(200)
    placed = time.time()
    shop.wait_for(orders, 300)
    print(
        f"\n200 orders: placed in {placed - began:.1f} s, 600 messages done {time.time() - began:.1f} s after the first"
    )
    return orders


@pytest.fixture(scope="module")
def calm_visits(shop: Shop, many_orders: list[Placed]) -> Visits:
    """Visits while consumers do the work."""
    return shop.visit(5)


@pytest.fixture(scope="module")
def attended(shop: Shop, cron: Cron, first_tick: float, calm_visits: Visits) -> Attended:
    """Three ticks of cron at least. It is stopped far from the turn of a minute, when the next one would begin."""
    minute = first_tick - first_tick % MINUTE_S
    host.sleep_until(next(at for at in count(minute + 2.5 * MINUTE_S, MINUTE_S) if at > time.time()))
    cron.stop()
    return Attended(first_tick, time.time(), shop.ticks())


@pytest.fixture(scope="module")
def deserted(shop: Shop, attended: Attended) -> float:
    """The consumers have ended. Returns when the last one was seen."""
    wait_until(shop.is_deserted, LIFE_S + 60)
    return max(sample.at for sample in shop.samples() if consumers(sample))


@pytest.fixture(scope="module")
def web_visits(shop: Shop, deserted: float) -> Visits:
    """The same visits while nobody but the web server is there."""
    return shop.visit(5)


@pytest.fixture(scope="module")
def rush(shop: Shop, web_visits: Visits) -> list[Placed]:
    """Orders at once, more than a web process takes upon itself, with `[inline] mode` as it is by default."""
    with shop.served(CRONQ_INLINE_MODE="auto"):
        orders = shop.order_many(12)
        wait_until(lambda: shop.get("/") and all(map(shop.is_done, orders)), 120)  # visitors keep things going
    return orders


def test_the_first_tick_comes_from_cron(shop: Shop, first_tick: float) -> None:
    assert first_tick % MINUTE_S < MINUTE_S / 2, "cron starts its jobs with the minute"
    assert len(shop.ticks()) == 1


def test_the_first_order_is_mailed_printed_and_packed(shop: Shop, first_order: Placed) -> None:
    assert shop.wrong_effects(first_order) == []
    assert shop.mails_of(first_order)[0].message["To"] == "ada@example.org"


def test_the_page_of_the_order_shows_that_all_is_done(shop: Shop, first_order: Placed) -> None:
    page = wait_until(lambda: (text := shop.page(first_order)).count(">done<") == 3 and text)

    assert "in work" not in page


def both_looks(shop: Shop) -> tuple[list[Seen], dict[int, list[str]]] | None:
    """Return the live slots and the command lines of all processes, when nobody came or went between the looks."""
    live = [seen for seen in slots.survey(shop.state) if seen.is_live]
    running = {process.pid: process.info["cmdline"] for process in shop.user.processes()}
    after = [seen.pid for seen in slots.survey(shop.state) if seen.is_live]
    return (live, running) if live and [seen.pid for seen in live] == after else None


def test_consumers_are_counted_by_the_locks_on_their_pidfiles(shop: Shop, first_order: Placed) -> None:
    live, running = wait_until(lambda: both_looks(shop))

    for seen in live:
        assert running[there(seen.pid)][-2:] in (["consume", seen.group], ["consume", seen.name])
        assert (shop.directory / ".cronq" / "run" / f"{seen.name}.pid").exists()


def test_two_hundred_orders_are_done_completely(shop: Shop, many_orders: list[Placed]) -> None:
    wrong = {order.id: problems for order in many_orders if (problems := shop.wrong_effects(order))}
    repeated = sum(len(shop.mails_of(order)) - 1 for order in many_orders)

    print(f"\n{repeated} of 200 mails were sent more than once")
    assert wrong == {}


def test_groups_grow_to_their_maxima_and_never_beyond(shop: Shop, first_tick: float, many_orders: list[Placed]) -> None:
    most = peaks(shop.samples(first_tick))

    print(f"\nmost consumers at once: {most}")
    assert most == {**MAXIMA, "all": MAX_PROCESSES}


def test_queues_are_never_unattended_while_cron_ticks(shop: Shop, attended: Attended) -> None:
    samples = shop.samples(attended.begin, attended.end)
    first_ready = next(sample.at for sample in samples if sample.ready)
    gap = longest_gap_s([sample for sample in samples if sample.at > first_ready])

    print(
        f"\nfirst consumer ready {first_ready - attended.begin:.2f} s after the tick; longest gap after it {gap:.3f} s"
    )
    assert gap < UNATTENDED_S, f"no consumer was ready for {gap:.3f} s"
    assert first_ready - attended.begin < UNATTENDED_S


def test_every_minute_has_its_tick(shop: Shop, attended: Attended) -> None:
    minutes = [int(tick // MINUTE_S) for tick in attended.ticks]

    assert minutes == list(range(minutes[0], int(attended.end // MINUTE_S) + 1))
    assert len(minutes) >= 3


def test_the_lock_of_the_crontab_line_is_free_as_soon_as_the_tick_ends(shop: Shop, attended: Attended) -> None:
    samples = shop.samples(attended.begin - 5)
    held = locked_s(samples)

    print(f"\nflock held for {', '.join(f'{seconds:.2f} s' for seconds in held)}")
    assert 1 <= len(held) <= len(attended.ticks), "a tick may be over between two looks"
    assert max(held) < UNATTENDED_S
    assert any(sample.ready and not sample.locked for sample in samples), "consumers live on without the lock"


def test_consumers_end_within_their_time_limit_when_cron_is_gone(
    shop: Shop, cron: Cron, attended: Attended, deserted: float
) -> None:
    lived = deserted - attended.ticks[-1]

    print(f"\nthe last consumer ended {lived:.1f} s after the last tick")
    assert not cron.is_running
    assert lived < LIFE_S + UNATTENDED_S
    assert shop.ticks() == attended.ticks


def test_orders_are_finished_by_web_requests_when_cron_is_gone(shop: Shop, deserted: float, web_visits: Visits) -> None:
    samples = shop.samples(web_visits.orders[0].asked_at)

    assert [shop.wrong_effects(order) for order in web_visits.orders] == [[]] * len(web_visits.orders)
    assert not any(map(consumers, samples)), "no consumer did it"
    assert max(sample.live.get("inline", 0) for sample in samples) == 1


def test_inline_work_begins_after_the_visitor_has_the_whole_response(shop: Shop, web_visits: Visits) -> None:
    later = [shop.mails_of(order)[0].arrived_at - order.answered_at for order in web_visits.orders]

    print(f"\nmails arrived {min(later):.3f} to {max(later):.3f} s after the response was complete")
    assert min(later) > 0


def test_visitors_wait_no_longer_when_web_requests_do_the_work(calm_visits: Visits, web_visits: Visits) -> None:
    print(
        f"\ncatalogue {1000 * calm_visits.page_s:.1f} ms, order {1000 * calm_visits.order_s:.1f} ms with consumers; "
        f"{1000 * web_visits.page_s:.1f} ms and {1000 * web_visits.order_s:.1f} ms with inline work"
    )
    assert web_visits.page_s - calm_visits.page_s < SLOW_DOWN_S
    assert web_visits.order_s - calm_visits.order_s < SLOW_DOWN_S


def test_a_web_request_starts_a_consumer_when_there_is_more_to_do(
    shop: Shop, attended: Attended, rush: list[Placed]
) -> None:
    most = peaks(shop.samples(rush[0].asked_at))

    print(f"\nmost consumers at once, started by web requests: {most}")
    assert [shop.wrong_effects(order) for order in rush] == [[]] * len(rush)
    assert 1 <= most["all"] <= MAX_PROCESSES
    assert shop.ticks() == attended.ticks, "cron is still gone"


def test_nothing_was_complained_about(shop: Shop, rush: list[Placed]) -> None:
    assert shop.output() == ""
    assert "trouble" not in shop.log().lower()
