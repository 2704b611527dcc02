/** What provinces and the country generate now: sums over the plants on the map, so that figures and map agree. */

import { type Fleet, NO_DATA } from "./fleet";

export interface Totals {
  generationKw: number;
  /** Over the plants that have an expectation; null where none has. */
  expectedKw: number | null;
  /** What those plants generate, which alone compares with it. */
  comparedKw: number;
  /** Of the plants that report. */
  capacityKw: number;
  plants: number;
}

const empty = (): Totals => ({ generationKw: 0, expectedKw: null, comparedKw: 0, capacityKw: 0, plants: 0 });

/** Totals of the plants that report, by province. */
export function totalsByRegion(fleet: Fleet): Map<string, Totals> {
  const totals = new Map<string, Totals>();
  for (let plant = 0; plant < fleet.size; plant++) {
    const generationKw = fleet.generationKw[plant]!;
    const silent = fleet.state[plant] === NO_DATA || Number.isNaN(generationKw);
    const region = fleet.regions[plant]!;
    let total = totals.get(region);
    if (!total) totals.set(region, (total = empty()));
    if (silent) continue;
    const expectedKw = fleet.expectedKw[plant]!;
    total.generationKw += generationKw;
    total.capacityKw += fleet.capacityKw[plant]!;
    total.plants++;
    if (Number.isNaN(expectedKw)) continue;
    total.expectedKw = (total.expectedKw ?? 0) + expectedKw;
    total.comparedKw += generationKw;
  }
  return totals;
}

export function sumOf(totals: Iterable<Totals>): Totals {
  const sum = empty();
  for (const each of totals) {
    sum.generationKw += each.generationKw;
    sum.comparedKw += each.comparedKw;
    sum.capacityKw += each.capacityKw;
    sum.plants += each.plants;
    if (each.expectedKw !== null) sum.expectedKw = (sum.expectedKw ?? 0) + each.expectedKw;
  }
  return sum;
}
