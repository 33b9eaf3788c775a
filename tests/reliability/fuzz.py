"""Random input for whatever reads what others wrote. Anything but a value or an error of ours is a bug.

`python -m tests.reliability.fuzz SECONDS` runs every target under atheris, which is guided by coverage, when that is
installed (pip install atheris), and otherwise under Hypothesis.
"""

from __future__ import annotations

import dataclasses
import datetime as dt  # noqa: TC003 - the codec reads these hints
import decimal
import enum
import re
import subprocess
import sys
import tempfile
import time
import uuid  # noqa: TC003
from typing import TYPE_CHECKING, Any

from cronq.config import load
from cronq.config.durations import parse_duration
from cronq.errors import CronqError
from cronq.host.event_words import words_for
from cronq.messages.holder import Holder
from cronq.schedules.schedule import Schedule, next_at, validated
from cronq.supervisor import slots
from cronq.tasks.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Callable


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Order:
    number: int
    items: list[str]
    of: Order | None = None


def _task(  # noqa: PLR0917
    a: int,
    b: str,
    when: dt.datetime,
    order: Order,
    price: decimal.Decimal = decimal.Decimal(1),
    ids: set[uuid.UUID] = frozenset(),  # type: ignore[assignment]  # a default that nobody can change
    colour: Colour = Colour.RED,
    raw: bytes = b"",
    **rest: Any,
) -> None: ...


_CODEC = Codec("fuzz.task", _task)
_FIELDS = ["*/5", "0", "1-5", "L", "sun#2", "60", "*/0", "jan", "?", "h", "@daily", "0-59/7", "31", "2"]


def codec(data: bytes) -> None:
    _CODEC.decode(data)
    valid = b'{"a":1,"b":"x","when":"2026-01-01T00:00:00Z","order":{"number":1,"items":[]},"rest":%s}'
    _CODEC.decode(valid % data)


def config(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        load(file.name, {})


def variables(data: bytes) -> None:
    name, _, value = data.decode("utf-8", "surrogateescape").partition("=")
    load(None, {f"CRONQ_{name.upper()}": value})


def durations(data: bytes) -> None:
    try:
        parse_duration(data.decode("utf-8", "replace"))
    except ValueError as error:  # which the configuration turns into a complaint
        if "is not a duration" not in str(error):
            raise


def slot_notes(data: bytes) -> None:
    slots._parse(data)
    slots._parse(b"%020d %020.3f %020.3f\n" % (1, 2, 3) + data)
    try:
        Holder.parse(data.decode("utf-8", "replace"))
    except ValueError:
        pass


def schedules(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    if data:
        text = " ".join(_FIELDS[byte % len(_FIELDS)] for byte in data[:6]) if data[0] % 2 else text
    next_at(validated(Schedule("fuzz", "tasks.x", text)), 1_800_000_000.0)


def log_lines(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    words = words_for("trouble", {"error": text})
    assert words is None or words.isprintable()


TARGETS: tuple[Callable[[bytes], None], ...] = (codec, config, variables, durations, slot_notes, schedules, log_lines)


def attempt(target: Callable[[bytes], None], data: bytes) -> None:
    """Give a target its input; an error of ours is an answer."""
    try:
        target(data)
    except CronqError as error:
        if not str(error).strip():
            raise AssertionError(f"{target.__name__}: an error without words for {data!r}") from error


def with_hypothesis(target: Callable[[bytes], None], seconds: float) -> int:
    """Try random input for so many seconds; return how often."""
    from hypothesis import HealthCheck, given, settings
    from hypothesis import strategies as st

    words = [b"{", b"}", b"[", b"]", b'"', b":", b"=", b"\n", b"app", b"transport", b"[[consumers]]", b"P1DT1H", b"1h"]
    words += [b"holder ", b"state ", b"queues ", b"null", b"1e999", b"NaN", b"\xff", b"\x1b[2J", b"..", b"__class__"]
    pieces = st.lists(st.one_of(st.sampled_from(words), st.binary(max_size=8)), max_size=30).map(b"".join)
    until = time.monotonic() + seconds
    tried = 0

    @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(
        st.one_of(pieces, st.binary(max_size=200), st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
    )
    def one(data: bytes) -> None:
        attempt(target, data)

    while time.monotonic() < until:
        one()
        tried += 200
    return tried


GUIDED = """
import sys, atheris
with atheris.instrument_imports(include=["cronq"]):
    from tests.reliability import fuzz
target = next(one for one in fuzz.TARGETS if one.__name__ == sys.argv[1])
options = [sys.argv[0], f"-max_total_time={sys.argv[2]}", "-max_len=4096", "-print_final_stats=1"]
atheris.Setup(options, lambda data: fuzz.attempt(target, data))
atheris.Fuzz()
"""  # a program of its own: it must be there before what it watches is imported, and it ends its process itself


def main(seconds: int) -> int:
    """Fuzz all targets one after the other, so many seconds in all."""
    share = max(1, seconds // len(TARGETS))
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed: Hypothesis does it, which is not guided by coverage")
        for target in TARGETS:
            print(f"{target.__name__}: {with_hypothesis(target, share)} inputs", flush=True)
        return 0
    codes = [_guided(target.__name__, share) for target in TARGETS]
    return int(any(codes))


def _guided(name: str, seconds: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", GUIDED, name, str(seconds)], check=False, stderr=subprocess.PIPE, text=True
    )
    tried = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    print(f"{name}: {tried[1]} inputs, guided" if tried and not done.returncode else done.stderr[-5000:], flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 600))
