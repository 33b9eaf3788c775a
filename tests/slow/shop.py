"""The example shop on that host: installed, served, visited and watched."""

from __future__ import annotations

import http.client
import io
import json
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

from cronq.host.state_dir import StateDir
from cronq.supervisor import interval
from cronq.supervisor.slots import survey
from tests.slow.host import ROOT, Account, ended
from tests.slow.sampler import Sample, is_ready
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.mails import Mail, Mails

PRINT_SIZES = {"postcard": (1748, 1240), "mug": (2475, 1155)}
THUMBNAIL = (360, 240)
IN_ARCHIVE = ["invoice.txt", "print.jpg", "thumbnail.jpg"]


class Placed(NamedTuple):
    """An order: when its request went out, and when the last byte of the answer was there."""

    id: str
    product: str
    asked_at: float
    answered_at: float


class Visits(NamedTuple):
    """Orders placed one after the other, and how long pages took while they were worked on."""

    orders: list[Placed]
    pages_s: list[float]

    @property
    def page_s(self) -> float:
        return statistics.median(self.pages_s)

    @property
    def order_s(self) -> float:
        return statistics.median(order.answered_at - order.asked_at for order in self.orders)


class Shop:
    """The installed shop. Its files are looked at directly, everything else goes over HTTP."""

    def __init__(self, user: Account, binaries: Path, mails: Mails) -> None:
        self.user = user
        self.bin = binaries
        self.mails = mails
        self.directory = user.home / "flask_shop"
        self.state = StateDir(str(self.directory / ".cronq"))
        self.lock_file = user.home / "tick.lock"
        self.samples_file = user.home / "samples"
        self.port = 0

    def install(self, changes: dict[str, dict[str, str]]) -> None:
        """Copy the example into the home and change its settings: cron passes no environment on."""
        private = shutil.ignore_patterns("data", ".cronq", "__pycache__")
        shutil.copytree(ROOT / "examples" / "flask_shop", self.directory, ignore=private)
        for name, edits in changes.items():
            file = self.directory / name
            file.write_text(edited(file.read_text(), edits))
        self.user.give(self.directory)

    def install_crontab(self) -> None:
        tick = f"{self.bin}/cronq tick --config {self.directory}/cronq.toml"
        assert self.user.run("crontab", "-", text=f"* * * * * flock -n {self.lock_file} {tick}\n") == 0

    @contextmanager
    def served(self, **variables: str) -> Iterator[None]:
        """Run gunicorn, with these variables in its environment; it is the one that is visited meanwhile."""
        bound = socket.create_server(("127.0.0.1", 0))  # handed on, so that nobody else gets its port meanwhile
        before, self.port = self.port, int(bound.getsockname()[1])
        command = [str(self.bin / "gunicorn"), "--bind", f"fd://{bound.fileno()}", "--workers", "2", "--threads", "4"]
        log, passed = self.user.home / "gunicorn.log", [bound.fileno()]
        with self.user.running(
            *command, "wsgi:application", cwd=self.directory, log=log, variables=variables, pass_fds=passed
        ) as server:
            bound.close()
            wait_until(lambda: server.poll() is not None or self.answers())
            assert server.poll() is None, log.read_text()
            yield
        self.port = before

    @contextmanager
    def watched(self) -> Iterator[None]:
        files = (self.state.path, self.lock_file, self.samples_file)
        command = [sys.executable, "-m", "tests.slow.sampler", *map(str, files)]
        with ended(subprocess.Popen(command, cwd=ROOT)):
            yield

    def samples(self, begin: float = 0.0, end: float = float("inf")) -> list[Sample]:
        lines = self.samples_file.read_text().splitlines()
        samples = (Sample(*json.loads(line)) for line in lines if line.endswith("]"))
        return [sample for sample in samples if begin <= sample.at < end]

    def is_attended(self) -> bool:
        """Tell whether a standby consumer is ready to reserve now."""
        return any(map(is_ready, survey(self.state)))

    def is_deserted(self) -> bool:
        return not any(seen.is_live for seen in survey(self.state))

    def ticks(self) -> list[float]:
        return interval.read(self.state.ticks)

    def log(self) -> str:
        return (self.directory / ".cronq" / "log" / "cronq.log").read_text()

    def output(self) -> str:
        """What consumers have printed; nothing, when all is well."""
        return (self.directory / ".cronq" / "log" / "output.log").read_text()

    def answers(self) -> bool:
        try:
            return self.get("/") > 0
        except OSError:
            return False

    def get(self, path: str) -> float:
        """Load a page whole and return how long that took."""
        began = time.monotonic()
        status, _, _ = self._ask("GET", path)
        assert status == 200
        return time.monotonic() - began

    def page(self, order: Placed) -> str:
        return self._ask("GET", f"/orders/{order.id}")[2].decode()

    def order(self, product: str, picture: bytes) -> Placed:
        """Send the form as a browser does, on a connection of its own."""
        fields = {"name": "Ada", "email": "ada@example.org", "product": product}
        body, content_type = multipart(fields, picture)
        asked_at = time.time()
        status, location, page = self._ask("POST", "/orders", body, {"Content-Type": content_type})
        assert status == 303, page.decode()
        return Placed(location.rpartition("/")[2], product, asked_at, time.time())

    def order_many(self, count: int, visitors: int = 4) -> list[Placed]:
        """Place many orders, by several visitors at once."""
        pictures = [make_picture(shade) for shade in (10, 90, 170, 250)]
        with ThreadPoolExecutor(visitors) as pool:
            return list(pool.map(lambda n: self.order(("postcard", "mug")[n % 2], pictures[n % 4]), range(count)))

    def visit(self, count: int) -> Visits:
        """Place orders one after the other, and look at the catalogue until each is done."""
        visits = Visits([], [])
        picture = make_picture(130)
        for _ in range(count):
            order = self.order("postcard", picture)
            visits.orders.append(order)
            wait_until(partial(self._looks_until_done, visits, order))
        return visits

    def _looks_until_done(self, visits: Visits, order: Placed) -> bool:
        visits.pages_s.append(self.get("/"))
        return self.is_done(order)

    def mails_of(self, order: Placed) -> list[Mail]:
        return [mail for mail in self.mails.kept if str(mail.message["Message-ID"]).startswith(f"<{order.id}.")]

    def file(self, name: str) -> Path:
        return self.directory / "data" / name

    def is_done(self, order: Placed) -> bool:
        names = (f"archives/{order.id}.zip", f"pictures/{order.id}-print.jpg", f"pictures/{order.id}-thumbnail.jpg")
        return all(self.file(name).exists() for name in names) and bool(self.mails_of(order))

    def wait_for(self, orders: Sequence[Placed], timeout_s: float) -> None:
        """Return when all orders are done."""
        last = time.monotonic() + timeout_s
        for order in orders:
            wait_until(partial(self.is_done, order), max(0.0, last - time.monotonic()))

    def wrong_effects(self, order: Placed) -> list[str]:
        """Return what an order has not, or has wrong: at best nothing."""
        wrong = []
        if not self.mails_of(order):
            wrong.append("no mail")
        for name, size in (("print", PRINT_SIZES[order.product]), ("thumbnail", THUMBNAIL)):
            with Image.open(self.file(f"pictures/{order.id}-{name}.jpg")) as picture:
                picture.load()
                wrong += [f"{name}: {picture.size} pixels"] if picture.size != size else []
        with zipfile.ZipFile(self.file(f"archives/{order.id}.zip")) as archive:
            if archive.testzip() or sorted(archive.namelist()) != IN_ARCHIVE:
                wrong.append(f"archive: {archive.namelist()}")
        return wrong

    def _ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Location", ""), answer.read()
        finally:
            connection.close()


def edited(text: str, edits: dict[str, str]) -> str:
    """Replace lines by their beginning; an edit of "" is added at the end."""
    for beginning, line in edits.items():
        if not beginning:
            text += f"\n{line}\n"
            continue
        text, count = re.subn(rf"^{re.escape(beginning)}.*$", line, text, count=1, flags=re.MULTILINE)
        assert count == 1, f"no line begins with {beginning!r}"
    return text


def multipart(fields: dict[str, str], jpeg: bytes) -> tuple[bytes, str]:
    boundary = secrets.token_hex(16)
    disposition = f"--{boundary}\r\nContent-Disposition: form-data; name="
    parts = [f'{disposition}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()]
    head = f'{disposition}"picture"; filename="me.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    parts.append(head.encode() + jpeg + f"\r\n--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def make_picture(shade: int) -> bytes:
    image = Image.merge(
        "RGB", [Image.radial_gradient("L"), Image.linear_gradient("L"), Image.new("L", (256, 256), shade)]
    )
    file = io.BytesIO()
    image.resize((1600, 1200)).save(file, "JPEG", quality=90)
    return file.getvalue()


def longest_gap_s(samples: Sequence[Sample]) -> float:
    """Return the longest time between looks one after the other that all found no consumer ready."""
    return max((times[-1] - times[0] for times in _stretches(samples, lambda sample: not sample.ready)), default=0.0)


def peaks(samples: Sequence[Sample]) -> dict[str, int]:
    """Return the most slots that each group held at once, and the most consumers that were at work, of `all` groups."""
    groups = {group for sample in samples for group in sample.live} - {"inline"}
    most = {group: max(sample.live.get(group, 0) for sample in samples) for group in groups}
    return {**most, "all": max(sample.begun for sample in samples)}


def consumers(sample: Sample) -> int:
    return sum(count for group, count in sample.live.items() if group != "inline")


def locked_s(samples: Sequence[Sample]) -> list[float]:
    """Return how long each stretch lasted in which the crontab line's lock was held."""
    return [times[-1] - times[0] for times in _stretches(samples, lambda sample: sample.locked)]


def _stretches(samples: Sequence[Sample], is_in: Callable[[Sample], bool]) -> list[list[float]]:
    """Return when looks were taken, for each run of them that `is_in` is true of."""
    return [[sample.at for sample in same] for found, same in groupby(samples, is_in) if found]
