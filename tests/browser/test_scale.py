"""Twenty thousand plants on the real stack: the page stays smooth and small."""

from __future__ import annotations

import psutil
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Field, until

pytestmark = pytest.mark.timeout(420)

FRAMES = """(seconds) => new Promise((resolve) => {
  const gaps = [];
  let before = performance.now();
  const end = before + seconds * 1000;
  const frame = (now) => {
    gaps.push(now - before);
    before = now;
    if (now < end) requestAnimationFrame(frame);
    else resolve(gaps.slice(1));
  };
  requestAnimationFrame(frame);
})"""
"""Milliseconds between the frames of so many seconds."""


def drag_about(page: Page, moves: int) -> None:
    """Pans to and fro and zooms in and out by the wheel over the middle of the map."""
    box = page.locator(".map-stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(moves):
        page.mouse.move(x + 150 * (step % 20 - 10) / 10, y + 80 * (step % 14 - 7) / 7)
    page.mouse.up()
    for step in range(moves // 4):
        page.mouse.wheel(0, -120 if step % 8 < 4 else 120)


def renderer_mb(page: Page) -> float:
    """Private memory of the page's process."""
    session = page.context.browser.new_browser_cdp_session()  # type: ignore[union-attr]
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    pids = [process["id"] for process in processes if process["type"] == "renderer"]
    return max(float(psutil.Process(pid).memory_full_info().uss) for pid in pids) / 1e6


@pytest.mark.parametrize("grouping", ["on", "off"])
def test_twenty_thousand_plants_keep_thirty_frames_a_second(field: Field, browser: Browser, grouping: str) -> None:
    """While the map is dragged and zoomed and windows arrive: 30 frames a second or more, under 300 MB.

    Without a GPU. A frame that the loaded machine gives to others is no fault of the page: the middle of three runs
    counts.
    """
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    context.add_init_script(f"localStorage.setItem('heliograph.grouping', '{grouping}')")
    page = context.new_page()
    page.goto(field.url)
    field.flood()
    until(page, "Number(document.querySelector('.legend-count')?.textContent.replace(',', '')) > 19000", 90)
    rates = []
    field.flood()
    for _ in range(3):
        page.evaluate(f"window.gaps = ({FRAMES})(3)")
        drag_about(page, 60)
        gaps: list[float] = page.evaluate("window.gaps")
        rates.append(1000 * len(gaps) / sum(gaps))
    memory_mb = renderer_mb(page)
    context.close()
    print(f"grouping {grouping}: {sorted(round(rate, 1) for rate in rates)} frames/s, {memory_mb:.0f} MB")
    assert sorted(rates)[1] >= 30
    assert memory_mb < 300
