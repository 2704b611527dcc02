/** Says when what is on the screen is not what is going on: how old it is and whose fault, or that it is the past. */

import { h, setText } from "../dom";
import { formatAge, formatClock, formatDay } from "../format";
import { t } from "../i18n";
import type { Model } from "../model";
import { reasonOf } from "./panel";

/** A broken feed is told after this long; a restart that is over sooner disturbs nobody. */
const LOST_AFTER_S = 3;

export interface Staleness {
  text: string;
  kind: "failed" | "lost" | "past" | "quiet";
}

/** What the banner says, or null when all is well. */
export function stalenessOf(model: Model, now: number): Staleness | null {
  const { state, heardAt } = model.connection.value;
  const silentS = (now - heardAt) / 1000;
  if (state !== "open" && silentS > LOST_AFTER_S) return { kind: "lost", text: t("staleLost", { age: formatAge(silentS) }) };
  if (model.trouble.value !== null) return { kind: "failed", text: t("loadFailed", { reason: reasonOf(model.trouble.value) }) };
  const { live, asOf } = model.view.value;
  if (!live && asOf !== null) return { kind: "past", text: t("travelBanner", { time: `${formatDay(asOf)} ${formatClock(asOf)} KST` }) };
  const status = model.status.value;
  if (!status?.stale || status.service === null) return null;
  const age = formatAge(status.services[status.service]?.age_s ?? 0);
  return { kind: "quiet", text: t(status.service === "sink" ? "staleUnstored" : "staleQuiet", { age, service: status.service }) };
}

export function banner(model: Model): HTMLElement {
  const text = h("span", { "aria-hidden": "true" });
  // A screen reader is told once, not at every second of the age.
  const spoken = h("span", { class: "visually-hidden" });
  const element = h("div", { class: "banner", role: "status", hidden: true }, text, spoken);
  let told: string = "";
  const draw = () => {
    const staleness = stalenessOf(model, Date.now());
    element.hidden = staleness === null;
    document.documentElement.toggleAttribute("data-stale", staleness !== null);
    if (staleness?.kind !== told) setText(spoken, staleness?.text ?? "");
    told = staleness?.kind ?? "";
    if (!staleness) return;
    element.dataset["kind"] = staleness.kind;
    setText(text, staleness.text);
  };
  model.view.watch(draw);
  model.trouble.watch(draw);
  model.connection.watch(draw);
  model.status.watch(draw);
  setInterval(draw, 1000);
  return element;
}
