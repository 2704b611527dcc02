/** The plants on the map: dots, and rings for groups that would crowd. A fault is never hidden in a group. */

import { FAULT, NIGHT, NO_DATA, OK, WARNING, type Fleet } from "../data/fleet";
import type { Camera, Size } from "./camera";
import type { ClusterLevel } from "./clusters";
import type { Point } from "./projection";
import { type Stamp, type StampBuffer, discStamp } from "./stamps";
import type { MapColours } from "./theme";

/** Something on the screen that can be pointed at, CSS pixels. */
export interface Mark {
  x: number;
  y: number;
  radius: number;
  /** A single plant, or -1. */
  plant: number;
  /** A group of plants, or -1. */
  cluster: number;
}

export interface Group {
  cluster: number;
  x: number;
  y: number;
  radius: number;
  /** Plants by state code, without those at fault. */
  counts: number[];
  total: number;
  /** Mean utilisation of its plants in percent; 0 where none is known. */
  utilisationPct: number;
}

const STATE_COUNT = 5;
/** Later states are drawn over earlier ones; faults come last of all, by `drawFault`. */
const PAINT_ORDER = [NIGHT, NO_DATA, OK, WARNING];
/** A group under this size is drawn as its plants. */
const SMALLEST_GROUP = 3;

export function dotRadius(scale: number): number {
  return Math.min(6, Math.max(2, 1.6 + Math.log2(scale + 1) * 0.9));
}

function groupRadius(total: number): number {
  return Math.min(26, 7 + Math.log2(total) * 1.9);
}

interface Stamps {
  ratio: number;
  radius: number;
  plain: Stamp;
  hollow: Stamp;
}

let stamps: Stamps | null = null;

/** Stamps for a dot size, made again only when it changes. */
function stampsFor(radius: number, ratio: number): Stamps {
  const rounded = Math.round(radius * ratio * 4) / 4;
  if (!stamps || stamps.radius !== rounded || stamps.ratio !== ratio) {
    stamps = {
      ratio,
      radius: rounded,
      plain: discStamp(rounded),
      hollow: discStamp(rounded, Math.max(0.8, rounded - 1.2 * ratio)),
    };
  }
  return stamps;
}

/** Sorts the plants in view into groups and single dots, and returns the groups. Dots go to `single`. */
export function groupPlants(fleet: Fleet, level: ClusterLevel | null, selected: number, camera: Camera, size: Size, single: number[]): Group[] {
  const inView = viewTest(camera, size);
  if (!level) {
    for (let plant = 0; plant < fleet.size; plant++) {
      if (inView(fleet.x[plant]!, fleet.y[plant]!)) single.push(plant);
    }
    return [];
  }
  const counts = new Int32Array(level.count * STATE_COUNT);
  const utilisation = new Float64Array(level.count);
  for (let plant = 0; plant < fleet.size; plant++) {
    const cluster = level.of[plant]!;
    if (cluster < 0) continue;
    counts[cluster * STATE_COUNT + fleet.state[plant]!]!++;
    utilisation[cluster]! += fleet.utilisationPct[plant]! || 0;
  }
  const grouped = new Uint8Array(level.count);
  const groups: Group[] = [];
  for (let cluster = 0; cluster < level.count; cluster++) {
    const group = groupOf(cluster, counts, level, camera, size);
    group.utilisationPct = utilisation[cluster]! / Math.max(1, group.total);
    if (group.total < SMALLEST_GROUP) continue;
    grouped[cluster] = 1;
    if (inView(level.x[cluster]!, level.y[cluster]!)) groups.push(group);
  }
  for (let plant = 0; plant < fleet.size; plant++) {
    if (level.of[plant]! < 0) continue;
    const hidden = grouped[level.of[plant]!] === 1 && fleet.state[plant] !== FAULT && plant !== selected;
    if (!hidden && inView(fleet.x[plant]!, fleet.y[plant]!)) single.push(plant);
  }
  return groups;
}

function groupOf(cluster: number, counts: Int32Array, level: ClusterLevel, camera: Camera, size: Size): Group {
  const own = Array.from(counts.subarray(cluster * STATE_COUNT, (cluster + 1) * STATE_COUNT));
  own[FAULT] = 0;
  const total = own.reduce((sum, count) => sum + count, 0);
  return {
    cluster,
    x: (level.x[cluster]! - camera.x) * camera.scale + size.width / 2,
    y: (level.y[cluster]! - camera.y) * camera.scale + size.height / 2,
    radius: groupRadius(Math.max(1, total)),
    counts: own,
    total,
    utilisationPct: 0,
  };
}

/**
 * Moves groups off the faults that lie on them, so that a red dot touches a group's rim and never its number.
 * `faults` are points on the screen, `room` px is kept between a fault and the rim's inner side.
 */
export function stepAside(groups: readonly Group[], faults: readonly Point[], room: number): void {
  for (const group of groups) {
    const { x, y } = group;
    for (const fault of faults) {
      const [dx, dy] = [group.x - fault.x, group.y - fault.y];
      const distance = Math.hypot(dx, dy);
      const short = group.radius + room - distance;
      if (short <= 0) continue;
      // A fault in the very middle has no side to step to: upward is as good as any.
      const [ux, uy] = distance > 0.5 ? [dx / distance, dy / distance] : [0, -1];
      group.x += ux * short;
      group.y += uy * short;
    }
    // Among many faults there is no free place: the group stays near its plants.
    const moved = Math.hypot(group.x - x, group.y - y);
    const share = Math.min(1, group.radius / Math.max(moved, 1e-9));
    group.x = x + (group.x - x) * share;
    group.y = y + (group.y - y) * share;
  }
}

function viewTest(camera: Camera, size: Size): (x: number, y: number) => boolean {
  const halfWidth = size.width / 2 / camera.scale + 30 / camera.scale;
  const halfHeight = size.height / 2 / camera.scale + 30 / camera.scale;
  return (x, y) => Math.abs(x - camera.x) < halfWidth && Math.abs(y - camera.y) < halfHeight;
}

/** Writes the pixels of the single plants that are not at fault. */
export function stampDots(
  buffer: StampBuffer,
  fleet: Fleet,
  single: number[],
  camera: Camera,
  size: Size,
  ratio: number,
  colours: MapColours,
): void {
  buffer.clear();
  const dots = stampsFor(dotRadius(camera.scale), ratio);
  for (const code of PAINT_ORDER) {
    const stamp = code === NO_DATA ? dots.hollow : dots.plain;
    const colour = colours.packedStates[code]!;
    for (const plant of single) {
      if (fleet.state[plant] !== code) continue;
      const x = ((fleet.x[plant]! - camera.x) * camera.scale + size.width / 2) * ratio;
      const y = ((fleet.y[plant]! - camera.y) * camera.scale + size.height / 2) * ratio;
      buffer.put(stamp, x, y, colour);
    }
  }
}

const count = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/**
 * A disc that is the brighter the harder its plants work, the number of plants in it, and around it a ring with
 * the share of plants in each state.
 */
export function drawGroup(context: CanvasRenderingContext2D, group: Group, colours: MapColours): void {
  const { x, y, radius } = group;
  disc(context, x, y, radius, colours.surface, 0.9);
  disc(context, x, y, radius, colours.states[OK]!, 0.05 + 0.5 * Math.min(1, Math.max(0, group.utilisationPct / 100)));
  context.lineWidth = 1.75;
  let from = -Math.PI / 2;
  for (const code of PAINT_ORDER) {
    const share = (group.counts[code]! / group.total) * Math.PI * 2;
    if (share === 0) continue;
    context.beginPath();
    context.arc(x, y, radius, from, from + share);
    context.strokeStyle = colours.states[code]!;
    context.stroke();
    from += share;
  }
  context.fillStyle = colours.text;
  context.fillText(count.format(group.total), x, y + 0.5);
}

function disc(context: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string, alpha: number): void {
  context.globalAlpha = alpha;
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, Math.PI * 2);
  context.fill();
  context.globalAlpha = 1;
}

export function faultRadius(scale: number): number {
  return Math.max(4, dotRadius(scale) + 1.5);
}

/** A fault: a red dot that stands out from whatever lies around it. */
export function drawFault(context: CanvasRenderingContext2D, x: number, y: number, scale: number, colours: MapColours): void {
  const radius = faultRadius(scale);
  disc(context, x, y, radius * 2.1, colours.states[FAULT]!, 0.22);
  disc(context, x, y, radius + 1.2, colours.surface, 1);
  disc(context, x, y, radius, colours.states[FAULT]!, 1);
}
