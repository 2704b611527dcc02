/** A line chart over time on uPlot, in the page's colours, language and time zone. */

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { h } from "../dom";
import { NOTHING, TIME_ZONE, formatDay, formatShortClock } from "../format";

export interface Series {
  label: string;
  /** CSS custom property of its colour. */
  token: string;
  width: number;
  dash?: number[];
  fill?: boolean;
}

export interface LineOptions {
  label: string;
  series: Series[];
  height: number;
  format: (value: number) => string;
  /** From zero up unless told otherwise. */
  fromZero?: boolean;
}

export type Domain = readonly [from: number, to: number];

export interface LineChart {
  element: HTMLElement;
  /** `domain` is what the time axis spans, seconds; left out, the data. */
  show(data: uPlot.AlignedData, domain?: Domain): void;
  mark(seconds: number | null): void;
  destroy(): void;
}

const charts = new Set<() => void>();

/** Draws every chart anew after the theme has changed. */
export function redrawCharts(): void {
  for (const redraw of charts) redraw();
}

const token = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const font = (): string => `11px ${getComputedStyle(document.body).fontFamily}`;

export function lineChart(options: LineOptions): LineChart {
  const readout = h("p", { class: "chart-readout" });
  const host = h("div", { class: "chart-host" });
  // The room is kept while the data is on its way, so that nothing jumps when it comes.
  host.style.minHeight = `${options.height}px`;
  const element = h("figure", { class: "chart", role: "img", "aria-label": options.label }, host, readout);
  let plot: uPlot | null = null;
  let data: uPlot.AlignedData | null = null;
  let marked: number | null = null;
  let domain: Domain | null = null;

  const width = () => Math.max(120, host.clientWidth);
  const build = () => {
    plot?.destroy();
    if (!data || host.clientWidth === 0) {
      plot = null;
      return;
    }
    plot = new uPlot(plotOptions(options, width(), () => ({ marked, domain }), readout), data, host);
  };
  const observer = new ResizeObserver(() => {
    if (!plot) build();
    else if (plot.width !== width()) plot.setSize({ width: width(), height: options.height });
  });
  observer.observe(host);
  charts.add(build);
  return {
    element,
    show: (next, nextDomain) => {
      data = next;
      domain = nextDomain ?? null;
      if (plot) plot.setData(next);
      else build();
    },
    mark: (seconds) => {
      marked = seconds;
      plot?.redraw(false);
    },
    destroy: () => {
      charts.delete(build);
      observer.disconnect();
      plot?.destroy();
    },
  };
}

function plotOptions(options: LineOptions, width: number, state: () => { marked: number | null; domain: Domain | null }, readout: HTMLElement): uPlot.Options {
  const axis = { stroke: token("--text-dim"), font: font(), ticks: { show: false }, grid: { stroke: token("--grid"), width: 1 } };
  return {
    width,
    height: options.height,
    padding: [8, 16, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), TIME_ZONE),
    scales: { x: { range: (_plot, low, high) => [...(state().domain ?? [low, high])] }, y: { range: (_plot, low, high) => rangeOf(low, high, options.fromZero ?? true) } },
    axes: [
      { ...axis, space: 56, size: 26, values: (_plot, splits, _axis, _space, step) => splits.map((split) => tickLabel(split, step)) },
      { ...axis, space: options.height < 120 ? 24 : 36, size: 58, values: (_plot, splits) => splits.map(options.format) },
    ],
    series: [
      {},
      ...options.series.map((each) => ({
        label: each.label,
        stroke: token(each.token),
        width: each.width,
        points: { show: false },
        ...(each.dash ? { dash: each.dash } : {}),
        ...(each.fill ? { fill: `${token(each.token)}22` } : {}),
      })),
    ],
    hooks: {
      draw: [(plot) => drawMark(plot, state().marked)],
      setCursor: [(plot) => tell(plot, options, readout)],
    },
  };
}

function rangeOf(low: number | null, high: number | null, fromZero: boolean): [number, number] {
  const top = high ?? 1;
  const bottom = fromZero ? Math.min(0, low ?? 0) : (low ?? 0);
  const room = Math.max(top - bottom, 1e-3) * 0.08;
  return [fromZero && bottom === 0 ? 0 : bottom - room, top + room];
}

function tickLabel(seconds: number, step: number): string {
  return step >= 86_400 ? formatDay(seconds * 1000) : formatShortClock(seconds * 1000);
}

function drawMark(plot: uPlot, seconds: number | null): void {
  const { left, top, width, height } = plot.bbox;
  if (seconds === null) return;
  const x = plot.valToPos(seconds, "x", true);
  if (x < left || x > left + width) return;
  plot.ctx.save();
  plot.ctx.strokeStyle = token("--text-dim");
  plot.ctx.lineWidth = devicePixelRatio;
  plot.ctx.beginPath();
  plot.ctx.moveTo(x, top);
  plot.ctx.lineTo(x, top + height);
  plot.ctx.stroke();
  plot.ctx.restore();
}

/** The values under the pointer, in words. */
function tell(plot: uPlot, options: LineOptions, readout: HTMLElement): void {
  const at = plot.cursor.idx;
  if (at === null || at === undefined) {
    readout.textContent = "";
    return;
  }
  const values = options.series.map((each, index) => {
    const value = plot.data[index + 1]?.[at];
    return `${each.label} ${value === null || value === undefined ? NOTHING : options.format(value)}`;
  });
  const seconds = plot.data[0][at]!;
  readout.textContent = [formatShortClock(seconds * 1000), ...values.reverse()].join("  ·  ");
}
