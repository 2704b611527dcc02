/** Generation by province, now or today, each against what was expected. */

import { fetchRegionDay } from "../data/api";
import { energiesOf } from "../data/energy";
import type { Totals } from "../data/totals";
import type { DayCurve } from "../data/types";
import { h, reconcile, setText } from "../dom";
import { formatEnergy, formatPercent, formatPower, koreanDate, shareOf } from "../format";
import { perFrame } from "../frame";
import { t } from "../i18n";
import { regionName } from "../i18n/regions";
import type { Model } from "../model";
import type { Signal } from "../signal";
import { choice, failure, panel } from "./panel";

type Span = "now" | "today";

/** A day's energies move slowly: asked for this often while they are on the screen. */
const TODAY_PERIOD_MS = 60_000;

/** Powers (kW) or energies (kWh), as the span has it. */
interface Values {
  actual: number | null;
  expected: number | null;
  /** Of the actual what has an expectation. */
  compared: number | null;
}

interface Row extends Values {
  code: string;
  /** Length of the bar and place of the expectation's tick, 0–1. */
  bar: number;
  tick: number | null;
}

export function regionsPanel(model: Model, scope: Signal<string | null>, hover: (code: string | null) => void): HTMLElement {
  let span: Span = "now";
  let today = new Map<string, DayCurve>();
  let asked = { date: "", at: 0 };
  const spans = choice<Span>(t("regions"), [["now", t("now")], ["today", t("today")]], "now", (value) => {
    span = value;
    draw();
    void loadToday();
  });
  const { element, body } = panel("regions", t("regions"), spans.element);
  const list = h("ul", { class: "region-list" });
  const trouble = h("div", {});
  body.append(trouble, list);
  const loadToday = async () => {
    const { asOf } = model.view.value;
    if (span !== "today" || asOf === null) return;
    const date = koreanDate(asOf);
    if (date === asked.date && Date.now() - asked.at < TODAY_PERIOD_MS) return;
    asked = { date, at: Date.now() };
    const { curves, error } = await curvesOf([...model.totals.keys()], date);
    if (date !== asked.date) return;
    today = new Map([...today, ...curves]);
    trouble.replaceChildren(...(error ? [failure(error, again)] : []));
    draw();
  };
  const again = () => {
    asked.at = 0;
    void loadToday();
  };
  const draw = perFrame(() => {
    trouble.hidden = span === "now";
    const { asOf } = model.view.value;
    const valuesOf = (code: string, totals: Totals) => (span === "now" ? powersOf(totals) : ofToday(today.get(code), asOf));
    const rows = rowsOf([...model.totals].map(([code, totals]) => ({ code, ...valuesOf(code, totals) })));
    reconcile(list, rows, (row) => row.code, (row) => createRow(row, scope, hover), (item, row) => updateRow(item, row, span, scope.value));
  });
  model.view.watch(() => {
    draw();
    void loadToday();
  });
  scope.watch(draw);
  return element;
}

const powersOf = ({ generationKw, expectedKw, comparedKw }: Totals): Values => ({ actual: generationKw, expected: expectedKw, compared: comparedKw });

function ofToday(curve: DayCurve | undefined, asOf: number | null): Values {
  const { actual, expected } = energiesOf(curve, asOf);
  return { actual, expected, compared: actual };
}

/** Curves of a day, and why a province has none; it is asked again with the next round. */
async function curvesOf(codes: string[], date: string): Promise<{ curves: Map<string, DayCurve>; error: unknown }> {
  const curves = new Map<string, DayCurve>();
  const keep = async (code: string) => curves.set(code, await fetchRegionDay(code, date));
  const failed = (await Promise.allSettled(codes.map(keep))).find(({ status }) => status === "rejected");
  return { curves, error: (failed as PromiseRejectedResult | undefined)?.reason };
}

/** Largest expectation first; all bars share one scale, so that lengths compare. */
function rowsOf(values: (Values & { code: string })[]): Row[] {
  const scale = Math.max(1e-9, ...values.flatMap(({ actual, expected }) => [actual ?? 0, expected ?? 0]));
  return values
    .map((row) => ({ ...row, bar: Math.max(0, row.actual ?? 0) / scale, tick: row.expected === null ? null : Math.max(0, row.expected) / scale }))
    .sort((a, b) => (b.expected ?? b.actual ?? 0) - (a.expected ?? a.actual ?? 0) || a.code.localeCompare(b.code));
}

function createRow(row: Row, scope: Signal<string | null>, hover: (code: string | null) => void): HTMLLIElement {
  const button = h(
    "button",
    {
      type: "button",
      class: "region-row",
      onclick: () => {
        scope.value = scope.value === row.code ? null : row.code;
      },
      onpointerenter: () => hover(row.code),
      onpointerleave: () => hover(null),
    },
    h("span", { class: "region-name" }, regionName(row.code)),
    h("span", { class: "region-bar" }, h("span", { class: "bar-fill" }), h("span", { class: "bar-tick" })),
    h("span", { class: "region-value" }),
    h("span", { class: "region-share" }),
  );
  return h("li", {}, button);
}

function updateRow(item: HTMLLIElement, row: Row, span: Span, scope: string | null): void {
  const button = item.firstElementChild as HTMLButtonElement;
  const [, bar, value, share] = button.children as unknown as [Element, HTMLElement, Element, Element];
  bar.style.setProperty("--bar", row.bar.toFixed(4));
  bar.style.setProperty("--tick", (row.tick ?? 0).toFixed(4));
  bar.toggleAttribute("data-no-tick", row.tick === null || row.tick === 0);
  setText(value, span === "now" ? formatPower(row.actual) : formatEnergy(row.actual));
  setText(share, formatPercent(shareOf(row.compared, row.expected), 0));
  share.setAttribute("title", t("ofExpected"));
  button.setAttribute("aria-pressed", String(scope === row.code));
}
