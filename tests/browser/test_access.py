"""The page for everyone: by keyboard, by screen reader, on a small screen, in two languages and two themes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, until

pytestmark = pytest.mark.timeout(180)

AXE = ROOT / "services/dashboard/frontend/node_modules/axe-core/axe.min.js"
WIDE, PHONE = (1920, 1080), (360, 740)


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci in services/dashboard/frontend")
    return AXE.read_text()


def serious(page: Page, axe: str) -> list[str]:
    """What axe-core calls serious or critical, with the elements."""
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']} ({violation['impact']}): {[node['html'][:160] for node in violation['nodes'][:3]]}"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("theme", "size", "path"),
    [
        ("dark", WIDE, ""),
        ("light", WIDE, "#/plants/field-00040"),
        ("light", PHONE, "#/alerts"),
        ("dark", PHONE, "#/plants/field-00040"),
    ],
)
def test_axe_finds_no_serious_issue(
    open_page: Callable[..., Page], *, axe: str, theme: str, size: tuple[int, int], path: str
) -> None:
    """Neither theme nor size has an issue that axe-core calls serious or critical."""
    page = open_page(path, width=size[0], height=size[1], theme=theme)
    assert serious(page, axe) == []


TOO_WIDE = """() => [...document.querySelectorAll("main *, header *, nav *")]
  .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.className)"""


@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_is_wider_than_a_small_phone(open_page: Callable[..., Page], language: str) -> None:
    """At 360 px no view scrolls sideways, in either language."""
    page = open_page(width=PHONE[0], height=PHONE[1], language=language)
    for view in ("map", "generation", "alerts", "ranking", "plants/field-00040"):
        page.evaluate(f"location.hash = '#/{view}'")
        page.evaluate("new Promise(requestAnimationFrame)")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0], view
        assert page.evaluate(TOO_WIDE) == [], view


def test_a_plant_is_found_and_left_by_keyboard_alone(open_page: Callable[..., Page]) -> None:
    """Slash, a name, Enter: the plant's page has the focus; Escape leads back."""
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("field 77")
    expect(page.get_by_role("option").first).to_contain_text("field 77")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="field 77")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "plant"
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="field 77")).to_be_hidden()


def test_the_page_speaks_korean(open_page: Callable[..., Page]) -> None:
    """In Korean the document says so, and so do its headings and the names of the provinces."""
    page = open_page(language="ko")
    assert page.evaluate("document.documentElement.lang") == "ko"
    expect(page.get_by_role("heading", name="전국 발전량")).to_be_visible()
    expect(page.get_by_role("button", name="전남").first).to_be_visible()


def test_sound_is_off_until_it_is_turned_on(open_page: Callable[..., Page]) -> None:
    """The switch says that the sound is off, and remembers when it is turned on."""
    page = open_page()
    page.get_by_role("button", name="Sound for new alerts is off").click()
    expect(page.get_by_role("button", name="Sound for new alerts is on")).to_be_visible()


def test_a_past_moment_is_shown_and_left(open_page: Callable[..., Page]) -> None:
    """Ten minutes back the page says that it shows the past; one press leads back to now."""
    page = open_page()
    page.get_by_role("button", name="Earlier by ten minutes").click()
    expect(page.locator(".banner")).to_contain_text("Nothing here is live")
    expect(page.locator(".liveness")).to_contain_text("Past")
    page.get_by_role("button", name="Back to live").click()
    expect(page.locator(".liveness")).to_contain_text("Live")


def test_a_note_and_a_photo_reach_the_plants_page(open_page: Callable[..., Page]) -> None:
    """A note appears as text, whatever it holds; a photo appears by its thumbnail once that is made."""
    page = open_page("#/plants/field-00060")
    page.get_by_label("Add a note").fill("<img src=x onerror=alert(1)> fuse replaced")
    page.get_by_label("Your name").fill("Park")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".note-text").first).to_have_text("<img src=x onerror=alert(1)> fuse replaced")
    page.locator(".drop-zone input").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": _png("#557788")}
    )
    _drop(page, "b.png", _png("#885577"))
    expect(page.locator(".photo-grid img")).to_have_count(2, timeout=60_000)
    until(page, "document.querySelector('.photo-grid img').naturalWidth > 0")


def _drop(page: Page, name: str, data: bytes) -> None:
    """Drags a file over the page's drop zone and lets it go."""
    page.locator(".drop-zone").evaluate(
        """(zone, [name, base64]) => {
            const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
            for (const kind of ["dragenter", "dragover", "drop"])
                zone.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
        }""",
        [name, b64encode(data).decode()],
    )


def _png(colour: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (640, 480), colour).save(out, "PNG")
    return out.getvalue()
