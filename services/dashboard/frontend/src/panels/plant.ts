/** The page of one plant: what it does now, its curve and weather, its alerts, notes and photos. */

import { fetchAlerts, fetchPlant } from "../data/api";
import { SILENT_AFTER_MS } from "../data/fleet";
import type { PlantDetail, PlantWindow } from "../data/types";
import { h, reconcile, setText } from "../dom";
import { NOTHING, formatPercent, formatPower, formatQuantity, shareOf } from "../format";
import { perFrame } from "../frame";
import { t } from "../i18n";
import { regionName } from "../i18n/regions";
import type { Model } from "../model";
import { closePlant, route } from "../route";
import { type Actor, alertRow } from "./alerts";
import { curveSection } from "./curve";
import { STATE_NAMES } from "./map";
import { notesSection } from "./notes";
import { fact, failure, iconButton } from "./panel";
import { photosSection } from "./photos";

/** Facts and weather of the plant's newest window are asked for this often. */
const DETAIL_PERIOD_MS = 10_000;
const OWN_ALERTS = 20;

export function plantPanel(model: Model, actor: Actor): HTMLElement {
  const host = h("section", { class: "plant", id: "plant", "aria-label": t("plant"), tabindex: -1, hidden: true });
  let open = new AbortController();
  let shown: string | null = null;
  let cameFrom: Element | null = null;
  route.watch(({ plant }) => {
    if (plant === shown) return;
    if (shown === null) cameFrom = document.activeElement;
    shown = plant;
    open.abort();
    open = new AbortController();
    host.hidden = plant === null;
    host.replaceChildren(...(plant === null ? [] : content(model, actor, plant, open.signal)));
    if (plant !== null) host.focus();
    // After the view has changed: on a phone the list that it was opened from is hidden until then.
    else if (cameFrom instanceof HTMLElement) requestAnimationFrame(() => (cameFrom as HTMLElement).focus());
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
    if (event.key === "Escape" && shown !== null && !typing) closePlant();
  });
  return host;
}

function content(model: Model, actor: Actor, plantId: string, closed: AbortSignal): HTMLElement[] {
  const now = nowSection(model, plantId, closed);
  const about = h("dl", { class: "facts facts-about" });
  const trouble = h("div", {});
  const load = async () => {
    try {
      const detail = await fetchPlant(plantId, closed);
      now.showDetail(detail);
      about.replaceChildren(...aboutFacts(detail));
      trouble.replaceChildren();
    } catch (error) {
      if (!closed.aborted) trouble.replaceChildren(failure(error, () => void load()));
    }
  };
  void load();
  const timer = setInterval(() => void load(), DETAIL_PERIOD_MS);
  closed.addEventListener("abort", () => clearInterval(timer));
  return [
    now.head,
    trouble,
    h(
      "div",
      { class: "plant-body" },
      now.figures,
      curveSection(model, plantId, closed),
      alertsSection(model, actor, plantId, closed),
      notesSection(model, actor, plantId, closed),
      photosSection(model, actor, plantId, closed),
      section(t("factsTitle"), about),
    ),
  ];
}

export function section(title: string, ...content: Node[]): HTMLElement {
  return h("section", { class: "plant-section" }, h("h3", {}, title), ...content);
}

interface Now {
  head: HTMLElement;
  figures: HTMLElement;
  showDetail(detail: PlantDetail): void;
}

/** Name, state and figures; the live feed keeps them, the detail adds the weather. */
function nowSection(model: Model, plantId: string, closed: AbortSignal): Now {
  const name = h("h2", {}, plantId);
  const place = h("p", { class: "dim" });
  const state = h("p", { class: "plant-state" }, h("span", { class: "state-dot" }), h("span", {}));
  const close = iconButton("close", t("close"), closePlant);
  const power = fact(t("generation"));
  const expected = fact(t("expected"));
  const utilisation = fact(t("utilisation"));
  const performance = fact(t("performance"));
  const weather = [fact(t("irradiance")), fact(t("moduleTemperature")), fact(t("ambientTemperature")), fact(t("wind"))] as const;
  const figures = h("dl", { class: "facts plant-facts" }, ...[power, expected, utilisation, performance, ...weather].map(({ element }) => element));

  let latest: PlantWindow | null = null;
  const drawWeather = () => {
    const { live, asOf } = model.view.value;
    // The newest window tells the weather of no other moment, and a silent plant's not that of now.
    const now = live && latest && (asOf ?? 0) - Date.parse(latest.window_end) <= SILENT_AFTER_MS ? latest : null;
    setText(weather[0].value, formatQuantity(now?.poa_w_m2 ?? now?.ghi_w_m2, "W/m²", 0));
    setText(weather[1].value, formatQuantity(now?.module_c, "°C"));
    setText(weather[2].value, formatQuantity(now?.ambient_c, "°C"));
    setText(weather[3].value, formatQuantity(now?.wind_m_s, "m/s"));
  };
  const draw = () => {
    drawWeather();
    const { fleet } = model.view.value;
    const index = fleet?.indexOf(plantId);
    if (!fleet || index === undefined) return;
    const plant = fleet.plant(index);
    setText(name, plant.name);
    setText(place, `${regionName(plant.region)} · ${formatPower(plant.capacityKw)} · ${plant.id}`);
    state.dataset["state"] = plant.state;
    setText(state.lastElementChild!, t(STATE_NAMES[plant.state]));
    setText(power.value, formatPower(plant.generationKw));
    setText(expected.value, formatPower(plant.expectedKw));
    setText(utilisation.value, formatPercent(plant.utilisationPct));
    setText(performance.value, formatPercent(shareOf(plant.generationKw, plant.expectedKw)));
  };
  model.view.watch(draw, closed);
  return {
    head: h("div", { class: "plant-head" }, h("div", { class: "plant-title" }, name, place), state, close),
    figures,
    showDetail: (detail) => {
      latest = detail.latest;
      drawWeather();
    },
  };
}

function aboutFacts(detail: PlantDetail): HTMLElement[] {
  const entries: [string, string][] = [
    [t("capacity"), formatPower(detail.capacity_kw ?? detail.latest?.capacity_kw)],
    [t("orientation"), `${formatQuantity(detail.tilt_deg, "°", 0)} / ${formatQuantity(detail.azimuth_deg, "°", 0)}`],
    [t("position"), detail.latitude === undefined ? NOTHING : `${detail.latitude.toFixed(4)}, ${detail.longitude?.toFixed(4)}`],
    [t("owner"), detail.owner || NOTHING],
  ];
  return entries.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value)));
}

/** This plant's alerts, the open ones first; those long over come from the store. */
function alertsSection(model: Model, actor: Actor, plantId: string, closed: AbortSignal): HTMLElement {
  const list = h("ul", { class: "alert-list" });
  const none = h("p", { class: "dim" }, t("alertsNone"));
  const trouble = h("div", {});
  let loaded = false;
  const draw = perFrame(() => {
    const alerts = model.alerts.value.ofPlant(plantId).slice(0, OWN_ALERTS);
    none.hidden = !loaded || alerts.length > 0;
    reconcile(list, alerts, (alert) => alert.alert_id, () => alertRow(model, actor, false), (item, alert) => item.show(alert));
  });
  model.alerts.watch(draw, closed);
  const load = async () => {
    try {
      const { alerts } = await fetchAlerts({ state: "all", plant: plantId, limit: OWN_ALERTS }, closed);
      loaded = true;
      model.addAlerts(alerts);
      trouble.replaceChildren();
    } catch (error) {
      if (!closed.aborted) trouble.replaceChildren(failure(error, () => void load()));
    }
  };
  void load();
  return section(t("alerts"), trouble, none, list);
}
