/** A plant's generation against what was expected, and the weather under it, over an hour, a day, a week, a month. */

import { type Resolution, exportUrl, fetchCurve } from "../data/api";
import { lineChart } from "../charts/line";
import { withGaps } from "../data/curves";
import { h } from "../dom";
import { formatPower, formatQuantity } from "../format";
import { t } from "../i18n";
import { icon } from "../icons";
import type { Model } from "../model";
import { choice, failure } from "./panel";

type Span = "hour" | "day" | "week" | "month";

const SPANS: Record<Span, { ms: number; resolution: Resolution; periodMs: number }> = {
  hour: { ms: 3_600_000, resolution: "window", periodMs: 10_000 },
  day: { ms: 86_400_000, resolution: "5min", periodMs: 30_000 },
  week: { ms: 7 * 86_400_000, resolution: "hour", periodMs: 300_000 },
  month: { ms: 30 * 86_400_000, resolution: "hour", periodMs: 300_000 },
};
const FORMATS = { csv: "CSV", parquet: "Parquet" } as const;
/** No curve can be asked for before there is any data; look again soon. */
const NO_DATA_MS = 1_000;

export function curveSection(model: Model, plantId: string, closed: AbortSignal): HTMLElement {
  let span: Span = "day";
  let asked = new AbortController();
  let timer = 0;
  const power = lineChart({
    label: t("curve"),
    height: 190,
    format: formatPower,
    series: [
      { label: t("expected"), token: "--curve-expected", width: 1.2, dash: [4, 4] },
      { label: t("actual"), token: "--curve-actual", width: 1.8, fill: true },
    ],
  });
  const irradiance = lineChart({
    label: t("irradiance"),
    height: 96,
    format: (value) => formatQuantity(value, "W/m²", 0),
    series: [{ label: t("irradiance"), token: "--curve-light", width: 1.2, fill: true }],
  });
  const temperature = lineChart({
    label: t("temperatures"),
    height: 96,
    format: (value) => formatQuantity(value, "°C", 0),
    fromZero: false,
    series: [
      { label: t("ambientTemperature"), token: "--curve-before", width: 1.2 },
      { label: t("moduleTemperature"), token: "--curve-expected", width: 1.2 },
    ],
  });
  const trouble = h("div", {});
  const files = (["csv", "parquet"] as const).map((format) => ({ format, link: h("a", { class: "quiet", download: "", title: t("export") }, icon("download"), FORMATS[format]) }));

  const load = async () => {
    asked.abort();
    asked = new AbortController();
    clearTimeout(timer);
    const { signal } = asked;
    const { ms, resolution, periodMs } = SPANS[span];
    const asOf = model.view.value.asOf;
    if (asOf === null) {
      timer = window.setTimeout(() => void load(), NO_DATA_MS);
      return;
    }
    const [from, to] = [new Date(asOf - ms).toISOString(), new Date(asOf).toISOString()];
    for (const { format, link } of files) link.href = exportUrl(plantId, from, to, format);
    try {
      const curve = await fetchCurve(plantId, from, to, resolution, signal);
      const domain = [(asOf - ms) / 1000, asOf / 1000] as const;
      power.show(withGaps(curve.seconds, curve.expectedKw, curve.actualKw), domain);
      irradiance.show(withGaps(curve.seconds, curve.irradianceWM2), domain);
      temperature.show(withGaps(curve.seconds, curve.ambientC, curve.moduleC), domain);
      temperature.element.hidden = curve.moduleC.every((value) => value === null) && curve.ambientC.every((value) => value === null);
      trouble.replaceChildren();
    } catch (error) {
      if (!signal.aborted) trouble.replaceChildren(failure(error, () => void load()));
    }
    if (!signal.aborted) timer = window.setTimeout(() => void load(), periodMs);
  };
  const spans = choice<Span>(t("curve"), [["hour", t("rangeHour")], ["day", t("rangeDay")], ["week", t("rangeWeek")], ["month", t("rangeMonth")]], span, (value) => {
    span = value;
    void load();
  });
  let shownLive: boolean | null = null;
  let shownAt: number | null = null;
  model.view.watch(({ live, asOf }) => {
    // Going to another time shows that time at once; the live feed only lets the period run.
    const moved = live !== shownLive || (!live && asOf !== shownAt);
    shownLive = live;
    shownAt = asOf;
    if (moved) void load();
  }, closed);
  closed.addEventListener("abort", () => {
    asked.abort();
    clearTimeout(timer);
    for (const chart of [power, irradiance, temperature]) chart.destroy();
  });
  return h(
    "section",
    { class: "plant-section" },
    h("div", { class: "section-head" }, h("h3", {}, t("curve")), spans.element, ...files.map(({ link }) => link)),
    trouble,
    power.element,
    h("h3", { class: "sub" }, t("weather")),
    irradiance.element,
    temperature.element,
  );
}
