"""The examples in the documents do what the text says."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from cronq.tasks.options import Delivery, Options

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str, language: str = "python") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_tests_of_the_testing_page_pass(tmp_path):
    for block in (*blocks("testing.md"), *blocks("testing.md", "toml")):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "8 passed" in done.stdout, done.stdout
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".py") == [
        "conftest.py",
        "tasks.py",
        "test_real_queue.py",
        "test_shop.py",
        "test_without_pytest.py",
    ]


def test_the_context_page_runs_from_top_to_bottom(tmp_path):
    (tmp_path / "page.py").write_text("\n".join(blocks("context.md")))
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_of_tasks_runs_from_top_to_bottom(tmp_path):
    (tmp_path / "page.py").write_text("\n".join(blocks("tasks.md")))
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_of_tasks_names_every_option_there_is():
    page = (DOCS / "tasks.md").read_text()
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("| `")]
    of_tasks = {name for names, task, _ in rows if "yes" in task for name in re.findall(r"`(\w+)`", names)}
    of_calls = {name for names, _, call in rows if "yes" in call for name in re.findall(r"`(\w+)`", names)}
    assert of_tasks == {one.name for one in fields(Options)}
    assert of_calls == {one.name for one in fields(Delivery)}


def test_the_batch_of_the_workflows_page_does_what_it_says(tmp_path):
    (example,) = [block for block in blocks("workflows.md") if "@app.batch" in block]
    before = """
from dataclasses import dataclass, field
from cronq import App, GiveUp

app = App()

@dataclass(frozen=True)
class Product:
    id: int

@dataclass
class Answer:
    error: str

class search:
    calls = []

    @classmethod
    def bulk(cls, products):
        cls.calls.append([one.id for one in products])
        return [Answer("no" if one.id == 2 else "") for one in products]

box = app.testing().__enter__()
"""
    after = """
for number in (2, 3):
    app.dispatch(Product(number))
box.run_all(raises=False)
assert search.calls == [[1, 2, 3], [2], [2]], search.calls
assert [one.message.args for one in box.failed] == [{"products": Product(2)}], box.failed
index([Product(4)])
"""
    (tmp_path / "page.py").write_text(before + example + after)
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


WORKFLOWS_BEFORE = """
import sqlite3
from dataclasses import dataclass
from cronq import App, Context

app = App()
url = "https://example.org/a.png"

@dataclass
class OrderPlaced:
    number: int

@app.handler
def on_order(event: OrderPlaced) -> None: ...

@app.task
def send_mail(to: str, subject: str) -> None: ...

@app.task
def confirm(number: int) -> None: ...

@app.task
def fetch(address: str) -> bytes: ...

@app.task
def resize(picture: bytes, width: int) -> bytes: ...

@app.task
def publish(picture: bytes) -> None: ...

@app.task
def count(path: str) -> int: ...

@app.task
def total(counts: list[int]) -> None: ...

imported = []

def count_rows():
    return 3

def import_row(number):
    imported.append(number)

app.state.prepare()
app.transport.counts()  # makes the file
connection = sqlite3.connect(".cronq/queue.db")
connection.execute("CREATE TABLE orders (id INTEGER)")
"""
WORKFLOWS_AFTER = """
from cronq.messages.message import State

waiting = sorted(record.message.task.rpartition(".")[2] for record in app.transport.browse(State.READY))
assert waiting == ["confirm", "fetch", "on_order", "send_mail"], waiting
assert connection.execute("SELECT id FROM orders").fetchall() == [(7,)]
connection.close()
assert ref.status == "gone"

class Twice:
    cursor = None
    looks = iter([False, True, True])
    should_stop = property(lambda self: next(self.looks))
    continue_later = staticmethod(lambda number: number)

first = Twice()
assert (import_rows(first), imported) == (1, [0])
"""


def test_the_workflows_page_runs_from_top_to_bottom(home):
    examples = [block for block in blocks("workflows.md") if "@app.batch" not in block]
    (home / "page.py").write_text("\n".join([WORKFLOWS_BEFORE, *examples, WORKFLOWS_AFTER]))
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"], cwd=home, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
