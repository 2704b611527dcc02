import { expect, test } from "vitest";
import { closeUp, fit, toMap, toScreen, zoomAround } from "../src/map/camera";
import { projectToMap } from "../src/map/projection";

const size = { width: 800, height: 600 };

test("a zoom leaves the point under the pointer where it is", () => {
  const camera = { x: 10, y: -20, scale: 2 };
  const anchor = { x: 123, y: 456 };
  const before = toMap(camera, size, anchor);
  const after = toScreen(zoomAround(camera, size, anchor, 1.7), size, before);
  expect(after.x).toBeCloseTo(anchor.x, 9);
  expect(after.y).toBeCloseTo(anchor.y, 9);
});

test("bounds that are fitted are in view with their margin", () => {
  const camera = fit({ left: -100, top: -50, right: 300, bottom: 200 }, size, 20);
  const corner = toScreen(camera, size, { x: -100, y: -50 });
  const other = toScreen(camera, size, { x: 300, y: 200 });
  expect(Math.min(corner.x, size.width - other.x)).toBeGreaterThanOrEqual(20 - 1e-9);
  expect(Math.min(corner.y, size.height - other.y)).toBeGreaterThanOrEqual(20 - 1e-9);
});

test("a plant without a place moves no camera, one with a place comes into the middle and no further away", () => {
  expect(closeUp({ x: 0, y: 0, scale: 2 }, projectToMap(Number.NaN, Number.NaN))).toBeNull();
  expect(closeUp({ x: 0, y: 0, scale: 2 }, { x: 3, y: 4 })).toEqual({ x: 3, y: 4, scale: 5 });
  expect(closeUp({ x: 0, y: 0, scale: 9 }, { x: 3, y: 4 })).toEqual({ x: 3, y: 4, scale: 9 });
});

test("north is up and east is right", () => {
  const seoul = projectToMap(37.5665, 126.978);
  const busan = projectToMap(35.1796, 129.0756);
  expect(busan.x).toBeGreaterThan(seoul.x);
  expect(busan.y).toBeGreaterThan(seoul.y);
});
