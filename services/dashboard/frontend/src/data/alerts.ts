/**
 * The alerts that matter now, with what operators did to them. The feed tells of the analyzer's part and of the
 * operators' actions apart, perhaps twice and in any order.
 */

import type { Alert, AlertAction } from "./types";

export type AlertStatus = "open" | "acknowledged" | "resolved";

const SEVERITY = { critical: 0, warning: 1, info: 2 } as const;
/** Resolved alerts stay in the list this long, so that a fault that comes and goes is not missed. */
const RESOLVED_KEPT = 50;
const MOST_ALERTS = 2_000;
/** The sink stores what the feed told within this time, or an answer without it is believed. */
const STORED_WITHIN_MS = 60_000;

export function statusOf(alert: Alert): AlertStatus {
  if (alert.status === "resolved" || alert.state === "resolved" || alert.actions?.some(({ action }) => action === "resolve")) return "resolved";
  const acknowledged = alert.status === "acknowledged" || alert.actions?.some(({ action }) => action === "acknowledge");
  return acknowledged ? "acknowledged" : "open";
}

/** The alert as it stood at `moment` (ISO 8601): what was done to it later has not happened yet. */
export function asOfThen(alert: Alert, moment: string): Alert {
  const { status: _, ...timeless } = alert;
  const over = alert.resolved_at !== null && alert.resolved_at <= moment;
  return { ...timeless, state: over ? "resolved" : "open", actions: (alert.actions ?? []).filter(({ at }) => at <= moment) };
}

/**
 * Of two states of an alert the greater counts. That it is over is the last word, even where late readings date the end
 * before the beginning, unless they showed that it went on.
 */
const rankOf = (alert: Alert): string => `${isOver(alert) || alert.reopened ? 1 : 0} ${alert.updated_at} ${isOver(alert) ? 0 : 1}`;

const isOver = ({ state, status }: Alert): boolean => state === "resolved" || status === "resolved";

export class AlertBook {
  #alerts = new Map<string, Alert>();
  /** Actions that came before their alert. */
  readonly #early = new Map<string, AlertAction[]>();
  /** When the feed last told of an alert, ms. */
  readonly #heardAt = new Map<string, number>();
  #loaded = false;
  /** With so many alerts the resolved ones are gone through; where most are open, that frees little and costs much. */
  #forgetAt = MOST_ALERTS;

  /** Whether the stored alerts were loaded once: only then does an empty list say that there are none. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Replaces everything by what is stored, except for news that may not be stored yet. */
  load(alerts: Alert[], now: number, storedWithinMs = STORED_WITHIN_MS): void {
    const before = this.#alerts;
    this.#alerts = new Map(alerts.map((alert) => [alert.alert_id, alert]));
    for (const [id, heardAt] of this.#heardAt) {
      const known = before.get(id);
      if (now - heardAt > storedWithinMs) this.#heardAt.delete(id);
      else if (known) this.add([known]);
    }
    this.#loaded = true;
  }

  /** Takes in alerts beside the ones known: of two states of one the greater, with what was done to either. */
  add(alerts: Alert[]): void {
    for (const alert of alerts) {
      const known = this.#alerts.get(alert.alert_id);
      const newer = known && rankOf(known) >= rankOf(alert) ? known : alert;
      this.#alerts.set(alert.alert_id, { ...newer, actions: merge(known?.actions ?? [], alert.actions ?? []) });
    }
  }

  /** True when the alert is new here and open. */
  put(alert: Alert, now: number): boolean {
    const known = this.#alerts.get(alert.alert_id);
    if (known && rankOf(known) > rankOf(alert)) return false;
    const actions = merge(known?.actions ?? this.#early.get(alert.alert_id) ?? [], alert.actions ?? []);
    this.#early.delete(alert.alert_id);
    this.#heardAt.set(alert.alert_id, now);
    this.#alerts.set(alert.alert_id, { ...alert, actions });
    if (this.#alerts.size > this.#forgetAt) this.#forget();
    return !known && statusOf(alert) === "open";
  }

  act(action: AlertAction, now: number): void {
    const alert = this.#alerts.get(action.alert_id);
    this.#heardAt.set(action.alert_id, now);
    if (alert) this.#alerts.set(action.alert_id, { ...alert, actions: merge(alert.actions ?? [], [action]) });
    else this.#early.set(action.alert_id, merge(this.#early.get(action.alert_id) ?? [], [action]));
  }

  /** A wall screen runs for months: lets go of resolved alerts that are shown no more. */
  #forget(): void {
    const kept = new Set(this.list("resolved").map(({ alert_id }) => alert_id));
    for (const [id, alert] of this.#alerts) {
      if (statusOf(alert) === "resolved" && !kept.has(id)) this.#alerts.delete(id);
    }
    for (const id of this.#heardAt.keys()) if (!this.#alerts.has(id)) this.#heardAt.delete(id);
    this.#early.clear();
    this.#forgetAt = Math.max(MOST_ALERTS, 2 * this.#alerts.size);
  }

  get(alertId: string): Alert | undefined {
    return this.#alerts.get(alertId);
  }

  /** Those of a status: open ones by severity, then the latest first; resolved ones by when that happened. */
  list(status: AlertStatus): Alert[] {
    const chosen = [...this.#alerts.values()].filter((alert) => statusOf(alert) === status);
    if (status === "resolved") {
      return chosen.sort((a, b) => b.updated_at.localeCompare(a.updated_at)).slice(0, RESOLVED_KEPT);
    }
    return chosen.sort((a, b) => SEVERITY[a.severity] - SEVERITY[b.severity] || b.onset.localeCompare(a.onset));
  }

  /** Those that say that a plant is silent, and are not over. */
  silences(): Alert[] {
    return [...this.#alerts.values()].filter((alert) => alert.rule === "silence" && statusOf(alert) !== "resolved");
  }

  /** Those of a plant, the open ones first, then the latest. */
  ofPlant(plantId: string): Alert[] {
    const order: AlertStatus[] = ["open", "acknowledged", "resolved"];
    return [...this.#alerts.values()]
      .filter((alert) => alert.plant_id === plantId)
      .sort((a, b) => order.indexOf(statusOf(a)) - order.indexOf(statusOf(b)) || b.onset.localeCompare(a.onset));
  }
}

function merge(known: AlertAction[], more: AlertAction[]): AlertAction[] {
  const all = new Map([...known, ...more].map((action) => [action.action_id, action]));
  return [...all.values()].sort((a, b) => a.at.localeCompare(b.at));
}
