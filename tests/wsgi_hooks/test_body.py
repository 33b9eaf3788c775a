from __future__ import annotations

import io

import pytest

from wsgi_hooks.body import SizedHookedBody, closing, wrapped_files


class Body:
    def __init__(self, log, error=None):
        self.log = log
        self.error = error

    def __iter__(self):
        return iter([b"one", b"two"])

    def close(self):
        self.log.append("body")
        if self.error:
            raise self.error


def test_the_body_is_served_unchanged():
    assert list(closing(Body([]), lambda: None)) == [b"one", b"two"]


def test_the_hook_runs_after_the_bodys_own_close():
    log: list[str] = []
    closing(Body(log), lambda: log.append("hook")).close()
    assert log == ["body", "hook"]


def test_closing_twice_runs_both_once():
    log: list[str] = []
    wrapped = closing(Body(log), lambda: log.append("hook"))
    wrapped.close()
    wrapped.close()
    assert log == ["body", "hook"]


def test_the_hook_runs_when_the_bodys_close_raises_and_the_error_passes():
    log: list[str] = []
    wrapped = closing(Body(log, RuntimeError("boom")), lambda: log.append("hook"))
    with pytest.raises(RuntimeError, match="boom"):
        wrapped.close()
    assert log == ["body", "hook"]


def test_a_body_without_close_gets_the_hook_all_the_same():
    log: list[str] = []
    closing([b"x"], lambda: log.append("hook")).close()
    assert log == ["hook"]


def test_a_sized_body_keeps_its_length_because_servers_make_content_length_of_it():
    wrapped = closing([b"x"], lambda: None)
    assert isinstance(wrapped, SizedHookedBody)
    assert len(wrapped) == 1


def test_a_body_without_length_does_not_pretend_to_have_one():
    assert not hasattr(closing(iter([b"x"]), lambda: None), "__len__")


def test_the_wrapper_is_no_list_because_some_servers_never_close_lists():
    assert not isinstance(closing([b"x"], lambda: None), list)


class ServersWrapper:
    def __init__(self, file, block_size=8192):
        self.file = file
        self.close = file.close


def test_the_hook_runs_once_when_the_server_closes_the_file():
    log: list[str] = []
    file = io.BytesIO(b"data")
    environ = {"wsgi.file_wrapper": ServersWrapper}
    with wrapped_files(environ, lambda: log.append("hook")) as files:
        made = environ["wsgi.file_wrapper"](file, 4096)
    assert files.is_sent_as(made)
    made.close()
    made.close()
    assert (log, file.closed) == (["hook"], True)


def test_the_server_gets_an_object_of_its_own_class_and_finds_its_class_in_place():
    environ = {"wsgi.file_wrapper": ServersWrapper}
    with wrapped_files(environ, lambda: None):
        assert type(environ["wsgi.file_wrapper"](io.BytesIO())) is ServersWrapper
    assert environ == {"wsgi.file_wrapper": ServersWrapper}


def test_the_server_finds_its_class_in_place_when_the_application_raises():
    environ = {"wsgi.file_wrapper": ServersWrapper}
    with pytest.raises(RuntimeError), wrapped_files(environ, lambda: None):
        raise RuntimeError
    assert environ == {"wsgi.file_wrapper": ServersWrapper}


def test_a_server_without_a_file_wrapper_is_given_none():
    environ: dict[str, object] = {}
    with wrapped_files(environ, lambda: None) as files:
        assert environ == {}
    assert not files.is_sent_as([b"x"])


def test_the_file_answers_for_everything_else(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"data")
    environ = {"wsgi.file_wrapper": ServersWrapper}
    with path.open("rb") as file, wrapped_files(environ, lambda: None):
        made = environ["wsgi.file_wrapper"](file)
        assert made.file.fileno() == file.fileno()
        assert made.file.read() == b"data"


def test_a_file_that_is_closed_before_another_is_sent_runs_no_hook():
    log: list[str] = []
    environ = {"wsgi.file_wrapper": ServersWrapper}
    with wrapped_files(environ, lambda: log.append("hook")):
        first = environ["wsgi.file_wrapper"](io.BytesIO())
        made = environ["wsgi.file_wrapper"](io.BytesIO())
        first.close()
        assert log == []
    made.close()
    assert log == ["hook"]


def test_a_file_that_is_sent_within_another_body_runs_no_hook():
    log: list[str] = []
    environ = {"wsgi.file_wrapper": ServersWrapper}
    with wrapped_files(environ, lambda: log.append("hook")) as files:
        made = environ["wsgi.file_wrapper"](io.BytesIO())
    assert not files.is_sent_as([made])
    files.disarm()
    made.close()
    assert log == []
