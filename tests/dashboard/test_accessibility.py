"""axe-core finds nothing in any state of any view, light and dark, on a phone and on a desk."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.dashboard.desk import Desk
from tests.dashboard.scenes import SCENES, Scene
from tests.dashboard.window import AXE, DESK, PHONE, WALL, Line

JUDGED = """async (rules) => (await axe.run({ resultTypes: ['violations'], ...rules })).violations.map((one) => {
  const where = one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`);
  return `${one.id}: ${where.join(' | ')}`;
})"""

COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}  # a scheme has other colours, and nothing else
# Size, scheme and rules of what is judged. The first scene of each view is judged on a desk by day or a phone by night,
# in turns: most of what is in a scene is in its neighbours too. The slower tier has all of it.
Judgement = tuple[tuple[int, int], str, dict[str, Any]]
BY_DAY: Judgement = (DESK, "light", {})
BY_NIGHT: Judgement = (PHONE, "dark", {})
OTHERS: tuple[Judgement, ...] = ((DESK, "dark", COLOURS), (PHONE, "light", {}))


def cases() -> Iterator[Any]:
    """Each scene with what is judged of it."""
    views: set[str] = set()
    for scene in SCENES:
        once, other = (BY_DAY, BY_NIGHT) if len(views) % 2 else (BY_NIGHT, BY_DAY)
        view = scene.path.partition("?")[0]
        yield pytest.param(scene, (once,), id=f"{scene.name}-once", marks=pytest.mark.slow if view in views else ())
        yield pytest.param(scene, (other, *OTHERS), id=f"{scene.name}-again", marks=pytest.mark.slow)
        views.add(view)


class Seats:
    """Windows in which scenes are shown one after the other: to open a new one takes longer than to judge a scene."""

    def __init__(self, desk: Desk, closing: ExitStack) -> None:
        self._desk, self._closing = desk, closing
        self._taken: dict[tuple[str | None, str, str], tuple[Page, Line]] = {}

    @contextmanager
    def shown(self, scene: Scene) -> Iterator[Page]:
        """A window with this scene."""
        if scene.is_alone:
            line = Line()
            with self._open(scene, line) as page:
                page.clock.install()
                scene.show(page, line)
                yield page
            return
        who = scene.role, scene.departments, scene.language
        if who in self._taken:
            page, line = self._taken[who]
            self._clear(page, line, scene)
        else:
            line = Line()
            page = self._closing.enter_context(self._open(scene, line))
            self._taken[who] = page, line
        scene.show(page, line)
        yield page

    def _open(self, scene: Scene, line: Line) -> AbstractContextManager[Page]:
        size, script = WALL if scene.is_kiosk else DESK, AXE.read_text()
        who = scene.role, scene.departments
        return self._desk.open(scene.path, *who, language=scene.language, line=line, size=size, script=script)

    def _clear(self, page: Page, line: Line, scene: Scene) -> None:
        """Open the scene's view in a window where another scene was."""
        line.is_held, line.is_cut, line.change = False, False, str
        width, height = WALL if scene.is_kiosk else DESK
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{self._desk.url}{scene.path}")


@pytest.fixture(scope="module")
def seats(desk: Desk) -> Iterator[Seats]:
    desk.furnish()
    with ExitStack() as closing:
        yield Seats(desk, closing)


@pytest.mark.parametrize(("scene", "judgements"), [*cases()])
def test_nothing_stands_in_the_way_of_anybody(seats: Seats, scene: Scene, judgements: tuple[Judgement, ...]) -> None:
    found = []
    with seats.shown(scene) as page:
        for size, scheme, rules in judgements:
            width, height = WALL if scene.is_kiosk else size
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.evaluate("(one) => { document.documentElement.dataset.theme = one; }", scheme)
            found += [f"{width} {scheme}: {one}" for one in page.evaluate(JUDGED, rules)]
            wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            found += [f"{width}: scrolls sideways by {wider} px"] if wider > 0 else []
    assert found == [], "\n".join(found)
