/** One day's power: actual against expected and, where it is known, the day before. */

import { withGaps } from "../data/curves";
import type { DayCurve } from "../data/types";
import { h } from "../dom";
import { formatPower, startOfKoreanDay } from "../format";
import { t } from "../i18n";
import { type Series, lineChart } from "./line";

const DAY_S = 86_400;

export interface DayChart {
  element: HTMLElement;
  show(curve: DayCurve): void;
  /** Draws a line at the moment that the page shows, ms. */
  mark(moment: number): void;
}

export function dayChart(label: string): DayChart {
  const series: Series[] = [
    { label: t("yesterday"), token: "--curve-before", width: 1.2 },
    { label: t("expected"), token: "--curve-expected", width: 1.2, dash: [4, 4] },
    { label: t("today"), token: "--curve-actual", width: 2, fill: true },
  ];
  const chart = lineChart({ label, series, height: 190, format: formatPower });
  const legend = h(
    "ul",
    { class: "legend" },
    ...series.toReversed().map(({ label: name, token }) => h("li", { class: `legend-${token.slice(2)}` }, name)),
  );
  return {
    element: h("div", { class: "day-chart" }, legend, chart.element),
    show: (curve) => {
      const midnight = startOfKoreanDay(curve.date) / 1000;
      chart.show(withGaps(curve.seconds, curve.yesterdayKw, curve.expectedKw, curve.actualKw), [midnight, midnight + DAY_S]);
    },
    mark: (moment) => chart.mark(moment / 1000),
  };
}
