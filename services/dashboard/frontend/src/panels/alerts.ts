/** The alerts: what is open in red and on top, what is being looked at, what is over. */

import { type AlertStatus, statusOf } from "../data/alerts";
import { actOnAlert } from "../data/api";
import type { ActionKind, Alert } from "../data/types";
import { h, reconcile, setText } from "../dom";
import { formatCount, formatMoment, formatPower, formatQuantity } from "../format";
import { perFrame } from "../frame";
import { type MessageKey, t, tData } from "../i18n";
import { regionName } from "../i18n/regions";
import type { Model } from "../model";
import { operator, remember } from "../prefs";
import { openPlant } from "../route";
import { choice, emptiness, panel, reasonOf } from "./panel";

/** What is said where a list has nothing. */
const NONE: Record<AlertStatus, MessageKey> = { open: "alertsNone", acknowledged: "alertsNoneAcknowledged", resolved: "alertsNoneResolved" };

/** More rows than anyone reads at once; the rest shows as the first are dealt with. */
const SHOWN = 100;

export interface Actor {
  canAct: boolean;
  /** Who is signed in, or null where the viewer gives a name. */
  user: string | null;
}

export function alertsPanel(model: Model, actor: Actor): HTMLElement {
  let status: AlertStatus = "open";
  const filter = choice<AlertStatus>(t("alerts"), [["open", t("open")], ["acknowledged", t("acknowledged")], ["resolved", t("resolved")]], "open", (value) => {
    status = value;
    list.replaceChildren();
    draw();
  });
  const badge = h("span", { class: "badge" });
  const { element, head, body } = panel("alerts", t("alerts"));
  head.append(badge, filter.element);
  const trouble = h("p", { class: "failure", role: "status" });
  const none = emptiness("", t("alertsNoneHint"));
  const list = h("ul", { class: "alert-list" });
  const more = h("p", { class: "dim more" });
  body.append(trouble, none, list, more);
  const draw = perFrame(() => {
    const book = model.alerts.value;
    const chosen = book.list(status);
    const open = book.list("open").length;
    setText(badge, open > 0 ? formatCount(open) : "");
    badge.hidden = open === 0;
    none.hidden = !book.loaded || chosen.length > 0;
    setText(none.firstElementChild!, t(NONE[status]));
    none.lastElementChild!.toggleAttribute("hidden", status !== "open" || !model.view.value.live);
    const reason = model.view.value.live ? model.alertsTrouble.value : null;
    trouble.hidden = reason === null;
    setText(trouble, reason === null ? "" : t("alertsFailed", { reason: reasonOf(reason) }));
    const shown = chosen.slice(0, SHOWN);
    const held = writtenIn(list).map((id) => book.get(id)).filter((alert) => alert !== undefined && !shown.includes(alert)) as Alert[];
    reconcile(list, [...shown, ...held], (alert) => alert.alert_id, () => alertRow(model, actor), (item, alert) => item.show(alert));
    setText(more, chosen.length > SHOWN ? t("alertsMore", { count: formatCount(chosen.length - SHOWN) }) : "");
  });
  model.alerts.watch(draw);
  model.alertsTrouble.watch(draw);
  model.view.watch((view) => {
    // Names of plants come with the fleet.
    if (view.fleet !== null) draw();
  });
  return element;
}

/** What somebody is writing, and has not sent. */
const WRITING = "form:not([data-sent])";

/** The alerts in whose forms somebody writes: they stay, whatever becomes of them or comes before them meanwhile. */
const writtenIn = (list: HTMLElement): string[] => [...list.children].flatMap((row) => (row.querySelector(WRITING) ? [(row as HTMLElement).dataset["key"]!] : []));

type AlertRow = HTMLLIElement & { show(alert: Alert): void };

/** One alert; its buttons open a small form in place, which an update of the alert leaves alone. */
export function alertRow(model: Model, actor: Actor, withSubject = true): AlertRow {
  let alert: Alert | null = null;
  let drawn = "";
  const subject = h("button", {
    type: "button",
    class: "alert-subject",
    onclick: () => {
      if (alert?.plant_id) openPlant(alert.plant_id);
    },
  });
  const rule = h("span", { class: "alert-rule" });
  const since = h("time", { class: "alert-since" });
  const message = h("p", { class: "alert-message" });
  const history = h("ul", { class: "alert-history" });
  const actions = h("div", { class: "alert-actions" });
  const item = h("li", { class: "alert" }, h("div", { class: "alert-head" }, rule, since), withSubject ? subject : null, h("div", { class: "alert-foot" }, message, actions), history) as unknown as AlertRow;

  const restore = () => {
    drawn = "";
    actions.replaceChildren();
    model.alerts.changed();
  };
  item.show = (next) => {
    alert = next;
    const status = statusOf(next);
    const asOf = model.view.value.asOf ?? Date.now();
    item.dataset["status"] = status;
    item.dataset["severity"] = next.severity;
    setText(rule, tData("rule-", next.rule));
    setText(since, formatMoment(next.onset, asOf));
    since.dateTime = next.onset;
    setText(subject, subjectOf(next, model));
    subject.disabled = !next.plant_id;
    setText(message, messageOf(next));
    // What is done is done now: it is not offered beside an alert as it stood in the past.
    const canAct = actor.canAct && model.view.value.live;
    const state = `${status} ${next.actions?.length ?? 0} ${canAct}`;
    if (state === drawn) return;
    history.replaceChildren(...historyOf(next, asOf));
    if (canAct && actions.querySelector(WRITING)) return;
    drawn = state;
    actions.replaceChildren(...(canAct ? buttonsOf(next, status, actions, actor, restore) : []));
  };
  return item;
}

export function subjectOf(alert: Alert, model: Model): string {
  if (!alert.plant_id) return `${regionName(alert.region)} · ${t("plantsConcerned", { count: alert.plants })}`;
  const fleet = model.view.value.fleet;
  const plant = fleet?.indexOf(alert.plant_id);
  return `${plant === undefined ? alert.plant_id : fleet!.names[plant]} · ${regionName(alert.region)}`;
}

/** The figures say it in any language; the analyzer's own words stand where there are none. */
function messageOf(alert: Alert): string {
  const module = alert.evidence?.["module_c"];
  if (alert.rule === "temperature-spike" && typeof module === "number") return t("alertTemperature", { module: formatQuantity(module, "°C") });
  if (alert.actual_kw === null || alert.actual_kw === undefined || alert.expected_kw === null || alert.expected_kw === undefined) return alert.message;
  return t("alertPowers", { actual: formatPower(alert.actual_kw), expected: formatPower(alert.expected_kw) });
}

function historyOf(alert: Alert, asOf: number): HTMLElement[] {
  return (alert.actions ?? []).map((action) => {
    const kind: MessageKey = action.action === "acknowledge" ? "acknowledged" : "resolved";
    const who = t("by", { who: action.by, time: formatMoment(action.at, asOf) });
    return h("li", {}, h("span", {}, `${t(kind)} · ${who}`), action.note ? h("q", {}, action.note) : null);
  });
}

function buttonsOf(alert: Alert, status: AlertStatus, host: HTMLElement, actor: Actor, restore: () => void): HTMLElement[] {
  const kinds: ActionKind[] = status === "open" ? ["acknowledge", "resolve"] : status === "acknowledged" ? ["resolve"] : [];
  return kinds.map((kind) => {
    const button = h("button", { type: "button", class: "quiet" }, t(kind));
    button.addEventListener("click", () => {
      const form = actionForm(alert, kind, actor, restore);
      host.replaceChildren(form);
      form.querySelector<HTMLElement>("input")?.focus();
    });
    return button;
  });
}

function actionForm(alert: Alert, kind: ActionKind, actor: Actor, done: () => void): HTMLFormElement {
  const name = h("input", { name: "by", required: true, maxlength: 64, autocomplete: "name", "aria-label": t("yourName"), placeholder: t("yourName") });
  name.value = actor.user ?? operator();
  name.readOnly = actor.user !== null;
  const note = h("input", { name: "note", maxlength: 4000, "aria-label": t("noteOptional"), placeholder: t("noteOptional"), autocomplete: "off" });
  const send = h("button", { type: "submit", class: "primary" }, t(kind));
  const cancel = h("button", { type: "button", class: "quiet", onclick: done }, t("cancel"));
  const wrong = h("p", { class: "form-error", role: "alert" });
  const form = h("form", { class: "action-form" }, name, note, h("div", { class: "row" }, send, cancel), wrong);
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    done();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send.disabled = true;
    if (actor.user === null) remember("operator", name.value.trim());
    actOnAlert(alert.alert_id, kind, name.value.trim(), note.value.trim())
      // The feed tells of the action in a moment, and the buttons are drawn anew: till then it is not offered again.
      .then(() => {
        form.dataset["sent"] = "";
        for (const control of [name, note, send, cancel]) control.disabled = true;
      })
      .catch((error: Error) => {
        send.disabled = false;
        wrong.textContent = t("notSaved", { reason: reasonOf(error.message) });
      });
  });
  return form;
}
