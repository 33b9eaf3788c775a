from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.config.conftest import Loading, Refusing

MAIL = "[[consumers]]\nname = 'mail'\nqueues = ['mail']\n"


def test_an_inline_queue_that_nobody_serves_is_refused(refused: Refusing) -> None:
    (problem,) = refused("[inline]\nqueues = ['hihg']")
    assert 'inline.queues = "hihg": must be a queue that a group serves' in problem


def test_the_nearest_queue_is_suggested(refused: Refusing) -> None:
    (problem,) = refused("[inline]\nqueues = ['hihg']")
    assert problem.endswith("did you mean high?")


def test_a_route_to_an_unknown_queue_is_refused(refused: Refusing) -> None:
    (problem,) = refused(MAIL + "[routing]\n'shop.Zip' = 'mial'")
    assert 'routing."shop.Zip" = "mial": must be a queue' in problem


def test_a_route_to_a_group_s_queue_is_fine(loaded: Loading) -> None:
    assert loaded(MAIL + "[routing]\n'shop.Zip' = 'mail'").routing == {"shop.Zip": ("mail",)}


def test_a_route_to_a_queue_of_inline_work_is_fine(loaded: Loading) -> None:
    assert loaded(MAIL + "[routing]\n'shop.Zip' = 'low'").routing == {"shop.Zip": ("low",)}


def test_a_route_to_a_default_queue_is_refused_when_inline_work_is_off(refused: Refusing) -> None:
    (problem,) = refused(MAIL + "[routing]\n'shop.Zip' = 'low'\n[inline]\nmode = 'off'")
    assert 'routing."shop.Zip" = "low"' in problem


def test_a_configured_queue_is_known(loaded: Loading) -> None:
    assert loaded("[queues.slow]\n[inline]\nqueues = ['slow']").inline.queues == ("slow",)


def test_a_configured_queue_that_nobody_serves_is_no_error(loaded: Loading) -> None:
    assert list(loaded("[queues.slow]").queues) == ["slow"]


def test_without_groups_inline_queues_are_known(loaded: Loading) -> None:
    settings = loaded("consumers = []\n[inline]\nqueues = ['own']\n[routing]\n'shop.Zip' = 'own'")
    assert settings.inline.queues == ("own",)


def test_a_group_without_readable_queues_causes_no_complaint_elsewhere(refused: Refusing) -> None:
    (problem,) = refused("[[consumers]]\nname = 'a'\nqueues = 5\n[inline]\nqueues = ['own']")
    assert "queues = 5" in problem


def test_refused_consumers_cause_no_complaint_elsewhere(refused: Refusing) -> None:
    (problem,) = refused("consumers = 5\n[inline]\nqueues = ['own']")
    assert "consumers = 5" in problem


def test_refused_presets_cause_no_complaint_elsewhere(refused: Refusing) -> None:
    (problem,) = refused("presets = 5\n[queues.low]\npreset = 'slow'")
    assert "presets = 5" in problem


def test_web_processes_look_after_the_queues_that_consumers_serve(loaded: Loading) -> None:
    settings = loaded(
        "[[consumers]]\nname = 'a'\nqueues = ['mail', 'sms']\n[[consumers]]\nname = 'b'\nqueues = ['sms', 'fax']"
    )
    assert settings.inline.queues == ("mail", "sms", "fax")
