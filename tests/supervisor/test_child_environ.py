from __future__ import annotations

import os

from cronq.supervisor import child_environ


def test_a_child_gets_those_of_our_variables_that_ticks_have(tmp_path):
    path = str(tmp_path / "environ")
    child_environ.note(path, {"HOME": "/home/ada", "TOKEN": "secret", "odd": "a\nb"})
    ours = {"HOME": "/srv", "HTTP_COOKIE": "x", "LANG": "C", "TOKEN": "other"}
    assert child_environ.for_child(path, ours) == {"HOME": "/srv", "TOKEN": "other"}


def test_only_names_are_written_down(tmp_path):
    path = tmp_path / "environ"
    child_environ.note(str(path), {"TOKEN": "secret", "HOME": "/home/ada"})
    assert path.read_text() == "HOME\nTOKEN\n"


def test_they_are_written_when_they_have_changed(tmp_path):
    path = tmp_path / "environ"
    child_environ.note(str(path), ["A"])
    before = os.stat(path).st_ino
    child_environ.note(str(path), ["A"])
    same = os.stat(path).st_ino
    child_environ.note(str(path), ["A", "B"])
    assert (same == before, path.read_text()) == (True, "A\nB\n")


def test_before_any_tick_it_gets_all_but_what_is_of_a_request(tmp_path):
    path = str(tmp_path / "environ")
    ours = {"HOME": "/srv", "HTTP_COOKIE": "x", "REQUEST_URI": "/", "wsgi.input": "", "DATABASE_URL": "y"}
    assert child_environ.for_child(path, ours) == {"HOME": "/srv", "DATABASE_URL": "y"}
