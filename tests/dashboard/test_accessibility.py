"""axe-core finds nothing in any state of any view, light and dark, on a phone and on a desk."""

from typing import Any

import pytest

from tests.dashboard.desk import Desk
from tests.dashboard.scenes import SCENES, Scene
from tests.dashboard.window import AXE, DESK, PHONE, WALL, Line

JUDGED = """async (rules) => (await axe.run({ resultTypes: ['violations'], ...rules })).violations.map((one) => {
  const where = one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)} ${node.failureSummary}`);
  return `${one.id}: ${where.join(' | ')}`;
})"""

# The dark scheme has other colours, and nothing else.
SCHEMES: dict[str, dict[str, Any]] = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_nothing_stands_in_the_way_of_anybody(desk: Desk, scene: Scene) -> None:
    line = Line()
    found = []
    with desk.open(
        scene.path, scene.role, scene.departments, language=scene.language, line=line, script=AXE.read_text()
    ) as page:
        page.clock.install()
        scene.show(page, line)
        for width, height in (WALL,) if scene.is_kiosk else (DESK, PHONE):
            page.set_viewport_size({"width": width, "height": height})
            for scheme, rules in SCHEMES.items():
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                page.evaluate("(one) => { document.documentElement.dataset.theme = one; }", scheme)
                found += [f"{width} {scheme}: {one}" for one in page.evaluate(JUDGED, rules)]
            wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            found += [f"{width}: scrolls sideways by {wider} px"] if wider > 0 else []
    assert found == [], "\n".join(found)
