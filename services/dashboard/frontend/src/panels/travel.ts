/** Time travel: a slider over a day under the map, any day, and the way back to now. */

import { AlertBook, asOfThen } from "../data/alerts";
import { fetchAllAlerts, fetchAt } from "../data/api";
import { h, setText } from "../dom";
import { formatClock, formatDay, koreanDate, startOfKoreanDay } from "../format";
import { t } from "../i18n";
import { type Model, viewOf } from "../model";
import { iconButton, reasonOf } from "./panel";

const STEP_MS = 60_000;
const JUMP_MS = 600_000;
const DAY_MS = 86_400_000;
/** While the slider moves, a moment is fetched when it rests this long. */
const REST_MS = 150;
/** Alerts that began longer before the moment than this, and are over now, are taken to have been over then. */
const ALERT_REACH_MS = 3 * DAY_MS;

export function travelBar(model: Model): HTMLElement {
  const element = h("div", { class: "travel", role: "group", "aria-label": t("travel") });
  const slider = h("input", { type: "range", min: 0, max: DAY_MS, step: STEP_MS, "aria-label": t("travelTime"), disabled: true });
  const date = h("input", { type: "date", "aria-label": t("travelDate"), required: true });
  const time = h("output", { class: "travel-time" });
  const live = h("button", { type: "button", class: "quiet travel-live", onclick: () => backToLive() }, t("travelLive"));
  const trouble = h("p", { class: "form-error", role: "alert" });
  let asked = new AbortController();
  let timer = 0;
  let dragging = false;
  /** That of the slider; the field of the date may be empty while somebody types. */
  let day = "";

  const latest = () => model.latest ?? Date.now();
  const show = (moment: number) => {
    day = koreanDate(moment);
    if (date.value !== day) date.value = day;
    date.max = koreanDate(latest());
    slider.value = String(moment - startOfKoreanDay(day));
    slider.setAttribute("aria-valuetext", `${formatDay(moment)} ${formatClock(moment)}`);
    slider.style.setProperty("--known", Math.min(1, Math.max(0, (latest() - startOfKoreanDay(day)) / DAY_MS)).toFixed(4));
    setText(time, formatClock(moment));
  };
  const backToLive = () => {
    clearTimeout(timer);
    asked.abort();
    trouble.textContent = "";
    model.showLive();
  };
  const visit = async (moment: number) => {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const iso = new Date(moment).toISOString();
    try {
      const [then, recent, open] = await Promise.all([
        fetchAt(iso, signal),
        fetchAllAlerts({ state: "all", from: new Date(moment - ALERT_REACH_MS).toISOString(), to: iso }, signal),
        // What began before and is open now was open then, however long ago that is.
        fetchAllAlerts({ state: "open", to: iso }, signal),
      ]);
      const book = new AlertBook();
      book.load([...open, ...recent].map((alert) => asOfThen(alert, iso)), moment);
      trouble.textContent = "";
      model.showPast(viewOf(then.plants, iso, false, book), book);
    } catch (error) {
      if (!signal.aborted) trouble.textContent = t("failed", { reason: reasonOf((error as Error).message) });
    }
  };
  const go = (wanted: number) => {
    const moment = Math.round(wanted / 10_000) * 10_000;
    clearTimeout(timer);
    if (moment >= latest()) {
      backToLive();
      return;
    }
    show(moment);
    timer = window.setTimeout(() => void visit(moment), REST_MS);
  };
  const shown = () => startOfKoreanDay(day) + Number(slider.value);
  const back = iconButton("back", t("travelBack"), () => go(shown() - JUMP_MS));
  const forward = iconButton("forward", t("travelForward"), () => go(shown() + JUMP_MS));
  back.disabled = forward.disabled = true;

  slider.addEventListener("input", () => go(shown()));
  slider.addEventListener("pointerdown", () => {
    dragging = true;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    slider.addEventListener(end, () => {
      dragging = false;
    });
  }
  date.addEventListener("change", () => {
    if (!date.value) return;
    day = date.value;
    go(Math.min(shown(), latest() - 1));
  });
  model.view.watch(({ asOf, live: isLive }) => {
    live.hidden = isLive;
    element.toggleAttribute("data-past", !isLive);
    if (asOf === null) return;
    // Before anything is known there is no moment to go back from.
    back.disabled = forward.disabled = slider.disabled = false;
    if (isLive && !dragging) show(asOf);
  });
  const bar = h(
    "div",
    { class: "travel-row" },
    back,
    slider,
    forward,
    date,
    time,
    live,
  );
  element.append(bar, trouble);
  return element;
}
