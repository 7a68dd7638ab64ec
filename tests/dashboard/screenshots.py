"""Makes a picture of every view and state: `python -m tests.dashboard.screenshots [FOLDER [NAME...]]`.

Light and dark, on a phone and on a desk; the kiosk on a wall. FOLDER: by default a temporary one, which is printed.
NAME: of scenes; by default all.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from tests.dashboard.desk import Desk
from tests.dashboard.hospital import CONFIG
from tests.dashboard.scenes import SCENES, Scene
from tests.dashboard.window import DESK, PHONE, WALL, Line, chromium
from tests.end_to_end.simulated import Simulated


def take(desk: Desk, scene: Scene, size: tuple[int, int], scheme: str, folder: Path) -> None:
    """One picture, of the whole view."""
    line = Line()
    with desk.open(
        f"{scene.path}{'&' if '?' in scene.path else '?'}theme={scheme}",
        scene.role,
        scene.departments,
        language=scene.language,
        line=line,
        size=size,
        scheme=scheme,
    ) as page:
        page.clock.install()
        scene.show(page, line)
        if size == PHONE:  # what is fixed at the lower edge is there, and not in the middle of the picture
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": size[0], "height": max(size[1], height)})
        page.wait_for_timeout(500)  # charts draw in the frames after the figures
        page.screenshot(path=folder / f"{scene.name}-{size[0]}-{scheme}.png", full_page=not scene.is_kiosk)


def main(folder: Path, names: list[str]) -> None:
    """Take all pictures, or those of these scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as place, chromium() as browser:
        service = Simulated(Path(place), config=CONFIG)
        try:
            service.start()
            desk = Desk(browser, service)
            desk.furnish()
            for scene in SCENES:
                if names and scene.name not in names:
                    continue
                for size in (WALL,) if scene.is_kiosk else (DESK, PHONE):
                    for scheme in ("light", "dark"):
                        take(desk, scene, size, scheme, folder)
                print(scene.name, flush=True)
        finally:
            service.close()
    print(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(mkdtemp(prefix="screenshots-")), sys.argv[2:])
