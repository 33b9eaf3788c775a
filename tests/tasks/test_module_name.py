from __future__ import annotations

import subprocess
import sys

import pytest

from cronq import LowPriority, Retry
from cronq.tasks.module_name import full_name, settled
from cronq.tasks.retry import Again, Enough
from cronq.tasks.routing import queues_of_class

SHOW = """
from cronq.tasks.module_name import full_name
class Order: ...
print(full_name(Order))
"""


class Order(LowPriority):
    __module__ = "proj.__main__"


class Boom(Exception):
    __module__ = "proj.__main__"


def test_what_the_main_module_of_a_package_holds_has_the_name_of_the_package():
    assert full_name(Order) == "proj.Order"
    assert settled("proj.__main__.Order") == "proj.Order"
    assert settled("proj.main.Order") == "proj.main.Order"


@pytest.mark.parametrize("words", [["-m", "proj"], ["-c", "import proj.__main__"], ["proj"], ["proj/__main__.py"]])
def test_a_package_s_main_module_has_one_name_however_it_is_begun(tmp_path, words):
    (tmp_path / "proj").mkdir()
    (tmp_path / "proj/__init__.py").touch()
    (tmp_path / "proj/__main__.py").write_text(SHOW)
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "proj.Order\n"


def test_a_main_module_begun_in_its_own_folder_has_the_name_of_that(tmp_path):
    (tmp_path / "proj").mkdir()
    (tmp_path / "proj/__main__.py").write_text(SHOW)
    for words in (["."], ["__main__.py"]):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path / "proj", capture_output=True, text=True, check=True
        )
        assert done.stdout == "proj.Order\n"


def test_what_is_typed_at_a_prompt_has_a_name_as_well():
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    assert done.stdout == "__main__.Order\n"


@pytest.mark.parametrize("name", ["proj.Order", "proj.__main__.Order"])
def test_a_route_may_have_either_name(name):
    assert queues_of_class(Order, {name: ("mail",)}) == ("mail",)


@pytest.mark.parametrize("name", ["Boom", "proj.Boom", "proj.__main__.Boom"])
def test_a_policy_may_name_an_exception_either_way(name):
    assert isinstance(Retry(retry_on=[name]).decide(1, Boom()), Again)
    assert Retry(give_up_on=[name]).decide(1, Boom()) == Enough()
