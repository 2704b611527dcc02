/** What the dashboard's API sends (services/dashboard/API.md). Times are ISO 8601, UTC; powers kW, energies kWh. */

import type { Table } from "./table";

export interface PlantTable extends Table {
  as_of: string | null;
}

/** A point each five minutes; null where there is nothing. */
export interface DayCurve {
  /** The day in Korea, `2026-11-23`. */
  date: string;
  /** Starts of the steps, seconds since the epoch. */
  seconds: number[];
  actualKw: (number | null)[];
  expectedKw: (number | null)[];
  yesterdayKw: (number | null)[];
}

export type ActionKind = "acknowledge" | "resolve";

export interface AlertAction {
  action_id: string;
  alert_id: string;
  action: ActionKind;
  by: string;
  note: string;
  at: string;
}

/** As the API lists it; as the feed sends it, `status` and what operators did are left out. */
export interface Alert {
  alert_id: string;
  rule: string;
  severity: "info" | "warning" | "critical";
  status?: "open" | "acknowledged" | "resolved";
  state?: "open" | "resolved";
  region: string;
  plant_id: string | null;
  onset: string;
  updated_at: string;
  resolved_at: string | null;
  expected_kw: number | null;
  actual_kw: number | null;
  plants: number;
  /** Whether it was said to be over, and late readings showed that it went on. */
  reopened?: boolean;
  message: string;
  /** What the analyzer looked at, by name with its unit. */
  evidence?: Record<string, number | string>;
  actions?: AlertAction[];
}

export interface PlantDetail {
  plant_id: string;
  name: string;
  region?: string;
  latitude?: number;
  longitude?: number;
  capacity_kw?: number;
  tilt_deg?: number | null;
  azimuth_deg?: number | null;
  owner?: string | null;
  latest: PlantWindow | null;
  alerts: Alert[];
}

/** What the plant page takes from a plant's newest window; fields without a value are left out. */
export interface PlantWindow {
  window_end: string;
  region: string;
  capacity_kw: number;
  performance_ratio?: number;
  poa_w_m2?: number;
  ghi_w_m2?: number;
  module_c?: number;
  ambient_c?: number;
  wind_m_s?: number;
}

/** A plant over a time; each column null where there is nothing. */
export interface PlantCurve {
  /** Start of each step, seconds since the epoch. */
  seconds: number[];
  actualKw: (number | null)[];
  expectedKw: (number | null)[];
  irradianceWM2: (number | null)[];
  moduleC: (number | null)[];
  ambientC: (number | null)[];
}

export interface Note {
  note_id: string;
  plant_id: string;
  author: string;
  text: string;
  at: string;
}

export interface Thumbnail {
  preset: string;
  blob: string;
  width: number;
  height: number;
}

export interface Photo {
  photo_id: string;
  plant_id: string;
  blob: string;
  width: number;
  height: number;
  uploaded_at: string;
  taken_at: string | null;
  content_type?: string;
  dominant_colour: string;
  thumbnails: Thumbnail[];
  deleted?: boolean;
}

export interface ServiceStatus {
  /** Seconds since the service last did its work, or since the dashboard began to look for it. */
  age_s: number;
  ok: boolean;
}

export interface Status {
  stale: boolean;
  /** Age of the newest window, counted from when the hub took it; null when none was seen. */
  age_s: number | null;
  /** The service to blame, when there is one. */
  service: string | null;
  message: string;
  services: Record<string, ServiceStatus>;
}

export interface Session {
  mode: "open" | "public" | "entra" | "password";
  user: string | null;
  can_act: boolean;
  sign_in: string | null;
  /** Why nobody can sign in at present. */
  trouble: string | null;
}

export interface SearchAnswer {
  plants: { plant_id: string; name: string; region: string }[];
  regions: { region: string; name: string; name_ko: string }[];
}
