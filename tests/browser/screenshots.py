"""Takes the pictures in docs/images, or another folder, from a running stack:

python -m tests.browser.screenshots http://127.0.0.1:8080 [FOLDER]
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import APIRequestContext, sync_playwright

from tests.browser.conftest import FLAGS, ROOT, chromium, until

IMAGES = ROOT / "docs/images"
CHARTS_DRAWN = """[...document.querySelectorAll(".chart-host")]
  .every((host) => host.firstChild || !host.checkVisibility())"""
SETTLE_MS = 1500


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the size of the screen, and what is looked at."""

    name: str
    size: tuple[int, int]
    path: str = ""
    theme: str = "dark"
    language: str = "en"


def shots(plant: str) -> list[Shot]:
    return [
        Shot("desktop", (1920, 1080)),
        Shot("desktop-light", (1920, 1080), theme="light"),
        Shot("desktop-korean", (1920, 1080), language="ko"),
        Shot("plant", (1920, 1080), path=f"#/plants/{plant}"),
        Shot("phone", (360, 740)),
        Shot("phone-alerts", (360, 740), path="#/alerts"),
        Shot("phone-korean", (360, 740), path="#/generation", language="ko"),
    ]


def plant_with_a_day(request: APIRequestContext, api: str) -> str:
    """Of the plants of the newest open alerts the one whose day is known best."""
    alerts = request.get(f"{api}/alerts").json()["alerts"]
    plants = [alert["plant_id"] for alert in alerts if alert["plant_id"]][:20]
    return max(plants, key=lambda plant: len(request.get(f"{api}/plants/{quote(plant)}/windows").json()["rows"]))


def take(url: str, folder: Path) -> None:
    """Writes every picture; the plant shown has an open alert."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        plant = plant_with_a_day(browser.new_context().request, f"{url}/api/v1")
        for shot in shots(plant):
            width, height = shot.size
            context = browser.new_context(viewport={"width": width, "height": height}, device_scale_factor=1)
            context.add_init_script(
                f"localStorage.setItem('heliograph.theme', '{shot.theme}');"
                f"localStorage.setItem('heliograph.language', '{shot.language}')"
            )
            page = context.new_page()
            page.goto(f"{url}/{shot.path}", wait_until="domcontentloaded", timeout=120_000)
            page.wait_for_selector(".liveness[data-state=live]", timeout=120_000)
            until(page, "document.querySelector('.legend-count').textContent !== '0'", 120)
            until(page, CHARTS_DRAWN, 120)
            page.wait_for_timeout(SETTLE_MS)
            page.screenshot(path=folder / f"{shot.name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    take(sys.argv[1].rstrip("/"), Path(sys.argv[2]) if len(sys.argv) > 2 else IMAGES)
