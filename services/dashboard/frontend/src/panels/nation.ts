/** The figure of the country, or of one province: power now against expected, and the curve of its day. */

import { type DayChart, dayChart } from "../charts/day";
import { fetchNationDay, fetchRegionDays } from "../data/api";
import { energiesOf } from "../data/energy";
import { sumOf } from "../data/totals";
import type { DayCurve } from "../data/types";
import { h, setText } from "../dom";
import { formatCount, formatEnergy, formatPercent, formatPower, koreanDate, measurePower, shareOf } from "../format";
import { perFrame } from "../frame";
import { t } from "../i18n";
import { regionName } from "../i18n/regions";
import type { Model } from "../model";
import type { Signal } from "../signal";
import { fact, failure, iconButton, panel } from "./panel";

/** The curve moves by minutes; asking more often shows nothing new. */
const CURVE_PERIOD_MS = 30_000;

export function nationPanel(model: Model, scope: Signal<string | null>): HTMLElement {
  const clear = iconButton("close", t("allRegions"), () => {
    scope.value = null;
  });
  const { element, head, body } = panel("nation", t("national"), clear);
  const heading = head.querySelector("h2")!;
  const power = h("span", { class: "figure-value" });
  const unit = h("span", { class: "figure-unit" });
  const versus = h("p", { class: "figure-versus" });
  const facts = [fact(t("utilisation")), fact(t("energyToday")), fact(t("capacity")), fact(t("plants"))] as const;
  const chart = dayChart(t("national"));
  const trouble = h("div", {});
  body.append(h("p", { class: "figure" }, power, unit), versus, h("dl", { class: "facts" }, ...facts.map((each) => each.element)), chart.element, trouble);

  const draw = perFrame(() => {
    const { totals: byRegion } = model;
    const totals = sumOf(scope.value === null ? byRegion.values() : [byRegion.get(scope.value)].filter((each) => each !== undefined));
    const measure = measurePower(totals.plants > 0 ? totals.generationKw : null);
    setText(power, measure.value);
    setText(unit, measure.unit);
    const share = formatPercent(shareOf(totals.comparedKw, totals.expectedKw), 0);
    setText(versus, `${t("expected")} ${formatPower(totals.expectedKw)} · ${share} ${t("ofExpected")}`);
    setText(facts[0].value, formatPercent(shareOf(totals.generationKw, totals.capacityKw)));
    setText(facts[2].value, formatPower(totals.capacityKw));
    setText(facts[3].value, formatCount(totals.plants));
  });
  model.view.watch(draw);
  scope.watch((code) => {
    setText(heading, code === null ? t("national") : regionName(code));
    clear.hidden = code === null;
    draw();
  });
  followCurve(model, scope, chart, trouble, (kwh) => setText(facts[1].value, formatEnergy(kwh)));
  return element;
}

/** Keeps the curve, and the energy under it, on the day and the region that are shown. */
function followCurve(
  model: Model,
  scope: Signal<string | null>,
  chart: DayChart,
  trouble: HTMLElement,
  energy: (kwh: number | null) => void,
): void {
  let shown = "";
  let curve: DayCurve | null = null;
  let fetchedAt = 0;
  let current = new AbortController();
  const tell = () => energy(energiesOf(curve, model.view.value.asOf).actual);
  const load = async (date: string) => {
    current.abort();
    current = new AbortController();
    fetchedAt = Date.now();
    const { signal } = current;
    try {
      const region = scope.value;
      curve = region === null ? await fetchNationDay(date, signal) : await fetchRegionDays(region, date, signal);
      chart.show(curve);
      tell();
      trouble.replaceChildren();
    } catch (error) {
      if (!signal.aborted) trouble.replaceChildren(failure(error, () => void load(date)));
    }
  };
  const check = () => {
    const { asOf } = model.view.value;
    if (asOf === null) return;
    const date = koreanDate(asOf);
    chart.mark(asOf);
    const key = `${date} ${scope.value}`;
    if (key !== shown) {
      // Another day's or province's curve is not left under this one's name, however long its own takes.
      curve = null;
      chart.show({ date, seconds: [], actualKw: [], expectedKw: [], yesterdayKw: [] });
      trouble.replaceChildren();
    }
    tell();
    if (key === shown && Date.now() - fetchedAt < CURVE_PERIOD_MS) return;
    shown = key;
    void load(date);
  };
  model.view.watch(check);
  scope.watch(check);
}
