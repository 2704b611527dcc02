import { expect, test } from "vitest";
import { FAULT, Fleet, NO_DATA, OK, SILENT_AFTER_MS } from "../src/data/fleet";
import { sumOf, totalsByRegion } from "../src/data/totals";

const COLUMNS = ["plant_id", "name", "region", "latitude", "longitude", "capacity_kw", "state", "utilisation_pct", "generation_kw", "expected_kw", "window_end", "open_alerts"];
const END = "2026-06-21T03:00:00Z";

function fleetOf(...rows: unknown[][]): Fleet {
  return new Fleet({ columns: COLUMNS, rows });
}

const plant = (id: string, region: string, kw: number | null, end = END) => [id, id, region, 36, 127, 100, "ok", kw, kw, kw === null ? null : kw + 1, end, 0];

test("an older window never overwrites a newer one", () => {
  const fleet = fleetOf(plant("a", "KR-46", 50));
  fleet.apply({ columns: ["plant_id", "state", "generation_kw", "window_end"], rows: [["a", "fault", 0, "2026-06-21T02:59:50Z"]] });
  expect(fleet.state[0]).toBe(OK);
  expect(fleet.generationKw[0]).toBe(50);
});

test("a plant that turns to fault is told once, an unknown plant asks for the list", () => {
  const fleet = fleetOf(plant("a", "KR-46", 50));
  const columns = ["plant_id", "state", "generation_kw", "window_end"];
  const news = fleet.apply({ columns, rows: [["a", "fault", 0, "2026-06-21T03:00:10Z"], ["b", "ok", 1, END]] });
  expect(news).toEqual({ faulted: [0], unknown: true, latest: Date.parse("2026-06-21T03:00:10Z") });
  expect(fleet.state[0]).toBe(FAULT);
  expect(fleet.apply({ columns, rows: [["a", "fault", 0, "2026-06-21T03:00:20Z"]] }).faulted).toEqual([]);
});

test("the ranking leaves out the dark and the silent, and keeps to a region", () => {
  const fleet = fleetOf(plant("a", "KR-46", 50), plant("b", "KR-46", 80), plant("c", "KR-47", 99), plant("d", "KR-46", null));
  expect(fleet.rank("highest", 9, "KR-46").map((at) => fleet.ids[at])).toEqual(["b", "a"]);
  expect(fleet.rank("lowest", 1).map((at) => fleet.ids[at])).toEqual(["a"]);
});

const LIVE_COLUMNS = ["plant_id", "state", "utilisation_pct", "generation_kw", "expected_kw", "window_end"];

test("a silent plant has no state and no figures, whatever it last told; a fault stays until the plant tells otherwise", () => {
  const told = ["ok", "warning", "fault", "night", "no-data"];
  const fleet = fleetOf(...told.map((state, at) => plant(String(at), "KR-46", 50).with(6, state)), plant("fresh", "KR-46", 50, "2026-06-21T03:00:01Z"));
  fleet.age(Date.parse(END) + SILENT_AFTER_MS);
  expect(fleet.countStates()).toEqual([2, 1, 1, 1, 1]);
  fleet.age(Date.parse(END) + SILENT_AFTER_MS + 1_000);
  expect(fleet.countStates()).toEqual([1, 0, 1, 0, 4]);
  expect(fleet.rank("highest", 9).map((at) => fleet.ids[at])).toEqual(["fresh"]);
  expect(fleet.plant(0)).toMatchObject({ state: "no-data", generationKw: null, expectedKw: null, utilisationPct: null });
  expect(totalsByRegion(fleet).get("KR-46")).toEqual({ generationKw: 50, expectedKw: 51, comparedKw: 50, capacityKw: 100, plants: 1 });
});

test("a plant that tells again is what it tells", () => {
  const fleet = fleetOf(plant("a", "KR-46", 50));
  fleet.age(Date.parse(END) + SILENT_AFTER_MS + 1_000);
  expect(fleet.state[0]).toBe(NO_DATA);
  fleet.apply({ columns: LIVE_COLUMNS, rows: [["a", "ok", 40, 40, 41, "2026-06-21T04:00:00Z"]] });
  fleet.age(Date.parse("2026-06-21T04:00:10Z"));
  expect(fleet.plant(0)).toMatchObject({ state: "ok", generationKw: 40 });
});

test("totals keep plants of a quarter-hourly source whose next reading is some minutes late", () => {
  const fleet = fleetOf(plant("a", "KR-46", 50), plant("b", "KR-46", 30, "2026-06-21T03:21:00Z"));
  fleet.age(Date.parse("2026-06-21T03:21:00Z"));
  expect(totalsByRegion(fleet).get("KR-46")).toEqual({ generationKw: 80, expectedKw: 82, comparedKw: 80, capacityKw: 200, plants: 2 });
});

test("totals count the plants that report, and a country is the sum of its provinces", () => {
  const fleet = fleetOf(plant("a", "KR-46", 50), plant("b", "KR-46", 30), plant("c", "KR-47", 10, "2026-06-21T01:59:50Z"), plant("d", "KR-47", null));
  fleet.age(Date.parse(END));
  const totals = totalsByRegion(fleet);
  expect(totals.get("KR-46")).toEqual({ generationKw: 80, expectedKw: 82, comparedKw: 80, capacityKw: 200, plants: 2 });
  expect(totals.get("KR-47")).toEqual({ generationKw: 0, expectedKw: null, comparedKw: 0, capacityKw: 0, plants: 0 });
  expect(sumOf(totals.values())).toEqual({ generationKw: 80, expectedKw: 82, comparedKw: 80, capacityKw: 200, plants: 2 });
});

test("only what plants with an expectation generate is compared with it", () => {
  const fleet = fleetOf(plant("a", "KR-46", 50), plant("b", "KR-46", 300).with(9, null));
  expect(totalsByRegion(fleet).get("KR-46")).toMatchObject({ generationKw: 350, expectedKw: 51, comparedKw: 50 });
  expect(sumOf(totalsByRegion(fleet).values())).toMatchObject({ generationKw: 350, expectedKw: 51, comparedKw: 50 });
});
