/** Where the map looks: the point in the middle of the screen and how many pixels a map unit takes. */

import type { Point } from "./projection";

export interface Camera {
  /** Map units at the middle of the view. */
  x: number;
  y: number;
  /** CSS pixels per map unit. */
  scale: number;
}

export interface Size {
  width: number;
  height: number;
}

export interface Bounds {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const MIN_SCALE = 0.25;
export const MAX_SCALE = 60;

/** What the view may not leave, so that nobody gets lost at sea. */
const WORLD: Bounds = { left: -700, top: -800, right: 800, bottom: 900 };

export function toScreen(camera: Camera, size: Size, point: Point): Point {
  return {
    x: (point.x - camera.x) * camera.scale + size.width / 2,
    y: (point.y - camera.y) * camera.scale + size.height / 2,
  };
}

export function toMap(camera: Camera, size: Size, point: Point): Point {
  return {
    x: (point.x - size.width / 2) / camera.scale + camera.x,
    y: (point.y - size.height / 2) / camera.scale + camera.y,
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

export function clampCamera(camera: Camera): Camera {
  return {
    x: clamp(camera.x, WORLD.left, WORLD.right),
    y: clamp(camera.y, WORLD.top, WORLD.bottom),
    scale: clamp(camera.scale, MIN_SCALE, MAX_SCALE),
  };
}

/** Plants stand apart at this scale. */
const CLOSE_SCALE = 5;

/** The view with `point` in its middle, no further off than it is; null where the point is nowhere. */
export function closeUp(camera: Camera, point: Point): Camera | null {
  if (!Number.isFinite(point.x) || !Number.isFinite(point.y)) return null;
  return { ...point, scale: Math.max(camera.scale, CLOSE_SCALE) };
}

export function pan(camera: Camera, dx: number, dy: number): Camera {
  return clampCamera({ ...camera, x: camera.x - dx / camera.scale, y: camera.y - dy / camera.scale });
}

/** Zooms by `factor` with the map under the screen point `anchor` staying where it is. */
export function zoomAround(camera: Camera, size: Size, anchor: Point, factor: number): Camera {
  const fixed = toMap(camera, size, anchor);
  const scale = clamp(camera.scale * factor, MIN_SCALE, MAX_SCALE);
  return clampCamera({
    x: fixed.x - (anchor.x - size.width / 2) / scale,
    y: fixed.y - (anchor.y - size.height / 2) / scale,
    scale,
  });
}

/** The camera that shows `bounds` whole, with `margin` pixels around. */
export function fit(bounds: Bounds, size: Size, margin: number, maxScale = MAX_SCALE): Camera {
  const width = Math.max(1e-6, bounds.right - bounds.left);
  const height = Math.max(1e-6, bounds.bottom - bounds.top);
  const scale = Math.min((size.width - 2 * margin) / width, (size.height - 2 * margin) / height, maxScale);
  return clampCamera({ x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2, scale });
}

/** Between two cameras, 0 ≤ share ≤ 1; the zoom moves by equal factors, which the eye takes for steady. */
export function between(from: Camera, to: Camera, share: number): Camera {
  const eased = 1 - (1 - share) ** 3;
  return {
    x: from.x + (to.x - from.x) * eased,
    y: from.y + (to.y - from.y) * eased,
    scale: from.scale * (to.scale / from.scale) ** eased,
  };
}
