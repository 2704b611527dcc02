/** The ground of the map: provinces, lightly shaded by how hard their plants work, and faint neighbours. */

import boundaries from "virtual:boundaries";
import type { Ring } from "./boundaries";
import type { Bounds, Camera, Size } from "./camera";
import type { Point } from "./projection";
import type { MapColours } from "./theme";

interface Province {
  code: string;
  path: Path2D;
  rings: Ring[];
  bounds: Bounds;
  /** Points of the province's largest ring where its name may stand, the one nearest to its middle first. */
  places: Point[];
}

function pathOf(rings: Ring[]): Path2D {
  const path = new Path2D();
  for (const ring of rings) {
    for (let at = 0; at < ring.length; at += 2) {
      if (at === 0) path.moveTo(ring[0]!, ring[1]!);
      else path.lineTo(ring[at]!, ring[at + 1]!);
    }
    path.closePath();
  }
  return path;
}

function boundsOf(ring: Ring): Bounds {
  const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let at = 0; at < ring.length; at += 2) {
    bounds.left = Math.min(bounds.left, ring[at]!);
    bounds.right = Math.max(bounds.right, ring[at]!);
    bounds.top = Math.min(bounds.top, ring[at + 1]!);
    bounds.bottom = Math.max(bounds.bottom, ring[at + 1]!);
  }
  return bounds;
}

/** Places for a name in a province's width and height. */
const PLACES_ACROSS = 14;

const PROVINCES: Province[] = boundaries.provinces.map(({ code, rings }) => {
  const largest = rings.reduce((best, ring) => (ring.length > best.length ? ring : best));
  const bounds = boundsOf(largest);
  return { code, path: pathOf(rings), rings, bounds, places: placesIn(largest, bounds) };
});
const NEIGHBOURS = pathOf(boundaries.neighbours);

/** Everything that should be seen when the map opens: the mainland and Jeju, without the far islands. */
export const KOREA: Bounds = {
  left: Math.min(...PROVINCES.map(({ bounds }) => bounds.left)),
  top: Math.min(...PROVINCES.map(({ bounds }) => bounds.top)),
  right: Math.max(...PROVINCES.map(({ bounds }) => bounds.right)),
  bottom: Math.max(...PROVINCES.map(({ bounds }) => bounds.bottom)),
};

export function provinceBounds(code: string): Bounds | null {
  return PROVINCES.find((province) => province.code === code)?.bounds ?? null;
}

/** The province at a point in map units; cities lie inside provinces and come first. */
export function provinceAt(point: Point): string | null {
  const hits = PROVINCES.filter((province) => province.rings.some((ring) => inside(ring, point)));
  hits.sort((a, b) => area(a.bounds) - area(b.bounds));
  return hits[0]?.code ?? null;
}

const area = (bounds: Bounds) => (bounds.right - bounds.left) * (bounds.bottom - bounds.top);

/** The points of a grid over the ring that lie inside it, from the middle of its bounds outward. */
function placesIn(ring: Ring, bounds: Bounds): Point[] {
  const [width, height] = [bounds.right - bounds.left, bounds.bottom - bounds.top];
  const points: Point[] = [];
  for (let row = 1; row < PLACES_ACROSS; row++) {
    for (let column = 1; column < PLACES_ACROSS; column++) {
      const point = { x: bounds.left + (width * column) / PLACES_ACROSS, y: bounds.top + (height * row) / PLACES_ACROSS };
      if (inside(ring, point)) points.push(point);
    }
  }
  const middle = { x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2 };
  const away = (point: Point) => Math.hypot(point.x - middle.x, point.y - middle.y);
  return points.sort((a, b) => away(a) - away(b));
}

/** Even-odd rule. */
function inside(ring: Ring, { x, y }: Point): boolean {
  let within = false;
  for (let at = 0, before = ring.length - 2; at < ring.length; before = at, at += 2) {
    const [x1, y1, x2, y2] = [ring[at]!, ring[at + 1]!, ring[before]!, ring[before + 1]!];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) within = !within;
  }
  return within;
}

export interface LandLook {
  colours: MapColours;
  hovered: string | null;
}

export function drawLand(context: CanvasRenderingContext2D, camera: Camera, size: Size, ratio: number, look: LandLook): void {
  const { colours, hovered } = look;
  const scale = camera.scale * ratio;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, size.width * ratio, size.height * ratio);
  context.setTransform(
    scale, 0, 0, scale,
    (size.width / 2 - camera.x * camera.scale) * ratio,
    (size.height / 2 - camera.y * camera.scale) * ratio,
  );
  context.fillStyle = colours.neighbour;
  context.fill(NEIGHBOURS);
  context.lineWidth = 1 / camera.scale;
  context.lineJoin = "round";
  context.strokeStyle = colours.landEdge;
  for (const { code, path } of PROVINCES) {
    context.fillStyle = code === hovered ? colours.landHover : colours.land;
    context.fill(path);
    context.stroke(path);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}

export interface Circle {
  x: number;
  y: number;
  radius: number;
}

/**
 * Province names, clear of the `marks` of plants and of each other, each at the first of its places that is free; one
 * that finds no room is left out. A halo in the land's colour parts a name from dots and borders under it.
 */
export function drawLabels(
  context: CanvasRenderingContext2D,
  camera: Camera,
  size: Size,
  names: Map<string, string>,
  colours: MapColours,
  marks: readonly Circle[],
): void {
  context.fillStyle = colours.label;
  context.strokeStyle = colours.land;
  context.lineWidth = 3;
  context.lineJoin = "round";
  const taken: Bounds[] = marks.map(({ x, y, radius }) => ({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius }));
  for (const { code, places, bounds } of BY_SIZE) {
    const text = names.get(code) ?? "";
    const half = context.measureText(text).width / 2 + 3;
    if (half * 2 > (bounds.right - bounds.left) * camera.scale) continue;
    for (const place of places) {
      const x = (place.x - camera.x) * camera.scale + size.width / 2;
      const y = (place.y - camera.y) * camera.scale + size.height / 2;
      const box = { left: x - half, right: x + half, top: y - 8, bottom: y + 8 };
      if (taken.some((other) => overlap(other, box))) continue;
      taken.push(box);
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
      break;
    }
  }
}

const BY_SIZE = [...PROVINCES].sort((a, b) => area(b.bounds) - area(a.bounds));

function overlap(a: Bounds, b: Bounds): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
