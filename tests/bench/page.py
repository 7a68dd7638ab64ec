"""The page in Debian's Chromium, slowed four times, on a simulated appliance with 64 departments and 576 devices.

Prints each figure with its bound; asserts nothing. APPLIANCE_PAGE_MINUTES: how long the memory is watched (default 1).
"""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import psutil
from playwright.sync_api import CDPSession, Page

from tests.client.node import NodeClient
from tests.dashboard.desk import Desk
from tests.dashboard.window import chromium, live
from tests.end_to_end.simulated import Simulated

DIST = Path(__file__).parents[2] / "appliance/dashboard/dist"
DEPARTMENTS = 64
SLOWER = 4  # a phone or an old office computer beside this machine
ROUNDS = 3
LIVE_S = 20
KB = 1000
FIRST_VIEW = re.compile(r'(?:src|href)="/(assets/[^"]+\.(?:js|css))"')

_DEPARTMENT = """
[[departments]]
id = "d{number}"
name = "Department {number}"
interface = "eth0.{vlan}"
subnets = ["10.{number}.0.0/24"]
[departments.quota]
daily = "40 GB"
"""
CONFIG = """[appliance]
position = "gateway"
[periods]
metering = 1
analytics = 1
health = 5
""" + "".join(_DEPARTMENT.format(number=number, vlan=100 + number) for number in range(1, DEPARTMENTS + 1))

# In the page, before its own script: when it stood whole, and how long frames took while it scrolled.
WATCH = """
window.full = new Promise((done) => {
  const look = () => {
    const rows = document.querySelectorAll('main tbody tr').length;
    const is = rows > 0 && document.querySelector('.pill:not(.stale):not(.reconnecting) b')?.textContent === 'Live';
    if (is) done(performance.now()); else requestAnimationFrame(look);
  };
  addEventListener('DOMContentLoaded', look);
});
window.scrolled = async (seconds) => {
  const from = performance.now();
  let frames = 0, slowest = 0, last = from, down = true;
  while (last - from < seconds * 1000) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    slowest = Math.max(slowest, now - last);
    last = now;
    frames++;
    if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) down = false;
    if (scrollY === 0) down = true;
    scrollBy(0, down ? 24 : -24);
  }
  return [frames / ((last - from) / 1000), slowest];
};
"""


def _row(figure: str, found: float, unit: str, bound: str) -> str:
    return f"{'page: ' + figure:72} {found:9.2f} {unit:5} ({bound})"


def _compressed_kb(path: Path) -> float:
    packed = path.with_name(f"{path.name}.gz")
    return (packed.stat().st_size if packed.exists() else len(gzip.compress(path.read_bytes()))) / KB


def _parts() -> Iterator[str]:
    """What the first view loads, and each part that a view loads when it is opened."""
    first = [DIST / name for name in dict.fromkeys(FIRST_VIEW.findall((DIST / "index.html").read_text()))]
    for kind, bound in (("js", "<= 60"), ("css", "<= 8")):
        size = sum(_compressed_kb(one) for one in first if one.suffix == f".{kind}")
        yield _row(f"{'script' if kind == 'js' else 'style'} of the first view, gzip", size, "kB", bound)
    for one in sorted([*DIST.glob("assets/*.js"), *DIST.glob("assets/*.css")], key=_compressed_kb, reverse=True):
        when = "first view" if one in first else "when opened"
        yield _row(f"  part {one.name}", _compressed_kb(one), "kB", when)


def _slow(page: Page) -> CDPSession:
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    return session


def _opening(desk: Desk, path: str) -> tuple[float, float]:
    """Milliseconds until something is painted, and until rows with figures stand."""
    with desk.open("/login", script=WATCH) as page:
        _slow(page)
        page.goto(f"{desk.url}{path}")
        full_ms = page.evaluate("() => window.full")
        paints = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
        return page.evaluate(paints), full_ms


@contextmanager
def _cpu_of(processes: list[psutil.Process]) -> Iterator[dict[str, float]]:
    """Percent of a core that these processes take while this is open."""
    found: dict[str, float] = {}
    before = {one.pid: sum(one.cpu_times()[:2]) for one in processes}
    began_s = monotonic()
    yield found
    took_s = monotonic() - began_s
    for one in processes:
        words = " ".join(one.cmdline())
        kind = next((kind for kind in ("renderer", "gpu-process", "utility") if f"--type={kind}" in words), "browser")
        used_s = sum(one.cpu_times()[:2]) - before[one.pid]
        found[kind] = found.get(kind, 0.0) + used_s / took_s * 100


def _browsers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children(recursive=True) if "chromium" in one.name()]


def _alive(desk: Desk, path: str) -> Iterator[str]:
    with desk.open(path, script=WATCH) as page:
        live(page)
        with _cpu_of(_browsers()) as cpu:
            page.wait_for_timeout(LIVE_S * 1000)
        yield _row(f"CPU of the renderer, live at 1 Hz, {path}", cpu.get("renderer", 0), "%", "< 8 of a core")
        rest = sum(used for kind, used in cpu.items() if kind != "renderer")
        yield _row(f"CPU of the browser's other processes, {path}", rest, "%", "")
        _slow(page)
        frames, slowest_ms = page.evaluate("() => window.scrolled(4)")
        yield _row(f"frames a second while scrolling, {path}", frames, "", "60")
        yield _row(f"the slowest of these frames, {path}", slowest_ms, "ms", "")


def _memory(desk: Desk, minutes: float) -> Iterator[str]:
    with desk.open("/") as page:
        live(page)
        session = page.context.new_cdp_session(page)

        def held_mb() -> float:
            session.send("HeapProfiler.collectGarbage")
            return float(page.evaluate("() => performance.memory.usedJSHeapSize")) / 1e6

        page.wait_for_timeout(10_000)  # what is filled once is filled
        before_mb = held_mb()
        page.wait_for_timeout(minutes * 60_000)
        after_mb = held_mb()
        yield _row("JavaScript's memory after the first seconds", before_mb, "MB", "")
        yield _row(f"and {minutes:g} minutes later", after_mb, "MB", "flat")


def _resident_mb(service: Simulated) -> float:
    [one] = [one for one in psutil.Process().children(recursive=True) if str(service.file) in " ".join(one.cmdline())]
    return one.memory_info().rss / 1e6


def _service(desk: Desk) -> Iterator[str]:
    """What the page costs the appliance: a client without it first, then the page once opened."""
    with NodeClient(desk.url, desk.token()) as client:
        client.wait_for("usage:update", count=DEPARTMENTS * 5)
        without_mb = _resident_mb(desk.service)
    asked = ["curl", "--silent", "--output", "/dev/null", f"{desk.url}/"]
    subprocess.run(asked, check=True)
    for one in DIST.glob("assets/*.js"):
        subprocess.run([*asked[:-1], "-H", "Accept-Encoding: br, gzip", f"{desk.url}/assets/{one.name}"], check=True)
    sleep(2)
    served_mb = _resident_mb(desk.service)
    yield _row("resident memory of the service before the page was asked for", without_mb, "MB", "")
    yield _row("and after every file of it was served", served_mb, "MB", "<= 2 more")


def run() -> Iterator[str]:
    """A row for each figure, as it is found."""
    minutes = float(os.environ.get("APPLIANCE_PAGE_MINUTES", "1"))
    subprocess.run([sys.executable, "deploy/build_page.py"], check=True, cwd=DIST.parents[2])
    yield from _parts()
    with TemporaryDirectory() as folder, chromium("--enable-precise-memory-info") as browser:
        service = Simulated(Path(folder), config=CONFIG)
        try:
            service.start()
            desk = Desk(browser, service)
            yield from _service(desk)
            for path in ("/", "/departments"):
                opened = sorted(_opening(desk, path) for _ in range(ROUNDS))
                yield _row(f"first paint, {path}, median of {ROUNDS}", opened[ROUNDS // 2][0], "ms", "< 1000")
                fulls = sorted(full for _, full in opened)
                yield _row(f"full state with {DEPARTMENTS} departments, {path}", fulls[ROUNDS // 2], "ms", "< 1500")
            yield from _alive(desk, "/")
            yield from _alive(desk, "/departments")
            yield from _memory(desk, minutes)
        finally:
            service.close()
