import { expect, test } from "vitest";
import { Clusters, buildLevel } from "../src/map/clusters";
import { type Group, stepAside } from "../src/map/marks";

function scatter(count: number): { xs: Float64Array; ys: Float64Array } {
  let state = 42;
  const next = () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  return { xs: Float64Array.from({ length: count }, () => next() * 500), ys: Float64Array.from({ length: count }, () => next() * 900) };
}

test("every plant is in one group, no further from another of it than twice the radius", () => {
  const { xs, ys } = scatter(2000);
  const level = buildLevel(xs, ys, 30);
  for (let plant = 0; plant < xs.length; plant++) {
    const cluster = level.of[plant]!;
    expect(cluster).toBeGreaterThanOrEqual(0);
    expect(Math.hypot(xs[plant]! - level.x[cluster]!, ys[plant]! - level.y[cluster]!)).toBeLessThanOrEqual(60);
  }
  expect(new Set(level.of).size).toBe(level.count);
});

test("plants further apart than the radius are never grouped", () => {
  const level = buildLevel(Float64Array.of(0, 10, 20), Float64Array.of(0, 0, 0), 9.9);
  expect(level.count).toBe(3);
});

test("a plant without a place is grouped with none", () => {
  const level = buildLevel(Float64Array.of(0, Number.NaN, 0), Float64Array.of(0, Number.NaN, 0), 5);
  expect(level.count).toBe(1);
  expect(level.of[1]).toBe(-1);
});

test("a group's bounds hold its plants and no others", () => {
  const clusters = new Clusters(Float64Array.of(0, 2, 100), Float64Array.of(0, 4, 100), () => 10);
  const level = clusters.at(1);
  expect(clusters.boundsOf(level, level.of[0]!)).toEqual({ left: 0, top: 0, right: 2, bottom: 4 });
});

const group = (x: number, y: number): Group => ({ cluster: 0, x, y, radius: 20, counts: [5, 0, 0, 0, 0], total: 5, utilisationPct: 50 });

test("a group steps off a fault, just so far that the red dot lies on its rim", () => {
  const [aside] = [group(100, 100)];
  stepAside([aside!], [{ x: 106, y: 108 }], 1);
  expect(Math.hypot(aside!.x - 106, aside!.y - 108)).toBeCloseTo(21);
});

test("a group without a fault on it stays, and one among many faults stays near its plants", () => {
  const [still, crowded] = [group(0, 0), group(100, 100)];
  stepAside([still, crowded], [{ x: 95, y: 100 }, { x: 75, y: 100 }, { x: 100, y: 110 }, { x: 100, y: 80 }], 1);
  expect([still.x, still.y]).toEqual([0, 0]);
  expect(Math.hypot(crowded.x - 100, crowded.y - 100)).toBeLessThanOrEqual(20.001);
});
