/** Energy out of a curve of mean powers. */

import { koreanDate } from "../format";
import type { DayCurve } from "./types";

/** Steps of the curves of a day, seconds. */
export const CURVE_STEP_S = 300;

/**
 * kWh under mean powers (kW) of five-minute steps, up to `untilS` (seconds since the epoch), of the step in progress
 * only what is over; null when no step is known. A step that is missing adds nothing.
 */
export function energyOf(seconds: readonly number[], kw: readonly (number | null)[], untilS = Infinity): number | null {
  let sum: number | null = null;
  kw.forEach((power, at) => {
    const lengthS = Math.min(CURVE_STEP_S, untilS - seconds[at]!);
    if (power !== null && lengthS >= 0) sum = (sum ?? 0) + (power * lengthS) / 3600;
  });
  return sum;
}

/** Energies of a day, kWh; null where none is known. */
export interface DayEnergies {
  actual: number | null;
  expected: number | null;
}

/** What a day's curve brought up to `asOf` (ms); nothing where the curve is missing or of another day. */
export function energiesOf(curve: DayCurve | null | undefined, asOf: number | null): DayEnergies {
  if (!curve || asOf === null || curve.date !== koreanDate(asOf)) return { actual: null, expected: null };
  const upTo = (kw: (number | null)[]) => energyOf(curve.seconds, kw, asOf / 1000);
  return { actual: upTo(curve.actualKw), expected: upTo(curve.expectedKw) };
}
