/** Numbers and times as an operator reads them. Times are shown in Korea's time zone, whatever the viewer's. */

import { t } from "./i18n";

export const TIME_ZONE = "Asia/Seoul";
/** Korea has had no daylight saving since 1988. */
const ZONE_OFFSET_MS = 9 * 3_600_000;
export const NOTHING = "–";

const locale = t("locale");
const numberFormats = new Map<number, Intl.NumberFormat>();

function formatNumber(value: number, digits: number): string {
  let format = numberFormats.get(digits);
  if (!format) {
    format = new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    numberFormats.set(digits, format);
  }
  return format.format(value);
}

export interface Measure {
  value: string;
  unit: string;
}

const STEPS = ["k", "M", "G", "T"];

function scaled(kilo: number, unit: string): Measure {
  let step = 0;
  let value = kilo;
  while (Math.abs(value) >= 1000 && step < STEPS.length - 1) {
    value /= 1000;
    step++;
  }
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : step === 0 ? 1 : 2;
  return { value: formatNumber(value, digits), unit: STEPS[step]! + unit };
}

const known = (value: number | null | undefined): value is number => value !== null && value !== undefined && !Number.isNaN(value);

export const measurePower = (kw: number | null | undefined): Measure => (known(kw) ? scaled(kw, "W") : { value: NOTHING, unit: "" });
export const measureEnergy = (kwh: number | null | undefined): Measure => (known(kwh) ? scaled(kwh, "Wh") : { value: NOTHING, unit: "" });

const joined = ({ value, unit }: Measure): string => (unit ? `${value} ${unit}` : value);
export const formatPower = (kw: number | null | undefined): string => joined(measurePower(kw));
export const formatEnergy = (kwh: number | null | undefined): string => joined(measureEnergy(kwh));
export const formatPercent = (percent: number | null | undefined, digits = 1): string =>
  known(percent) ? `${formatNumber(percent, digits)} %` : NOTHING;
export const formatCount = (count: number): string => formatNumber(count, 0);
export const formatQuantity = (value: number | null | undefined, unit: string, digits = 1): string =>
  known(value) ? `${formatNumber(value, digits)} ${unit}` : NOTHING;

/** `actual` over `expected` in percent; null where nothing is expected. */
export function shareOf(actual: number | null | undefined, expected: number | null | undefined): number | null {
  return known(actual) && known(expected) && expected > 0 ? (actual / expected) * 100 : null;
}

const clock = new Intl.DateTimeFormat(locale, { timeZone: TIME_ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const shortClock = new Intl.DateTimeFormat(locale, { timeZone: TIME_ZONE, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat(locale, { timeZone: TIME_ZONE, month: "short", day: "numeric" });

type Moment = string | number;
const toDate = (moment: Moment): Date => new Date(moment);

export const formatClock = (moment: Moment): string => clock.format(toDate(moment));
export const formatShortClock = (moment: Moment): string => shortClock.format(toDate(moment));
export const formatDay = (moment: Moment): string => dayFormat.format(toDate(moment));

/** The time alone on the same Korean day as `now`, else with its day. */
export function formatMoment(moment: Moment, now: Moment): string {
  const sameDay = koreanDate(moment) === koreanDate(now);
  return sameDay ? formatShortClock(moment) : `${formatDay(moment)} ${formatShortClock(moment)}`;
}

/** `2026-11-23`, the day it is in Korea. */
export function koreanDate(moment: Moment): string {
  return new Date(toDate(moment).getTime() + ZONE_OFFSET_MS).toISOString().slice(0, 10);
}

/** Midnight in Korea at the start of `date`, ms. */
export function startOfKoreanDay(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) - ZONE_OFFSET_MS;
}

export function formatAge(seconds: number): string {
  if (seconds < 90) return t("seconds", { n: Math.round(seconds) });
  if (seconds < 5400) return t("minutes", { n: Math.round(seconds / 60) });
  if (seconds < 172_800) return t("hours", { n: Math.round(seconds / 3600) });
  return t("days", { n: Math.round(seconds / 86_400) });
}
