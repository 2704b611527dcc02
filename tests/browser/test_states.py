"""What the page says while something is missing, failing or of another moment: never more than it knows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Field, until

pytestmark = pytest.mark.timeout(180)

DAY_OF_A_PROVINCE = re.compile(r"/regions/[^/]+/day")


def refuse(route: Route) -> None:
    route.abort()


def with_alerts(page: Page, *alerts: dict[str, Any]) -> None:
    """The page finds these alerts, whatever is stored."""
    page.route(re.compile(r"/api/v1/alerts\?"), lambda route: route.fulfill(json={"alerts": list(alerts)}))


def alert_of(field: Field, number: int) -> dict[str, Any]:
    site = field.fed[number]
    onset = "2026-06-21T02:00:00Z"
    return {
        "alert_id": f"{site.plant_id}:trip:{onset}", "plant_id": site.plant_id, "region": site.region, "rule": "trip",
        "severity": "critical", "status": "open", "state": "open", "onset": onset, "updated_at": onset, "plants": 1,
        "resolved_at": None, "expected_kw": 700.0, "actual_kw": 0.0, "message": "tripped", "actions": [],
    }  # fmt: skip


def test_what_could_not_be_loaded_is_not_called_empty(open_page: Callable[..., Page]) -> None:
    """While notes and photos fail, nothing says that there are none; a press on the button loads them."""
    page = open_page()
    for records in ("notes", "photos"):
        page.route(f"**/{records}", refuse)
    page.evaluate("location.hash = '#/plants/field-00070'")
    for title, none in (("Notes", "No notes yet."), ("Photos", "No photos yet.")):
        section = page.locator(".plant-section").filter(has=page.get_by_role("heading", name=title, exact=True))
        expect(section.locator(".failure")).to_be_visible()
        expect(section.get_by_text(none)).to_be_hidden()
        page.unroute(f"**/{title.lower()}")
        section.get_by_role("button", name="Try again").click()
        expect(section.get_by_text(none)).to_be_visible()


def test_a_file_that_is_no_photo_is_said_to_be_none(open_page: Callable[..., Page]) -> None:
    """An upload of which no thumbnail can be made does not vanish without a word."""
    page = open_page("#/plants/field-00071")
    broken = {"name": "roof.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff\xe0 and no more"}
    page.locator(".drop-zone input").set_input_files(broken)  # type: ignore[arg-type]
    expect(page.locator(".upload-list")).to_have_text("roof.jpg could not be read as a photo", timeout=60_000)


def test_a_province_never_stands_over_the_countrys_curve(open_page: Callable[..., Page]) -> None:
    """While a province's day does not come, its chart is empty."""
    page = open_page()
    chart, readout = page.locator(".panel-nation .u-over"), page.locator(".panel-nation .chart-readout")
    chart.hover()
    expect(readout).to_contain_text("Today")
    page.route(DAY_OF_A_PROVINCE, refuse)
    page.locator(".region-row").first.click()
    expect(page.locator(".panel-nation .failure")).to_be_visible()
    chart.hover(position={"x": 20, "y": 20})
    expect(readout).to_have_text("")


def test_provinces_whose_day_fails_say_so(open_page: Callable[..., Page]) -> None:
    """A list of dashes comes with the reason and a button; what comes later takes their place."""
    page = open_page()
    page.route(DAY_OF_A_PROVINCE, refuse)
    panel = page.locator(".panel-regions")
    panel.get_by_role("button", name="Today").click()
    expect(panel.locator(".failure")).to_contain_text("no answer from the dashboard")
    page.unroute(DAY_OF_A_PROVINCE)
    panel.get_by_role("button", name="Try again").click()
    expect(panel.locator(".failure")).to_be_hidden()
    expect(panel.locator(".region-value").first).to_contain_text("Wh")


def test_a_search_that_fails_is_not_called_without_a_match(open_page: Callable[..., Page]) -> None:
    """The box under the search tells what went wrong."""
    page = open_page()
    page.route("**/search?*", refuse)
    page.keyboard.press("/")
    page.keyboard.type("field")
    expect(page.locator("#search-hits")).to_have_text("This could not be loaded: no answer from the dashboard")


def test_nothing_is_done_to_the_present_from_the_past(open_page: Callable[..., Page], field: Field) -> None:
    """Beside an alert as it stood then no action is offered, nor the weather of now beside the figures of then."""
    alert = alert_of(field, 60)
    page = open_page(f"#/plants/{alert['plant_id']}")
    with_alerts(page, alert)
    page.reload()
    own = page.locator(f".plant [data-key='{alert['alert_id']}']")
    irradiance = page.locator(".plant-facts div").filter(has_text="Irradiance").locator("dd")
    expect(own.get_by_role("button", name="Resolve")).to_be_visible()
    expect(irradiance).to_contain_text("W/m²")
    page.get_by_role("button", name="Earlier by ten minutes").click()
    expect(page.locator(".liveness")).to_contain_text("Past")
    expect(own).to_be_visible()
    expect(own.get_by_role("button")).to_have_count(0)
    expect(irradiance).to_have_text("–")
    page.get_by_role("button", name="Back to live").click()
    expect(own.get_by_role("button", name="Resolve")).to_be_visible()


def test_one_goes_back_from_what_is_shown_whatever_is_typed(open_page: Callable[..., Page]) -> None:
    """The buttons wait for the first data to go back from, and a date that was emptied keeps nobody from going on."""
    page = open_page()
    page.route("**/api/v1/plants", refuse)
    page.route("**/events", refuse)
    page.reload()
    expect(page.get_by_role("button", name="Earlier by ten minutes")).to_be_disabled()
    page.unroute("**/api/v1/plants")
    page.unroute("**/events")
    page.get_by_label("Day", exact=True).fill("")
    page.get_by_role("button", name="Earlier by ten minutes").click()
    expect(page.locator(".liveness")).to_contain_text("Past")


def test_an_alert_of_a_week_is_open_in_the_past_too(open_page: Callable[..., Page], field: Field) -> None:
    """What began long before a past moment and is open now was open then."""
    page = open_page()
    alert = alert_of(field, 64) | {"onset": "2026-06-14T02:00:00Z"}
    with_alerts(page)
    page.route(re.compile(r"/alerts\?.*state=open"), lambda route: route.fulfill(json={"alerts": [alert]}))
    page.get_by_role("button", name="Earlier by ten minutes").click()
    expect(page.locator(".liveness")).to_contain_text("Past")
    expect(page.locator(f".panel-alerts [data-key='{alert['alert_id']}']")).to_be_visible()


def test_an_empty_list_of_alerts_says_which(open_page: Callable[..., Page], field: Field) -> None:
    """Beside open alerts an empty list of acknowledged ones does not say that none is open."""
    page = open_page()
    with_alerts(page, alert_of(field, 61))
    page.reload()
    panel = page.locator(".panel-alerts")
    expect(panel.locator(".badge")).to_be_visible()
    panel.get_by_role("button", name="Acknowledged").click()
    expect(panel.locator(".emptiness")).to_have_text("No acknowledged alerts", use_inner_text=True)


def test_a_plant_is_closed_to_where_it_was_opened_from(open_page: Callable[..., Page], field: Field) -> None:
    """On a phone the alerts come back, and the keyboard's place among them."""
    page = open_page("#/alerts", width=360, height=740)
    alert = alert_of(field, 62)
    with_alerts(page, alert)
    page.reload()
    page.locator(f".panel-alerts [data-key='{alert['alert_id']}'] .alert-subject").click()
    expect(page.locator(".plant")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".panel-alerts")).to_be_visible()
    assert page.evaluate("location.hash") == "#/alerts"
    until(page, "document.activeElement.className === 'alert-subject'")


HELD_BACK = """
localStorage.setItem("heliograph.sound", "on");
window.made = 0;
addEventListener("pointerdown", () => (window.touched = true), true);
window.AudioContext = class extends EventTarget {
  state = "suspended";
  constructor() { super(); window.made++; }
  async resume() { if (window.touched) this.state = "running"; }
  get currentTime() { return 0; }
  get destination() { return null; }
  createOscillator() { return { frequency: {}, connect: (next) => next, start() {}, stop() {} }; }
  createGain() {
    const gain = { setValueAtTime() {}, exponentialRampToValueAtTime() {} };
    return { gain, connect: (next) => next };
  }
};
"""


def test_sound_that_the_browser_holds_back_is_not_called_on(open_page: Callable[..., Page], field: Field) -> None:
    """Before the viewer has touched the page the switch says so; a burst of alerts costs one player, not one each."""
    page = open_page()
    page.add_init_script(HELD_BACK)
    burst = [alert_of(field, number) for number in range(100, 150)]
    events = "".join(f"event: alert\ndata: {json.dumps(alert)}\n\n" for alert in burst)
    with_alerts(page)
    page.route("**/events", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    page.reload()
    expect(page.locator(".panel-alerts .badge")).to_have_text("50")
    assert page.evaluate("window.made") == 1
    page.get_by_role("button", name="the browser holds it back").click()
    expect(page.get_by_role("button", name="Sound for new alerts is on. Turn it off")).to_be_visible()
    assert page.evaluate("[window.made, localStorage.getItem('heliograph.sound')]") == [1, "on"]


FEED = """(events) => {
  const real = window.fetch;
  const body = new Blob([events]);
  window.fetch = (url, init) => String(url).endsWith("/events")
    ? Promise.resolve(new Response(new ReadableStream({
        start: (feed) => (window.tell = async () => feed.enqueue(new Uint8Array(await body.arrayBuffer()))),
      })))
    : real(url, init);
}"""
"""A feed that says so much and no more, and stays open."""


def with_feed(page: Page, *events: tuple[str, object]) -> None:
    """The page is open, and the feed waits for `tell`."""
    text = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    page.add_init_script(f"({FEED})({json.dumps(text)})")
    page.reload()
    until(page, "window.tell && document.querySelector('.legend-count')?.textContent !== '0'")


def tell(page: Page) -> None:
    page.evaluate("window.tell()")


def test_an_open_connection_without_new_data_is_not_called_live(open_page: Callable[..., Page]) -> None:
    """Beside the banner that blames a service the page's head does not say that all is live."""
    page = open_page()
    ages = {"ingest": {"age_s": 300, "ok": False}}
    with_feed(page, ("heartbeat", {"stale": True, "age_s": 300, "service": "ingest", "services": ages}))
    tell(page)
    expect(page.locator(".banner")).to_contain_text("No new data for 5 min")
    expect(page.locator(".live-word")).to_have_text("No new data")


def test_a_new_alert_is_read_out_with_its_plant(open_page: Callable[..., Page], field: Field) -> None:
    """A screen reader says what has happened and where, in the page's own language."""
    page = open_page(language="ko")
    with_alerts(page)
    with_feed(page, ("alert", alert_of(field, 63)))
    tell(page)
    name = field.fed[63].name
    expect(page.locator("[aria-live=assertive]")).to_contain_text(f"새 경보: 인버터 정지, {name}")


def test_what_an_operator_writes_outlives_a_colleagues_word(open_page: Callable[..., Page], field: Field) -> None:
    """A form that is being filled in stays while the alert leaves the list and others come; closed, it goes."""
    page = open_page()
    alert = alert_of(field, 65)
    others = [alert_of(field, number) | {"onset": "2026-06-21T02:30:00Z"} for number in range(70, 180)]
    action = {"action_id": "a1", "alert_id": alert["alert_id"], "action": "acknowledge", "by": "Park", "note": "",
              "at": "2026-06-21T03:00:00Z"}  # fmt: skip
    with_alerts(page, alert)
    with_feed(page, ("action", action), *(("alert", other) for other in others))
    row = page.locator(f".panel-alerts [data-key='{alert['alert_id']}']")
    row.get_by_role("button", name="Resolve").click()
    row.get_by_label("Note (optional)").fill("fuse replaced")
    tell(page)
    expect(row).to_contain_text("Acknowledged · Park")
    expect(row.get_by_label("Note (optional)")).to_have_value("fuse replaced")
    expect(row.get_by_label("Note (optional)")).to_be_focused()
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_have_count(0)


def test_a_sign_in_that_fails_says_so(open_page: Callable[..., Page]) -> None:
    """What is told at the door is about the sign-in: wrong words, no answer, or a sign-in that nobody can use now."""
    page = open_page()
    session = {"mode": "password", "user": None, "can_act": False, "sign_in": "/login", "trouble": None}
    page.route("**/api/v1/session", lambda route: route.fulfill(json=session))
    page.reload()
    page.get_by_label("Name").fill("kim")
    page.get_by_label("Password").fill("wrong")
    page.route("**/login", refuse)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("You cannot be signed in: no answer from the dashboard")
    page.route("**/login", lambda route: route.fulfill(status=401, json={"detail": "name and password do not fit"}))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That name and password do not match.")
    session |= {"mode": "entra", "trouble": "https://sun.example does not answer"}
    page.reload()
    expect(page.locator(".failure p")).to_have_text("You cannot be signed in: https://sun.example does not answer")
