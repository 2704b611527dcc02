import { expect, test } from "vitest";
import { FAULT, Fleet, OK } from "../src/data/fleet";
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

test("totals count the plants that report, and a country is the sum of its provinces", () => {
  const fleet = fleetOf(plant("a", "KR-46", 50), plant("b", "KR-46", 30), plant("c", "KR-47", 10, "2026-06-21T02:00:00Z"), plant("d", "KR-47", null));
  const totals = totalsByRegion(fleet, Date.parse(END));
  expect(totals.get("KR-46")).toEqual({ generationKw: 80, expectedKw: 82, capacityKw: 200, plants: 2 });
  expect(totals.get("KR-47")).toEqual({ generationKw: 0, expectedKw: null, capacityKw: 0, plants: 0 });
  expect(sumOf(totals.values())).toEqual({ generationKw: 80, expectedKw: 82, capacityKw: 200, plants: 2 });
});
