/** The map with its controls, its legend of states and the tooltip under the pointer. */

import { STATES, type PlantState } from "../data/fleet";
import { h, setText } from "../dom";
import { formatCount, formatPercent, formatPower } from "../format";
import { perFrame } from "../frame";
import { type MessageKey, t } from "../i18n";
import { REGION_NAMES, regionName } from "../i18n/regions";
import type { Group } from "../map/marks";
import { PlantMap } from "../map/plant-map";
import type { Point } from "../map/projection";
import type { Model } from "../model";
import { groupingOn, remember } from "../prefs";
import { openPlant, route } from "../route";
import type { Signal } from "../signal";
import { iconButton } from "./panel";
import { travelBar } from "./travel";

export const STATE_NAMES: Record<PlantState, MessageKey> = {
  ok: "stateOk",
  warning: "stateWarning",
  fault: "stateFault",
  night: "stateNight",
  "no-data": "stateNoData",
};

export interface MapPanel {
  element: HTMLElement;
  map: PlantMap;
}

export function mapPanel(model: Model, scope: Signal<string | null>): MapPanel {
  const stage = h("div", { class: "map-stage", tabindex: 0, role: "application", "aria-label": t("mapLabel") });
  const tooltip = h("div", { class: "tooltip", hidden: true });
  const map = new PlantMap(stage, {
    openPlant,
    describe: (mark, at) => {
      tooltip.hidden = mark === null;
      if (mark === null || !model.view.value.fleet) return;
      tooltip.replaceChildren(...("plant" in mark ? plantLines(model, mark.plant) : groupLines(mark.group)));
      place(tooltip, at, stage);
    },
  });
  map.setLabels(new Map(Object.keys(REGION_NAMES).map((code) => [code, regionName(code)])));
  followModel(model, map);
  let before: string | null = null;
  scope.watch((code) => {
    if (code !== null) map.showRegion(code);
    else if (before !== null) map.home();
    before = code;
  });
  const element = h("section", { class: "map", id: "map", "aria-label": t("tabMap") }, stage, controls(map), legend(model), travelBar(model), tooltip);
  return { element, map };
}

function followModel(model: Model, map: PlantMap): void {
  let shown: object | null = null;
  model.view.watch(({ fleet }) => {
    if (fleet && fleet !== shown) {
      shown = fleet;
      map.setFleet(fleet);
      map.select(route.value.plant);
    } else map.redrawPlants();
  });
  model.faulted.watch((plants) => map.redrawPlants(plants));
  route.watch(({ plant }) => map.select(plant));
}

function controls(map: PlantMap): HTMLElement {
  const grouping = iconButton("group", t("groupPlants"), () => {
    const on = grouping.getAttribute("aria-pressed") !== "true";
    grouping.setAttribute("aria-pressed", String(on));
    remember("grouping", on ? "on" : "off");
    map.setGrouping(on);
  });
  grouping.setAttribute("aria-pressed", String(groupingOn()));
  map.setGrouping(groupingOn());
  return h(
    "div",
    { class: "map-controls" },
    iconButton("plus", t("zoomIn"), () => map.zoomBy(1.6)),
    iconButton("minus", t("zoomOut"), () => map.zoomBy(1 / 1.6)),
    iconButton("home", t("zoomHome"), () => map.home()),
    grouping,
  );
}

function legend(model: Model): HTMLElement {
  const counts = STATES.map(() => h("span", { class: "legend-count" }, "0"));
  const entries = STATES.map((state, at) => h("li", { "data-state": state }, h("span", { class: "state-dot" }), h("span", {}, t(STATE_NAMES[state])), counts[at]!));
  const draw = perFrame(() => {
    model.view.value.fleet?.countStates().forEach((count, at) => {
      setText(counts[at]!, formatCount(count));
      entries[at]!.dataset["empty"] = String(count === 0);
    });
  });
  model.view.watch(draw);
  return h("ul", { class: "map-legend" }, ...entries);
}

function plantLines(model: Model, index: number): HTMLElement[] {
  const plant = model.view.value.fleet!.plant(index);
  return [
    h("p", { class: "tooltip-name" }, plant.name),
    h("p", { class: "dim" }, `${regionName(plant.region)} · ${formatPower(plant.capacityKw)}`),
    h("p", { class: "tooltip-state", "data-state": plant.state }, h("span", { class: "state-dot" }), t(STATE_NAMES[plant.state])),
    h("p", {}, `${formatPower(plant.generationKw)} / ${formatPower(plant.expectedKw)} · ${formatPercent(plant.utilisationPct)}`),
  ];
}

function groupLines(group: Group): HTMLElement[] {
  const states = STATES.flatMap((state, code) =>
    group.counts[code]! > 0
      ? [h("p", { class: "tooltip-state", "data-state": state }, h("span", { class: "state-dot" }), `${t(STATE_NAMES[state])} ${formatCount(group.counts[code]!)}`)]
      : [],
  );
  return [h("p", { class: "tooltip-name" }, t("groupOf", { count: formatCount(group.total) })), ...states, h("p", { class: "dim" }, t("groupHint"))];
}

/** Beside the point, on the side that has room. */
function place(tooltip: HTMLElement, at: Point, stage: HTMLElement): void {
  const right = at.x > stage.clientWidth - 220;
  const below = at.y < 130;
  tooltip.style.setProperty("--x", `${Math.round(at.x + (right ? -14 : 14))}px`);
  tooltip.style.setProperty("--y", `${Math.round(at.y + (below ? 14 : -14))}px`);
  tooltip.dataset["side"] = `${below ? "below" : "above"}-${right ? "left" : "right"}`;
}
