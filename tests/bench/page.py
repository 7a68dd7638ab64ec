"""The page in Debian's Chromium: what its first view weighs, how soon it is whole, and what it costs while it is live.

The whole simulated service serves the page that the build has made, to a browser without a screen. Where a row says so,
the browser's processor is slowed fourfold, as a phone's or an old computer's would be. The share of a core is counted
without that, because the browser slows itself by work that would be counted too. Other work of the machine makes what
is counted in time longer, so its load stands beside each figure.
"""

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep
from typing import Any

import psutil
from playwright.sync_api import Browser, CDPSession, Locator, Page

from tests.bench.page_service import DEPARTMENTS, PageService, remember, serving
from tests.dashboard.window import DESK, chromium, live
from tests.documents import PROJECT
from tests.end_to_end.simulated import without_dashboard

DIST = PROJECT / "appliance/dashboard/dist"
SLOWED = 4  # times
LOADS = 9  # of each view; the median is told
LIVE_S = 60
GESTURE_S = 4
ZOOMS = 15
SETTLES_S = 20  # until everything that comes once has come
SOAK_MINUTES = float(os.environ.get("APPLIANCE_SOAK_MINUTES", "2"))
ROUNDS = 5  # of a service with the page and one without
QUIET_S = 6

# Says when each row in sight, and each tile, has its figures, and when every row has; it looks once a frame.
WATCH = """
window.bench = {};
bench.done = new Promise((done) => {
  const drawn = (then) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = then;
    port2.postMessage(0);
  };
  const firstWithout = (rows) => {
    for (const row of rows)
      for (const { className, textContent } of row.cells)
        if (className.includes('gap') || (className.includes('num') && !textContent)) return row;
    return null;
  };
  const look = () => {
    const rows = document.querySelector('main table.rows tbody')?.rows ?? [];
    const tiles = rows.length > 0 ? document.querySelectorAll('.tiles .value') : [];
    if (rows.length > 0 && ![...tiles].some((one) => one.textContent.includes('\u2013'))) {
      const without = firstWithout(rows);
      if (!bench.whole && (without === null || without.getBoundingClientRect().top >= innerHeight))
        drawn(() => (bench.whole ??= performance.now()));
      if (without === null) return drawn(() => done(performance.now()));
    }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
});
"""
# Counts frames while it scrolls down and up by so many pixels a frame, for so many ms.
SCROLL = """
async (forMs) => {
  const began = performance.now();
  let [frames, step, longest, before] = [0, 24, 0, began];
  for (let now = began; now < began + forMs; ) {
    now = await new Promise((then) => requestAnimationFrame(then));
    now = performance.now();
    longest = Math.max(longest, now - before);
    before = now;
    frames++;
    if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) step = -24;
    else if (scrollY <= 0) step = 24;
    scrollBy(0, step);
  }
  return [(frames * 1000) / (performance.now() - began), longest];
}
"""
# Counts frames, and what each release of the mouse takes until its frame is drawn, without the wait for that frame.
GESTURES = """
window.bench = { frames: 0, zooms: [] };
(() => {
  const count = () => { bench.frames++; requestAnimationFrame(count); };
  requestAnimationFrame(count);
  const { port1, port2 } = new MessageChannel();  // made once: in a slowed page it takes half a millisecond
  const waiting = [];
  port1.onmessage = () => waiting.shift()();
  const after = (then) => { waiting.push(then); port2.postMessage(0); };
  addEventListener('mouseup', ({ target }) => {
    if (!target.closest('.plot')) return;
    const began = performance.now();
    after(() => {
      const handled = performance.now() - began;
      requestAnimationFrame(() => {
        const from = performance.now();
        after(() => bench.zooms.push(handled + performance.now() - from));
      });
    });
  }, true);
})();
"""
# The peer of a zoom: a page with a canvas of the chart's size alone, which draws as many hours anew at each release.
BARE = """
<div class="plot"><canvas width="{width:.0f}" height="{height:.0f}"></canvas></div>
<script>
  const canvas = document.querySelector('canvas');
  const pen = canvas.getContext('2d');
  addEventListener('mouseup', () => {{
    pen.clearRect(0, 0, canvas.width, canvas.height);
    for (const share of [1, -1]) {{
      pen.beginPath();
      for (let hour = 0; hour < 720; hour++)
        pen.lineTo((hour * canvas.width) / 720, (canvas.height / 2) * (1 - share * Math.random()));
      pen.stroke();
    }}
  }});
</script>
"""


def row(figure: str, value: float, unit: str, bound: str) -> str:
    """A figure with its bound, and the load of the machine while it was taken."""
    return f"{figure:78} {value:9.2f} {unit:5} ({bound}) load {os.getloadavg()[0]:.1f}"


@dataclass
class Watched:
    """A window whose costs are counted."""

    page: Page
    cdp: CDPSession
    process: psutil.Process

    def slow(self, times: float) -> None:
        self.cdp.send("Emulation.setCPUThrottlingRate", {"rate": times})

    def cpu_s(self) -> float:
        used = self.process.cpu_times()
        return used.user + used.system

    def heap_mb(self) -> float:
        """What the page's script holds, after what it does not is collected."""
        self.cdp.send("HeapProfiler.collectGarbage")
        return self.cdp.send("Runtime.getHeapUsage")["usedSize"] / 1e6

    def resident_mb(self) -> float:
        return self.process.memory_info().rss / 1e6


@contextmanager
def window(browser: Browser, service: PageService, slowed: float = 1) -> Iterator[Watched]:
    """An empty window of a person who is logged in; its cache is empty too."""
    context = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]})
    try:
        context.add_init_script(f"sessionStorage.token = {service.token()!r};")
        page = context.new_page()
        cdp = context.new_cdp_session(page)
        page.goto(f"{service.url}/healthz")  # the process of this origin
        watched = Watched(page, cdp, _process_of(page))
        watched.slow(slowed)
        yield watched
    finally:
        context.close()


def _process_of(page: Page) -> psutil.Process:
    """The one of the browser's processes that works when the page does; the browser tells nobody which it is."""
    before = _used_s()
    page.evaluate("() => { let sum = 0; for (let at = 0; at < 4e8; at++) sum = (sum + at) | 0; return sum; }")
    after = _used_s()
    return max(before, key=lambda one: after.get(one, 0.0) - before[one])


def _used_s() -> dict[psutil.Process, float]:
    """What each of the browser's processes has used of the processor."""
    used = {}
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):  # it has just ended
            words = one.cmdline()
            if "--type=renderer" in words and "--top-chrome-webui" not in words:  # those are of the browser's own frame
                used[one] = one.cpu_times().user
    return used


def _bundle(browser: Browser, service: PageService) -> Iterator[str]:
    """What the overview loads, part by part: over the wire, and as gzip, which is the larger."""
    with window(browser, service) as one:
        one.page.goto(service.url)
        live(one.page)
        one.page.locator(".plot canvas").first.wait_for()
        asked = "performance.getEntriesByType('resource').map((one) => [one.name, one.encodedBodySize])"
        found = [(DIST / "assets" / name.rpartition("/")[2], sent / 1e3) for name, sent in one.page.evaluate(asked)]
    index = (DIST / "index.html").read_text()
    parts = [(file, sent) for file, sent in found if file.suffix in {".js", ".css"}]
    kinds = [("script", ".js", "<= 60"), ("style", ".css", "<= 8")]
    for kind, suffix, bound in kinds:
        first = sum(sent for file, sent in parts if file.suffix == suffix and file.name in index)
        whole = sum(sent for file, sent in parts if file.suffix == suffix)
        yield row(f"{kind} of the first view, sent", first, "kB", bound)
        yield row("  with what comes after it: the chart, and what is below the fold", whole, "kB", "no bound")
    for file, sent in parts:
        gzip_kb = len(gzip.compress(file.read_bytes())) / 1e3
        yield f"    {file.name:40} {sent:8.2f} kB sent, {gzip_kb:8.2f} kB by gzip"


def _load(browser: Browser, service: PageService, path: str) -> dict[str, float]:
    """Milliseconds from the navigation, with an empty cache."""
    with window(browser, service, SLOWED) as one:
        one.page.add_init_script(WATCH)
        one.page.goto(f"{service.url}{path}")
        every = one.page.evaluate("bench.done")
        whole, paint = one.page.evaluate("[bench.whole, performance.getEntriesByType('paint')[0].startTime]")
        return {"paint": paint, "whole": whole, "all": every}


def _loading(browser: Browser, service: PageService) -> Iterator[str]:
    for path in ("/", "/departments"):
        _load(browser, service, path)  # the first of a browser reads its programs from the disk
        loads = [_load(browser, service, path) for _ in range(LOADS)]
        paint, whole, every = (median(one[name] for one in loads) for name in ("paint", "whole", "all"))
        yield row(f"first paint of {path}, slowed 4 times", paint, "ms", "< 1000")
        yield row(
            f"all figures of the rows in sight in {path}, {DEPARTMENTS} departments, slowed 4 times",
            whole,
            "ms",
            "< 1500",
        )
        if path != "/":
            yield row(f"  of all {DEPARTMENTS} rows", every, "ms", "no bound")


def _following(browser: Browser, service: PageService) -> Iterator[str]:
    """What it costs to be open, and whether it stays smooth."""
    for path in ("/", "/departments"):
        with window(browser, service) as one:
            one.page.goto(f"{service.url}{path}")
            live(one.page)
            sleep(SETTLES_S)
            before_s = one.cpu_s()
            sleep(LIVE_S)
            share = (one.cpu_s() - before_s) / LIVE_S * 100
            yield row(
                f"CPU of {path} while {DEPARTMENTS} departments are live at 1 Hz, share of a core", share, "%", "< 8"
            )
            one.slow(SLOWED)
            frames, longest_ms = one.page.evaluate(SCROLL, GESTURE_S * 1000)
            yield row(f"frames a second while {path} scrolls, slowed 4 times", frames, "", "60")
            yield row("  the longest between two frames", longest_ms, "ms", "no bound")


def _zooming(browser: Browser, service: PageService) -> Iterator[str]:
    with window(browser, service) as one:
        one.page.goto(f"{service.url}/departments/department1?range=30d")  # nothing comes above it, which would move it
        live(one.page)
        chart = one.page.locator(".plot .u-over")
        chart.wait_for()
        chart.scroll_into_view_if_needed()
        sleep(SETTLES_S)
        canvas = one.page.locator(".plot canvas").bounding_box()
        frames_s, zoom_ms = _zooms(one, chart, one.page.get_by_role("button", name="Whole range").click)
    yield row("frames a second while a stretch of 30 days is chosen, slowed 4 times", frames_s, "", "60")
    yield row("a zoom of 30 days until its frame is drawn, slowed 4 times", zoom_ms, "ms", "<= 16.7")
    assert canvas is not None
    with window(browser, service) as one:
        one.page.set_content(BARE.format(**canvas))
        _, bare_ms = _zooms(one, one.page.locator("canvas"), lambda: None)
    yield row("  a bare page that draws two such lines, and nothing else", bare_ms, "ms", "the machine's own")


def _zooms(one: Watched, chart: Locator, reset: Callable[[], None]) -> tuple[float, float]:
    """Frames a second while a stretch is chosen, and the median ms from a release until its frame is drawn."""
    one.slow(SLOWED)
    one.page.evaluate(GESTURES)
    frames, took_s = 0, 0.0
    for _ in range(ZOOMS):
        box = chart.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        one.page.mouse.move(box["x"] + box["width"] * 0.3, y)
        began = one.page.evaluate("[bench.frames, performance.now()]")
        one.page.mouse.down()
        one.page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=20)
        one.page.mouse.up()
        ended = one.page.evaluate("[bench.frames, performance.now()]")
        frames, took_s = frames + ended[0] - began[0], took_s + (ended[1] - began[1]) / 1000
        reset()
        sleep(0.5)
    return frames / took_s, median(one.page.evaluate("bench.zooms.slice()"))


def _soak(browser: Browser, service: PageService) -> Iterator[str]:
    with window(browser, service) as one:
        one.page.goto(service.url)
        live(one.page)
        sleep(SETTLES_S)
        heap_mb, resident_mb = one.heap_mb(), one.resident_mb()
        sleep(SOAK_MINUTES * 60)
        yield row("script's memory at the start", heap_mb, "MB", "flat")
        yield row(f"  after {SOAK_MINUTES:g} minutes", one.heap_mb(), "MB", "flat")
        yield row("resident memory of the page's process at the start", resident_mb, "MB", "flat")
        yield row(f"  after {SOAK_MINUTES:g} minutes", one.resident_mb(), "MB", "flat")


def _unseen(folder: Path) -> str:
    """What the page costs a service that nobody asks for it."""
    without = without_dashboard(folder)
    differences = []
    for number in range(ROUNDS):
        with serving(folder / f"with{number}", 2) as one, serving(folder / f"without{number}", 2, without) as other:
            sleep(QUIET_S)
            differences.append((one.resident_bytes() - other.resident_bytes()) / 1e6)
    return row(
        "resident memory of the service that the page takes while nobody asks for it", median(differences), "MB", "<= 2"
    )


def run() -> Iterator[str]:
    """A row for each figure."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        remember(folder)
        with serving(folder) as service, chromium() as browser:
            parts: tuple[Callable[[Browser, PageService], Any], ...] = (_bundle, _loading, _zooming, _following, _soak)
            for part in parts:
                yield from part(browser, service)
        yield _unseen(folder)
