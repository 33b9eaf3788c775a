"""Everything at once, for a while: producers, ticks, consumers and inline drains under kills and a sick host.

`python -m tests.reliability.chaos [SECONDS [MESSAGES [SEED]]]`, as root: a small disk is mounted, which
no other process sees. All of the project runs as a user who may do nothing, from whom processes, memory, disk and clock
are taken. It goes on until the time is over and so many messages are enqueued.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reliability.evidence import LogCopy, keep
from tests.reliability.ledger import Ledger, account
from tests.reliability.sick_host import FAULTS, Host
from tests.reliability.sweep import compile_all

if TYPE_CHECKING:
    import subprocess

INTERVAL_S = 2.0
PRODUCERS, SITES = 8, 2
NUMBERS = 1_000_000  # for each producer
PATIENCE_S = 600.0  # with a machine that others use as well

CONFIG = """
app = "tasks:app"
interval = "2s"
max_processes = 4
log_max_mb = 1
code_marker = ["tasks.py"]

[[consumers]]
name = "work"
queues = ["high", "normal"]
autoscale = { desired_size = 20, min = 1, max = 3 }

[inline]
grace_period = "1s"
"""

TASKS = '''
import fcntl, os, signal, time
from cronq import App, Context, Retry

app = App.from_config("cronq.toml")
LEDGER = os.open(os.environ["LEDGER"], os.O_RDWR | os.O_APPEND)


def write(verb, *numbers):
    os.write(LEDGER, b"".join(b"%s %d %d\\n" % (verb.encode(), number, os.getpid()) for number in numbers))


def effect_of(number, seconds=0.0):
    """One lock per message, which the kernel lets go when its process dies: who finds it taken runs beside another."""
    try:
        fcntl.lockf(LEDGER, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except OSError:
        write("overlap", number)
        return
    try:
        write("begin", number)
        time.sleep(seconds)
        write("end", number)
    finally:
        fcntl.lockf(LEDGER, fcntl.LOCK_UN, 1, number)


@app.task(retry=Retry(max_attempts=20, delay_s=0.1))
def quick(number: int) -> None:
    effect_of(number)


@app.task(retry=Retry(max_attempts=20, delay_s=0.1), queue="high")
def slow(number: int) -> None:
    effect_of(number, 0.2)


@app.task(retry=Retry(max_attempts=20, delay_s=0.1))
def flaky(number: int, context: Context) -> None:
    if context.attempt == 1:
        write("fail", number)
        raise ValueError(number)
    effect_of(number)


@app.task(retry=Retry(max_attempts=20, delay_s=0.1), timeout_s=1, inline=False)
def stuck(number: int, context: Context) -> None:
    if context.attempt == 1:
        write("fail", number)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(3600)
    effect_of(number)
'''

REMOVABLE = """

@app.task(retry=Retry(max_attempts=20, delay_s=0.1))
def removable(number: int) -> None:
    effect_of(number)
"""

PRODUCE = """
import random, sys, time, tasks
from cronq.errors import CronqError

number, left, until = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
kinds = [tasks.quick] * 6 + [tasks.flaky, tasks.slow] + [getattr(tasks, "removable", tasks.quick)]
while left > 0:
    numbers = range(number, number + min(random.choice([1, 1, 1, 5]), left))
    number = numbers.stop
    task = random.choice(kinds) if random.random() > 0.002 else tasks.stuck
    tasks.write("asked", *numbers)
    try:
        task.enqueue_many([((one,), {}) for one in numbers])
    except (CronqError, OSError):
        tasks.write("refused", *numbers)
        time.sleep(0.1)
        continue
    tasks.write("returned", *numbers)
    left -= len(numbers)
    time.sleep(max(0, until - time.monotonic()) * len(numbers) / (left + len(numbers)))
"""

SITE = """
import time, tasks
from wsgi_hooks import CronqMiddleware

def site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "2")])
    return [b"hi"]

hooked = CronqMiddleware(site, tasks.app)
environ = {"REQUEST_METHOD": "GET", "SERVER_SOFTWARE": "WSGIServer/0.2", "SERVER_PROTOCOL": "HTTP/1.1"}
while True:
    body = hooked(dict(environ), lambda status, headers: None)
    assert list(body) == [b"hi"]
    if hasattr(body, "close"):
        body.close()
    time.sleep(0.1)
"""


class Chaos:
    """One project on a sick host, until its time is over; then it is nursed until nothing is left to do."""

    def __init__(self, base: Path, seconds: float, messages: int, seed: int) -> None:
        self.drawn = random.Random(seed)
        self.seconds = seconds
        self.messages = messages
        self.ledger = Ledger(base / "ledger")
        self.host: Host = Host(base, self.ledger)
        self.log = LogCopy(self.host.state / "log" / "cronq.log", base / "log")
        self.said: Counter[str] = Counter()
        self._ticks: list[subprocess.Popen[bytes]] = []
        self._next = [index * NUMBERS for index in range(PRODUCERS)]
        self._left = [(messages + index) // PRODUCERS for index in range(PRODUCERS)]
        self._enqueue_until = time.monotonic()
        self._producers: list[subprocess.Popen[bytes] | None] = [None] * PRODUCERS
        self._sites: list[subprocess.Popen[bytes] | None] = [None] * SITES
        self.deploy(is_whole=True)
        for name, text in {"cronq.toml": CONFIG, "produce.py": PRODUCE, "site_.py": SITE}.items():
            self.host.write(name, text)

    def deploy(self, is_whole: bool) -> None:
        self.host.write("tasks.py", TASKS + (REMOVABLE if is_whole else ""))

    def rage(self) -> None:
        """Let everything run and fail for the time given, and until all is enqueued."""
        ends = time.monotonic() + self.seconds
        self._enqueue_until = time.monotonic() + 0.9 * self.seconds
        next_tick = next_fault = next_kill = time.monotonic()
        fault = None
        while (now := time.monotonic()) < ends or any(left > 0 for left in self._left):
            assert now < ends + PATIENCE_S + self.seconds, f"producers get nowhere: {self._left} left"
            self._keep_running()
            if now >= next_tick:
                self.tick()
                next_tick = now + INTERVAL_S
            if now >= next_kill:
                self.said["kills"] += self.host.kill_one(self.drawn)
                next_kill = now + self.drawn.uniform(0.2, 1.5)
            if now >= next_fault:
                if fault is not None:
                    fault.end(self)
                fault = self.drawn.choice(FAULTS)
                self.said[fault.name] += 1
                self.host.diary.note(fault.name)
                fault.begin(self)
                next_fault = now + self.drawn.uniform(1, 4)
            time.sleep(0.02)
        if fault is not None:
            fault.end(self)

    def nurse(self) -> None:
        """The host is well again, and two hours have passed: every delay is over, every removed task is back."""
        self.host.kill_all()
        self.host.set_clock(7200)
        self.deploy(is_whole=True)
        ends = time.monotonic() + PATIENCE_S + self.seconds
        while left := self.host.unsettled():
            assert time.monotonic() < ends, f"nothing goes on: {left}"
            if left.get("failed"):
                self._run("-m", "cronq", "failed", "retry", "--all")
            self.tick()
            time.sleep(0.5)
        self._reap()
        self.host.kill_all()
        self.hear()

    def hear(self) -> None:
        """Take in what the project's processes say they did: ticks kill, too."""
        for pid in self.log.follow():
            self.said["killed by ticks"] += 1
            self.ledger.note_kill(pid)

    def tick(self) -> None:
        self._reap()
        self.hear()
        self._ticks.append(self.host.start("-m", "cronq", "tick", output=self.host.cron_mail))
        self.said["ticks"] += 1

    def _run(self, *words: str) -> None:
        self.host.start(*words, output=self.host.cron_mail).wait(PATIENCE_S)

    def _reap(self) -> None:
        self._ticks = [tick for tick in self._ticks if tick.poll() is None]

    def _keep_running(self) -> None:
        """Whoever was killed comes back, producers with the numbers after those that they have used."""
        gone = [index for index, one in enumerate(self._producers) if one is None or one.poll() is not None]
        if gone:
            self._learn()
        for index in gone:
            if self._left[index] > 0:
                words = ("produce.py", str(self._next[index]), str(self._left[index]), str(self._enqueue_until))
                self._producers[index] = self.host.start(*words, output=self.host.cron_mail)
        for index, site in enumerate(self._sites):
            if site is None or site.poll() is not None:
                self._sites[index] = self.host.start("site_.py", output=self.host.cron_mail)

    def _learn(self) -> None:
        """Read what producers have written down since the last look."""
        for verb, number, _ in self.ledger.news():
            if verb == "asked":
                self._next[number // NUMBERS] = number + 1
            elif verb == "returned":
                self._left[number // NUMBERS] -= 1


def main(seconds: float, messages: int, seed: int) -> int:
    """Rage, nurse, and account for every message."""
    base = Path(tempfile.mkdtemp(prefix="cronq-chaos-", dir=Path.home()))
    print(f"seed {seed}", flush=True)
    compile_all()
    chaos = Chaos(base, seconds, messages, seed)
    try:
        began = time.monotonic()
        chaos.rage()
        raged_s, run_meanwhile = time.monotonic() - began, chaos.ledger.how_many_ended()
        chaos.nurse()
        found = account(chaos.ledger)
        faults = [*found.faults(), *chaos.host.complaints()]
    finally:
        chaos.host.kill_all()
        chaos.log.close()
        keep(chaos.host.state, base / "state")
        chaos.host.unmount()
    print(", ".join(f"{count} {word}" for word, count in sorted(chaos.said.items())))
    print(f"{found}, {run_meanwhile} of them in the {raged_s:.0f} s of faults")
    print(*faults, sep="\n")
    if faults:
        print(f"kept in {base}")
    else:
        shutil.rmtree(base)
    return int(bool(faults))


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]] + [60.0, 2400.0, random.randrange(1_000_000)][len(sys.argv) - 1 :]
    if "CRONQ_CHAOS_INSIDE" not in os.environ:
        os.environ["CRONQ_CHAOS_INSIDE"] = "1"
        same = (sys.executable, "-m", "tests.reliability.chaos", *map(str, given))
        os.execvp("unshare", ("unshare", "--mount", "--propagation", "private", *same))  # noqa: S606
    sys.exit(main(given[0], int(given[1]), int(given[2])))
