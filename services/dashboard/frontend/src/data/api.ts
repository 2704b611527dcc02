/** Calls of the dashboard's API. Each ends: with an answer, or with an error that says what went wrong. */

import { koreanDate, startOfKoreanDay } from "../format";
import { beside } from "./curves";
import { type Table, column, picker, toNumber } from "./table";
import type { ActionKind, Alert, DayCurve, Note, Photo, PlantCurve, PlantDetail, PlantTable, SearchAnswer, Session } from "./types";

const BASE = "/api/v1";
const TIMEOUT_MS = 15_000;
/** Twenty thousand plants are half a megabyte, and over a phone's slow link most of a minute. */
const LIST_TIMEOUT_MS = 60_000;
/** A photo of some megabytes takes minutes over a plant's radio link. */
const UPLOAD_TIMEOUT_MS = 300_000;

/** `status` 0 means that no answer came. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

async function call<T>(path: string, init: RequestInit = {}, signal?: AbortSignal, timeoutMs = TIMEOUT_MS): Promise<T> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const headers = new Headers(init.headers);
  headers.set("accept", "application/json");
  // A form on another site cannot set a header: the server takes no change without this one.
  if (init.method) headers.set("x-heliograph", "1");
  try {
    const response = await fetch(BASE + path, { ...init, headers, signal: signal ? AbortSignal.any([signal, deadline]) : deadline });
    if (!response.ok) throw new ApiError(response.status, await reasonOf(response));
    // An answer may break off or run late in its middle, too.
    return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
  } catch (error) {
    if (signal?.aborted || error instanceof ApiError) throw error;
    throw new ApiError(0, deadline.aborted ? "timeout" : "unreachable");
  }
}

async function reasonOf(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => null);
  const detail = (body as { detail?: unknown } | null)?.detail;
  return typeof detail === "string" ? detail : `${response.status} ${response.statusText}`;
}

function query(parameters: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

const post = <T>(path: string, body: unknown): Promise<T> =>
  call<T>(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

const plantPath = (plantId: string) => `/plants/${encodeURIComponent(plantId)}`;

export const fetchSession = (): Promise<Session> => call("/session");
export const signIn = (name: string, password: string): Promise<void> => post("/login", { name, password });
export const signOut = (): Promise<void> => post("/logout", {});
export const fetchPlants = (): Promise<PlantTable> => call("/plants", {}, undefined, LIST_TIMEOUT_MS);
export const fetchPlant = (plantId: string, signal?: AbortSignal): Promise<PlantDetail> => call(plantPath(plantId), {}, signal);

/** The day of the whole country beside the day before. */
export async function fetchNationDay(date: string, signal?: AbortSignal): Promise<DayCurve> {
  const table = await call<Table>(`/nation/day${query({ date })}`, {}, signal);
  const midnight = startOfKoreanDay(date) / 1000;
  const minute = picker(table, "minute");
  return curveOf(table, date, "yesterday_kw", (row) => midnight + toNumber(minute(row)) * 60);
}

/** The day of one province, without the day before. */
export async function fetchRegionDay(region: string, date: string, signal?: AbortSignal): Promise<DayCurve> {
  const table = await call<Table>(`/regions/${encodeURIComponent(region)}/day${query({ date })}`, {}, signal);
  const time = picker(table, "time");
  return curveOf(table, date, "", (row) => Date.parse(String(time(row))) / 1000);
}

/** The day of one province beside the day before. */
export async function fetchRegionDays(region: string, date: string, signal?: AbortSignal): Promise<DayCurve> {
  const dayBefore = koreanDate(startOfKoreanDay(date) - 1);
  const [today, yesterday] = await Promise.all([fetchRegionDay(region, date, signal), fetchRegionDay(region, dayBefore, signal)]);
  return beside(today, yesterday);
}

function curveOf(table: Table, date: string, yesterday: string, secondsOf: (row: unknown[]) => number): DayCurve {
  return {
    date,
    seconds: table.rows.map(secondsOf),
    actualKw: column(table, "generation_kw"),
    expectedKw: column(table, "expected_kw"),
    yesterdayKw: column(table, yesterday),
  };
}

export type Resolution = "window" | "5min" | "hour";

/** A plant's curve; of hours the mean powers over what was observed: one that is not over is no dip. */
export async function fetchCurve(plantId: string, from: string, to: string, resolution: Resolution, signal?: AbortSignal): Promise<PlantCurve> {
  const table = await call<Table>(`${plantPath(plantId)}/windows${query({ from, to, resolution })}`, {}, signal);
  const time = picker(table, "time");
  const hourly = resolution === "hour";
  const observedS = column(table, "observed_s");
  const means = (energy: string) => column(table, energy).map((value, at) => (value !== null && observedS[at] ? (value * 3_600) / observedS[at] : null));
  return {
    seconds: table.rows.map((row) => Date.parse(String(time(row))) / 1000),
    actualKw: hourly ? means("energy_kwh") : column(table, "generation_kw"),
    expectedKw: hourly ? means("expected_kwh") : column(table, "expected_kw"),
    irradianceWM2: hourly ? means("insolation_wh_m2") : column(table, "poa_w_m2"),
    moduleC: column(table, "module_c"),
    ambientC: column(table, "ambient_c"),
  };
}

export interface AlertQuery {
  state?: string;
  from?: string;
  to?: string | undefined;
  region?: string;
  plant?: string;
  limit?: number;
}

export const fetchAlerts = (asked: AlertQuery, signal?: AbortSignal): Promise<{ alerts: Alert[] }> =>
  call(`/alerts${query({ ...asked })}`, {}, signal, LIST_TIMEOUT_MS);

/** As many as one answer holds. */
export const ALERTS_AT_ONCE = 5_000;

/** All alerts that fit, however many: the oldest may be the worst. */
export async function fetchAllAlerts(asked: AlertQuery, signal?: AbortSignal): Promise<Alert[]> {
  const found = new Map<string, Alert>();
  for (let to = asked.to; ; ) {
    const { alerts } = await fetchAlerts({ ...asked, to, limit: ALERTS_AT_ONCE }, signal);
    const known = found.size;
    for (const alert of alerts) found.set(alert.alert_id, alert);
    if (alerts.length < ALERTS_AT_ONCE || found.size === known) return [...found.values()];
    // On from the second of the oldest one, in which others may have begun, too: `to` is exclusive.
    to = new Date(Date.parse(alerts.at(-1)!.onset) + 1_000).toISOString();
  }
}

export const actOnAlert = (alertId: string, action: ActionKind, by: string, note: string): Promise<void> =>
  post(`/alerts/${encodeURIComponent(alertId)}/${action}`, { note, by: by || undefined });

export const fetchAt = (time: string, signal?: AbortSignal): Promise<{ time: string; plants: Table }> =>
  call(`/at${query({ time })}`, {}, signal, LIST_TIMEOUT_MS);

export const fetchNotes = (plantId: string, signal?: AbortSignal): Promise<{ notes: Note[] }> =>
  call(`${plantPath(plantId)}/notes`, {}, signal);
export const addNote = (plantId: string, author: string, text: string): Promise<Note> =>
  post(`${plantPath(plantId)}/notes`, { text, author: author || undefined });

export const fetchPhotos = (plantId: string, signal?: AbortSignal): Promise<{ photos: Photo[] }> =>
  call(`${plantPath(plantId)}/photos`, {}, signal);

export function uploadPhoto(plantId: string, file: File): Promise<{ blob: string }> {
  const form = new FormData();
  form.set("file", file);
  return call(`${plantPath(plantId)}/photos`, { method: "POST", body: form }, undefined, UPLOAD_TIMEOUT_MS);
}

export const thumbnailUrl = (blob: string): string => `${BASE}/thumbnails/${blob.split("/").map(encodeURIComponent).join("/")}`;

export const search = (text: string, signal?: AbortSignal): Promise<SearchAnswer> =>
  call(`/search${query({ q: text })}`, {}, signal);

/** Where the windows of a plant are had as a file. */
export const exportUrl = (plantId: string, from: string, to: string, format: "csv" | "parquet"): string =>
  `${BASE}/export${query({ what: "windows", plant: plantId, from, to, format })}`;

export const EVENTS_URL = `${BASE}/events`;
