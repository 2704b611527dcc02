/** Where the viewer is, kept in the address so that it can be shared and gone back from. */

import { Signal } from "./signal";

export const TABS = ["map", "generation", "alerts", "ranking"] as const;
export type Tab = (typeof TABS)[number];

export interface Route {
  tab: Tab;
  plant: string | null;
}

export function parseRoute(hash: string): Route {
  const [head, tail] = hash.replace(/^#\/?/, "").split("/");
  if (head === "plants" && tail) {
    try {
      return { tab: "map", plant: decodeURIComponent(tail) };
    } catch {
      // A mangled address is no plant.
    }
  }
  return { tab: TABS.find((tab) => tab === head) ?? "map", plant: null };
}

export const route = new Signal<Route>(parseRoute(location.hash));
/** Where a plant is opened from, and closed to. */
let tabBefore: Tab = "map";
route.watch(({ tab, plant }) => {
  if (plant === null) tabBefore = tab;
});
addEventListener("hashchange", () => {
  route.value = parseRoute(location.hash);
});

export function openPlant(plantId: string): void {
  location.hash = `#/plants/${encodeURIComponent(plantId)}`;
}

export function closePlant(): void {
  location.hash = `#/${tabBefore}`;
}
