from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

CODE = """
@app.cron("30 2 * * *", tz="Europe/Berlin")
@app.task(queue="low")
def tidy() -> None: ...
"""
YEARLY = """
[schedule.summer]
task = "shop.tasks.add"
cron = "30 2 1 7 *"
args = { a = 1, b = 2 }

[schedule.winter]
task = "shop.tasks.add"
cron = "30 2 1 1 *"
args = { a = 1, b = 2 }
"""
CONFIG = '[schedule.nightly]\ntask = "shop.tasks.add"\ncron = "@daily"\nargs = { a = 1, b = 2 }\n'


@pytest.fixture
def shop(shop: Shell) -> Shell:
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write(CODE)
    add(shop, CONFIG)
    return shop


def add(shop: Shell, text: str) -> None:
    with shop.config.open("a") as file:
        file.write(text)


def test_schedules_of_code_and_configuration_are_listed(shop: Shell) -> None:
    nightly, tidy = shop.json("schedule", "list")
    assert (nightly["name"], nightly["source"], nightly["args"]) == ("nightly", "config", {"a": 1, "b": 2})
    assert (tidy["name"], tidy["tz"], tidy["queue"]) == ("shop.tasks.tidy", "Europe/Berlin", "low")
    assert tidy["next_at"] > 0
    assert (tidy["last_at"], tidy["last_result"], tidy["overlap"], tidy["stop_after"]) == (None, None, False, None)


def test_the_list_is_a_table_for_people(shop: Shell) -> None:
    head, nightly, _ = shop.says("schedule").splitlines()
    assert head.split("  ")[0] == "name"
    assert nightly.startswith("nightly          @daily")


def test_the_list_says_in_which_zone_a_time_is_and_what_that_is_called_then(shop: Shell) -> None:
    add(shop, YEARLY)
    shop.environ["TZ"] = "Europe/Berlin"
    rows = {line.split()[0]: line for line in shop.says("schedule").splitlines()}
    assert "-07-01 04:30:00 CEST" in rows["summer"]
    assert "-01-01 03:30:00 CET" in rows["winter"]


def test_without_schedules_the_list_tells_how_to_make_one(shell: Shell) -> None:
    (shell.home / "tasks.py").write_text("from cronq import App\napp = App.from_config('cronq.toml')\n")
    shell.config.write_text('app = "tasks:app"\n')
    assert "@app.cron" in shell.says("schedule", "list")


def test_run_enqueues_now(shop: Shell) -> None:
    message_id = shop.says("schedule", "run", "nightly").strip()
    record = shop.app().transport.find(message_id)
    assert record is not None
    assert (record.message.task, json.loads(record.message.body)) == ("shop.tasks.add", {"a": 1, "b": 2})


def test_run_by_hand_is_shown_as_the_last_run(shop: Shell) -> None:
    message_id = shop.says("schedule", "run", "nightly").strip()
    nightly, _ = shop.json("schedule", "list")
    assert (nightly["last_message_id"], nightly["last_result"], nightly["last_at"] is None) == (
        message_id,
        "waiting",
        False,
    )


FAILING = '[schedule.bad]\ntask = "shop.tasks.boom"\ncron = "H H * * *"\nargs = { text = "x" }\nstop_after = 1\n'


def test_one_that_stopped_is_told_everywhere_and_mailed_once_until_it_is_resumed(shop: Shell) -> None:
    add(shop, FAILING)
    shop.says("schedule", "run", "bad")
    shop.says("drain", code=1)
    said = "schedule bad: has stopped after 1 failed run (ValueError): `cronq schedule resume bad`"
    assert f"! {said}" in shop.says("schedule", code=1)
    assert any(said in trouble for trouble in shop.json("status", code=1)["troubles"])
    assert said in shop.says("tick", code=1)
    assert shop.says("tick") == ""
    assert said in Path(shop.state.log).read_text()
    assert shop.says("schedule", "resume", "bad") == "bad goes on\n"
    assert "had not stopped" in shop.says("schedule", "resume", "bad", code=1)
    (bad, *_) = shop.json("schedule", "list")
    assert (bad["failures"], bad["last_result"], bad["last_error"], bad["trouble"]) == (0, "failed", "ValueError", None)


def test_h_fields_are_listed_as_what_they_stand_for(shop: Shell) -> None:
    add(shop, FAILING)
    (bad, *_) = shop.json("schedule", "list")
    assert (bad["written"], bad["cron"].split()[2:]) == ("H H * * *", ["*", "*", "*"])
    assert f"{bad['cron']} (H H * * *)" in shop.says("schedule")


def test_what_a_program_added_is_listed_and_removed_and_nothing_else_is(shop: Shell) -> None:
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write("\ndef more() -> None:\n    app.schedules.add('extra', add, '@every 10s', args={'a': 1})\n")
    program = "from shop.tasks import more; more()"
    subprocess.run([sys.executable, "-c", program], cwd=shop.home, check=True)
    assert [one["source"] for one in shop.json("schedule", "list")] == ["runtime", "config", "code"]
    shop.says("schedule", "remove", "extra")
    assert [one["source"] for one in shop.json("schedule", "list")] == ["config", "code"]
    assert "remove it there" in shop.says("schedule", "remove", "nightly", code=2)


def test_run_of_an_unknown_one_names_those_there_are(shop: Shell) -> None:
    assert "there are nightly, shop.tasks.tidy" in shop.says("schedule", "run", "nihgtly", code=2)


def test_a_schedule_for_an_unknown_task_is_refused_with_the_reason(shop: Shell) -> None:
    add(shop, '[schedule.lost]\ntask = "shop.tasks.ad"\ncron = "@daily"\n')
    said = "schedule lost: no task is named shop.tasks.ad; did you mean shop.tasks.add"
    assert said in shop.says("schedule", "list", code=1)
    assert said in shop.says("schedule", "run", "lost", code=1)
    assert any(said in error for error in shop.json("check", code=2)["errors"])
    assert any(said in trouble for trouble in shop.json("status", code=1)["troubles"])


def test_check_finds_arguments_that_do_not_fit_and_times_that_never_come(shop: Shell) -> None:
    add(shop, '[schedule.x]\ntask = "shop.tasks.add"\ncron = "0 0 31 2 *"\nargs = { a = 1 }\n')
    add(shop, '[schedule.y]\ntask = "shop.tasks.add"\ncron = "@daily"\ntz = "Europe/Berlni"\nargs = { a = 1 }\n')
    add(shop, '[schedule.z]\ntask = "shop.tasks.add"\ncron = "@daily"\nargs = { a = "x" }\n')
    errors = shop.json("check", code=2)["errors"]
    assert [said in error for error, said in zip(errors, ("never comes", "no time zone", "argument 'a'"), strict=True)]


def test_check_names_the_schedules(shop: Shell) -> None:
    assert shop.json("check")["found"]["schedules"] == "shop.tasks.tidy, nightly"


def test_check_refuses_a_cron_that_is_no_task_in_words(shop: Shell) -> None:
    with (shop.home / "shop" / "tasks.py").open("a") as file:
        file.write("@app.cron('@daily')\ndef lonely() -> None: ...\n")
    assert any("lonely has @app.cron and is no task" in error for error in shop.json("check", code=2)["errors"])


def test_a_started_consumer_makes_the_schedules_of_the_code_known(shop: Shell) -> None:
    shop.says("tick")
    known = wait_until(lambda: len(shop.app().transport.schedules()) == 2 and shop.app().transport.schedules())
    assert [one.name for one in known] == ["nightly", "shop.tasks.tidy"]
