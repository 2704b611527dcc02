import { expect, test } from "vitest";
import { beside, withGaps } from "../src/data/curves";
import { energyOf } from "../src/data/energy";

test("the day before stands at its own time of day, also where today has nothing yet", () => {
  const today = { date: "2026-06-21", seconds: [86_400, 86_700], actualKw: [1, 2], expectedKw: [3, null], yesterdayKw: [] };
  const yesterday = { date: "2026-06-20", seconds: [300, 600], actualKw: [7, 8], expectedKw: [9, 9], yesterdayKw: [] };
  expect(beside(today, yesterday)).toEqual({
    date: "2026-06-21",
    seconds: [86_400, 86_700, 87_000],
    actualKw: [1, 2, null],
    expectedKw: [3, null, null],
    yesterdayKw: [null, 7, 8],
  });
});

test("energy is power times five minutes, a gap adds nothing and an empty day is unknown", () => {
  expect(energyOf([300, 600, 900], [12, null, 24])).toBe(3);
  expect(energyOf([300, 600, 900], [12, null, 24], 600)).toBe(1);
  expect(energyOf([300], [null])).toBeNull();
});

test("of the step in progress only what is over counts", () => {
  expect(energyOf([300, 600], [12, 24], 750)).toBe(2);
});

test("a line breaks where nothing was measured, and nowhere else", () => {
  expect(withGaps([0, 300, 600, 3900, 4200], [1, 2, 3, 4, 5])).toEqual([[0, 300, 600, 900, 3900, 4200], [1, 2, 3, null, 4, 5]]);
  expect(withGaps([0, 900, 1800], [1, null, 3])).toEqual([[0, 900, 1800], [1, null, 3]]);
  expect(withGaps([], [])).toEqual([[], []]);
});
