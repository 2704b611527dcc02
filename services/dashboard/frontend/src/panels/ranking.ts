/** Who makes the most of its capacity, and who the least. */

import type { Fleet } from "../data/fleet";
import { h, reconcile, setText } from "../dom";
import { formatPercent, formatPower } from "../format";
import { perFrame } from "../frame";
import { t } from "../i18n";
import { regionName } from "../i18n/regions";
import type { Model } from "../model";
import { openPlant } from "../route";
import type { Signal } from "../signal";
import { choice, emptiness, panel } from "./panel";

type Order = "highest" | "lowest";
const PLACES = 30;

export function rankingPanel(model: Model, scope: Signal<string | null>): HTMLElement {
  let order: Order = "highest";
  const orders = choice<Order>(t("ranking"), [["highest", t("highest")], ["lowest", t("lowest")]], order, (value) => {
    order = value;
    draw();
  });
  const { element, body } = panel("ranking", t("ranking"), orders.element);
  const none = emptiness(t("rankingNone"));
  const list = h("ol", { class: "rank-list" });
  body.append(none, list);
  const draw = perFrame(() => {
    const fleet = model.view.value.fleet;
    const best = fleet ? fleet.rank(order, PLACES, scope.value) : [];
    none.hidden = fleet === null || best.length > 0;
    reconcile(list, best, (plant) => fleet!.ids[plant]!, (plant) => createRow(fleet!.ids[plant]!), (item, plant) => updateRow(item, fleet!, plant, best.indexOf(plant) + 1));
  });
  model.view.watch(draw);
  scope.watch(draw);
  return element;
}

function createRow(plantId: string): HTMLLIElement {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "rank-row", onclick: () => openPlant(plantId) },
      h("span", { class: "rank-place" }),
      h("span", { class: "rank-name" }, h("span", {}), h("span", { class: "dim" })),
      h("span", { class: "rank-power" }),
      h("span", { class: "rank-share" }),
    ),
  );
}

function updateRow(item: HTMLLIElement, fleet: Fleet, index: number, place: number): void {
  const plant = fleet.plant(index);
  const [rank, name, power, share] = item.firstElementChild!.children as unknown as [Element, Element, Element, Element];
  setText(rank, String(place));
  setText(name.children[0]!, plant.name);
  setText(name.children[1]!, regionName(plant.region));
  setText(power, formatPower(plant.generationKw));
  setText(share, formatPercent(plant.utilisationPct));
  (item as HTMLElement).dataset["state"] = plant.state;
}
