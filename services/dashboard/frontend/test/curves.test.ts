import { expect, test } from "vitest";
import { beside, withGaps } from "../src/data/curves";
import { energiesOf, energyOf } from "../src/data/energy";

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

test("the energies of a day reach to the moment shown, and a curve of another day tells nothing", () => {
  const sixOClock = Date.parse("2026-06-20T21:00:00Z") / 1000;
  const seconds = Array.from({ length: 36 }, (_, step) => sixOClock + 300 * step);
  const kw = (power: number) => seconds.map(() => power);
  const curve = { date: "2026-06-21", seconds, actualKw: kw(120), expectedKw: kw(240), yesterdayKw: [] };
  expect(energiesOf(curve, Date.parse("2026-06-21T00:00:00Z"))).toEqual({ actual: 360, expected: 720 });
  expect(energiesOf(curve, Date.parse("2026-06-20T22:00:00Z"))).toEqual({ actual: 120, expected: 240 });
  const unknown = { actual: null, expected: null };
  expect(energiesOf(curve, Date.parse("2026-06-21T22:00:00Z"))).toEqual(unknown);
  expect(energiesOf(null, Date.parse("2026-06-21T00:00:00Z"))).toEqual(unknown);
});

test("a line breaks where nothing was measured, and nowhere else", () => {
  expect(withGaps([0, 300, 600, 3900, 4200], [1, 2, 3, 4, 5])).toEqual([[0, 300, 600, 900, 3900, 4200], [1, 2, 3, null, 4, 5]]);
  expect(withGaps([0, 900, 1800], [1, null, 3])).toEqual([[0, 900, 1800], [1, null, 3]]);
  expect(withGaps([], [])).toEqual([[], []]);
});
