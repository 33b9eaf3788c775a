from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from cronq import App, ArgumentError, ConfigError, Context, HighPriority, LowPriority, UsageError, events
from cronq.app import enqueuer
from cronq.messages.message import State
from cronq.transports.exchange import Want
from tests.clocks import FakeClock
from tests.making import app as make_app


@dataclass(frozen=True)
class CreateZip(LowPriority):
    file_ids: list[int]


@dataclass(frozen=True)
class CreateSmallZip(CreateZip): ...


@dataclass(frozen=True)
class Plain:
    text: str


@dataclass(frozen=True)
class Unheard(HighPriority): ...


def create_zip(message: CreateZip, context: Context) -> None: ...


def count_zip(message: CreateZip) -> None: ...


def create_small_zip(message: CreateSmallZip) -> None: ...


def print_it(message: Plain) -> None: ...


@pytest.fixture
def app():
    return make_app(FakeClock())


def waiting(app: App) -> list[tuple[str, str]]:
    return [(one.message.task.rpartition(".")[2], one.message.queue) for one in app.transport.browse(State.READY)]


# dispatch


def test_every_handler_gets_a_message_of_its_own(app):
    app.handler(create_zip)
    app.handler(count_zip)
    refs = app.dispatch(CreateZip([1, 2]))
    assert waiting(app) == [("create_zip", "low"), ("count_zip", "low")]
    assert len({ref.id for ref in refs}) == 2


def test_the_message_object_is_the_first_argument(app):
    task = app.handler(create_zip)
    app.dispatch(CreateZip([1, 2]))
    (record,) = app.transport.browse(State.READY)
    assert task.codec.decode(record.message.body) == ([], {"message": CreateZip([1, 2])})
    assert task.codec.injects == ["context"]


def test_a_class_without_a_marker_goes_to_the_normal_queue(app):
    app.handler(print_it)
    app.dispatch(Plain("x"))
    assert waiting(app) == [("print_it", "normal")]


def test_the_configuration_routes_a_class_elsewhere():
    app = make_app(FakeClock(), routing={f"{__name__}.CreateZip": ("high",)})
    app.handler(create_zip)
    app.dispatch(CreateZip([1]))
    assert waiting(app) == [("create_zip", "high")]


def test_a_handler_s_own_queue_wins_over_its_class(app):
    app.handler(queue="high")(create_zip)
    app.dispatch(CreateZip([1]))
    assert waiting(app) == [("create_zip", "high")]


def test_handlers_made_by_one_decorator_do_not_share_a_queue(app):
    handler = app.handler()
    handler(create_zip)
    handler(print_it)
    app.dispatch(Plain("x"))
    assert waiting(app) == [("print_it", "normal")]


def test_a_message_is_not_handed_to_the_handler_of_a_base_as_less_than_it_is(app):
    app.handler(create_zip)
    with pytest.raises(ArgumentError, match="holds a CreateSmallZip, which would come back as CreateZip"):
        app.dispatch(CreateSmallZip([1]))
    app.handler(create_small_zip)
    app.dispatch(CreateZip([1]))
    app.dispatch(CreateSmallZip([2]))
    assert [task for task, _ in waiting(app)] == ["create_zip", "create_small_zip"]


def test_a_class_that_nobody_handles_is_refused_with_what_to_do(app):
    with pytest.raises(UsageError, match=r"no handler for [\w.]+\.Unheard: mark one with @app\.handler"):
        app.dispatch(Unheard())


def test_a_handler_without_a_message_class_is_refused(app):
    def untyped(message): ...

    with pytest.raises(UsageError, match="its first parameter must be annotated with a message class"):
        app.handler(untyped)


def test_dispatch_takes_a_delivery(app):
    app.handler(create_zip)
    app.dispatch(CreateZip([1]), queue="high", priority=5)
    assert app.transport.browse(State.READY)[0].message[5] == 5


def test_dispatch_names_the_deliveries_that_there_are(app):
    app.handler(create_zip)
    with pytest.raises(TypeError, match="there is no option 'eta'; there are queue, delay_s"):
        app.dispatch(CreateZip([1]), eta=5)


def test_a_handler_that_refuses_leaves_nothing_of_the_others(app):
    app.handler(create_zip)
    app.handler(count_zip)
    with pytest.raises(ArgumentError):
        app.dispatch(CreateZip(["x"]))  # type: ignore[list-item]  # that is the point
    assert waiting(app) == []


# outbox


@pytest.fixture
def task(app):
    return app.task(name="shop.note")(lambda text: None)


def test_an_outbox_holds_messages_until_its_end(app, task):
    with app.outbox():
        task.enqueue("a")
        assert waiting(app) == []
    assert len(waiting(app)) == 1


def test_consumers_are_woken_before_the_disk_is_waited_for_and_not_for_what_was_absorbed(home, monkeypatch):
    def note(text: str) -> None: ...

    done = []
    app = make_app(home=home, transport="sqlite:///queue.db")
    task = app.task(name="shop.note")(note)
    app.transport.counts()
    monkeypatch.setattr(enqueuer, "ring", lambda path: done.append("ring"))
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: done.append("sync"))
    for _ in range(2):
        task.using(unique="a").enqueue("b")
    assert done == ["ring", "sync", "sync"]
    app.transport.close()


def test_an_outbox_sends_in_one_transaction(app, task):
    sent = []
    app.transport.enqueue = lambda messages, shown: sent.append(len(messages))
    with app.outbox():
        task.enqueue("a")
        task.enqueue_many([(("b",), {}), (("c",), {})])
    assert sent == [3]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_an_exception_drops_what_an_outbox_holds_and_passes(app, task, error, monkeypatch):
    heard = []
    monkeypatch.setattr(events, "listeners", [lambda name, facts: heard.append((name, facts["count"]))])

    def work():
        with app.outbox():
            task.enqueue("a")
            raise error

    with pytest.raises(error):
        work()
    assert (waiting(app), heard) == ([], [("dropped", 1)])


def test_after_an_outbox_messages_are_sent_at_once(app, task):
    with app.outbox():
        pass
    task.enqueue("a")
    assert len(waiting(app)) == 1


def test_an_inner_outbox_hands_its_messages_to_the_outer_one(app, task):
    with app.outbox():
        with app.outbox():
            task.enqueue("a")
        assert waiting(app) == []
    assert len(waiting(app)) == 1


def fail_after(app, task, text):
    with app.outbox():
        task.enqueue(text)
        raise ValueError("no")


def test_an_exception_in_an_inner_outbox_drops_only_its_own(app, task):
    with app.outbox():
        task.enqueue("kept")
        with pytest.raises(ValueError, match="no"):
            fail_after(app, task, "dropped")
    (record,) = app.transport.browse(State.READY)
    assert record.message.body == b'{"text":"kept"}'


def test_an_exception_in_the_outer_outbox_drops_all(app, task):
    def work():
        with app.outbox():
            with app.outbox():
                task.enqueue("a")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        work()
    assert waiting(app) == []


def test_wrong_arguments_are_told_at_once_also_in_an_outbox(app):
    task = app.task(name="shop.count")(_count)
    with app.outbox(), pytest.raises(ArgumentError):
        task.enqueue("x")


def _count(number: int) -> None: ...


def test_an_outbox_holds_nothing_of_other_threads(app, task):
    import threading

    with app.outbox():
        thread = threading.Thread(target=task.enqueue, args=("a",))
        thread.start()
        thread.join()
        assert len(waiting(app)) == 1


def test_a_ref_out_of_an_open_outbox_knows_its_message_later(app, task):
    with app.outbox():
        ref = task.enqueue("a")
    assert ref.status == "ready"


# refs


def test_a_ref_is_had_again_by_the_id(app, task):
    ref = task.enqueue("a")
    assert (app.ref(ref.id).status, app.ref("never there").status) == ("ready", "unknown")


def test_a_ref_that_is_cancelled_takes_its_message_away_once(app, task):
    ref, other = task.enqueue("a"), task.enqueue("b")
    assert ref.cancel()
    assert (ref.status, other.status) == ("gone", "ready")
    assert not ref.cancel()


def test_a_message_that_runs_is_not_cancelled(app, task):
    ref = task.enqueue("a")
    app.transport.exchange("web1/high.0/100/5/boot0001", [], Want([task.options.queue or "normal"], 1e12, 1, 1))
    assert not ref.cancel()
    assert ref.status == "reserved"


# configuration


def test_a_config_is_looked_for_beside_the_file_that_names_it(home, monkeypatch):
    (home / "shop").mkdir()
    (home / "shop" / "cronq.toml").write_text("max_processes = 7\n")
    (home / "shop" / "shop_app.py").write_text("from cronq import App\napp = App.from_config('cronq.toml')\n")
    monkeypatch.chdir("/")
    monkeypatch.syspath_prepend(str(home / "shop"))
    import importlib

    app = importlib.import_module("shop_app").app
    assert (app.settings.max_processes, app.settings.state_dir) == (7, str(home / "shop" / ".cronq"))


def test_a_config_that_is_missing_is_told(home):
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        App.from_config(home / "missing.toml")


def test_the_state_directory_is_made_with_the_first_message(home):
    app = make_app(home=home, transport="sqlite:///queue.db")
    task = app.task(name="shop.note")(lambda text: None)
    assert not (home / ".cronq").exists()
    task.enqueue("a")
    app.transport.close()
    assert (home / ".cronq").stat().st_mode & 0o777 == 0o700
    assert (home / ".cronq" / "queue.db").exists()


def test_enqueueing_rings_the_bell_of_its_queue_only(home):
    from cronq.host.bell import Bells

    app = make_app(home=home, transport="sqlite:///queue.db")
    task = app.task(name="shop.note")(lambda text: None)
    app.state.prepare()
    high, normal = Bells([app.state.wake("high")]), Bells([app.state.wake("normal")])
    task.enqueue("a")
    assert (high.wait(0.001), normal.wait(5)) == (False, True)
    task.using(delay_s=60).enqueue("later")
    assert normal.wait(0.001) is False
    app.transport.close()
    high.close()
    normal.close()


def test_two_outboxes_of_two_apps_do_not_mix(app, task):
    other = make_app(FakeClock())
    theirs = other.task(name="other.note")(lambda text: None)
    with app.outbox(), other.outbox():
        task.enqueue("ours")
        theirs.enqueue("theirs")
    assert (waiting(app), waiting(other)) == ([("note", "normal")], [("note", "normal")])
