from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cronq.config.advice import warnings

if TYPE_CHECKING:
    from tests.config.conftest import Loading

MAIL = "[[consumers]]\nname = 'mail'\nqueues = ['mail']\n"


def test_the_defaults_need_no_warning(loaded: Loading) -> None:
    assert warnings(loaded("")) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[queues.slow]", "queues.slow: no group of [[consumers]] serves this queue"),
        ("inline.queues = ['extra']\n[queues.extra]", "inline.queues: no group of [[consumers]] serves extra"),
        (
            "inline.queues = ['extra']\n[queues.extra]\nisolated = true",
            "queues.extra.isolated: web requests leave it to consumers",
        ),
        ("inline.grace_period = '2s'", 'inline.grace_period = "2s": group standby looks at its queues only every 5s'),
        ("inline.time_limit = '31s'", 'inline.time_limit = "31s": the server ends a request after 30s'),
        ("inline.time_limit = '0.5s'", 'inline.slice = "1s": inline work ends after 0.5s'),
        ("memory_mb = 100", "memory_mb = 100: one consumer of group standby may take 256"),
        (
            "max_processes = 1\ninline.queues = []\n" + MAIL + "autoscale = { min = 2, max = 2 }",
            "max_processes = 1: the groups ask for 2 consumers at least",
        ),
    ],
)
def test_what_is_probably_not_meant_is_said(loaded: Loading, text: str, said: str) -> None:
    assert said in warnings(loaded(text))[0]


@pytest.mark.parametrize(
    "text",
    [
        "inline.mode = 'off'\ninline.time_limit = '1h'",
        "consumers = []\n[queues.slow]",
        "[inline]\nqueues = ['slow']\n[queues.slow]\n[[consumers]]\nname = 'slow'\nqueues = ['slow']",
        "memory_mb = 'off'",
    ],
)
def test_what_may_well_be_meant_is_not(loaded: Loading, text: str) -> None:
    assert warnings(loaded(text)) == ()
