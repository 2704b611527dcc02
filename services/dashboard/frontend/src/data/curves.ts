/** Curves of days, put together. */

import type { DayCurve } from "./types";

const DAY_S = 86_400;

/** `today` with the powers of the day before at the same time of day. */
export function beside(today: DayCurve, yesterday: DayCurve): DayCurve {
  const actual = new Map(today.seconds.map((at, index) => [at, index]));
  const before = new Map(yesterday.seconds.map((at, index) => [at + DAY_S, yesterday.actualKw[index] ?? null]));
  const seconds = [...new Set([...actual.keys(), ...before.keys()])].sort((a, b) => a - b);
  const of = (column: readonly (number | null)[]) => seconds.map((at) => column[actual.get(at) ?? -1] ?? null);
  return {
    date: today.date,
    seconds,
    actualKw: of(today.actualKw),
    expectedKw: of(today.expectedKw),
    yesterdayKw: seconds.map((at) => before.get(at) ?? null),
  };
}

/** So many times the usual step without a point is a gap and no line. */
const GAP_STEPS = 4;

type Column = (number | null)[];

/** The rows with an empty one in every gap, so that a line breaks there instead of telling of what nobody measured. */
export function withGaps(seconds: number[], ...columns: Column[]): [number[], ...Column[]] {
  const steps = seconds.slice(1).map((second, at) => second - seconds[at]!);
  const usual = steps.toSorted((a, b) => a - b)[steps.length >> 1] ?? 0;
  const times: number[] = [];
  const values = columns.map((): Column => []);
  seconds.forEach((second, at) => {
    if (at > 0 && steps[at - 1]! > GAP_STEPS * usual) {
      times.push(seconds[at - 1]! + usual);
      for (const column of values) column.push(null);
    }
    times.push(second);
    columns.forEach((column, place) => values[place]!.push(column[at] ?? null));
  });
  return [times, ...values];
}
