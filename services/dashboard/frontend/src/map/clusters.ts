/** Groups plants that would crowd each other at a zoom level. Positions never change, so a level is built once. */

import type { Bounds } from "./camera";

export interface ClusterLevel {
  /** Cluster of each plant, -1 for one without a place. */
  of: Int32Array;
  /** Middle of each cluster's plants, map units. */
  x: Float64Array;
  y: Float64Array;
  count: number;
}

/**
 * Greedy clustering: the first plant without a cluster takes every free plant within `radius` map units.
 * A grid of `radius`-sized cells keeps the search to nine cells.
 */
export function buildLevel(xs: Float64Array, ys: Float64Array, radius: number): ClusterLevel {
  const cells = new Map<number, number[]>();
  const cellOf = (x: number, y: number) => Math.floor(x / radius) * 1_000_003 + Math.floor(y / radius);
  for (let plant = 0; plant < xs.length; plant++) {
    // A plant without a place is in no group.
    if (Number.isNaN(xs[plant]!)) continue;
    const key = cellOf(xs[plant]!, ys[plant]!);
    const cell = cells.get(key);
    if (cell) cell.push(plant);
    else cells.set(key, [plant]);
  }
  const of = new Int32Array(xs.length).fill(-1);
  const middleX: number[] = [];
  const middleY: number[] = [];
  for (let plant = 0; plant < xs.length; plant++) {
    if (of[plant] !== -1 || Number.isNaN(xs[plant]!)) continue;
    const members = takeAround(plant, xs, ys, radius, of, cells, cellOf);
    const cluster = middleX.length;
    let sumX = 0;
    let sumY = 0;
    for (const member of members) {
      of[member] = cluster;
      sumX += xs[member]!;
      sumY += ys[member]!;
    }
    middleX.push(sumX / members.length);
    middleY.push(sumY / members.length);
  }
  return { of, x: Float64Array.from(middleX), y: Float64Array.from(middleY), count: middleX.length };
}

function takeAround(
  seed: number,
  xs: Float64Array,
  ys: Float64Array,
  radius: number,
  of: Int32Array,
  cells: Map<number, number[]>,
  cellOf: (x: number, y: number) => number,
): number[] {
  const x = xs[seed]!;
  const y = ys[seed]!;
  const members: number[] = [];
  for (let dx = -1; dx <= 1; dx++) {
    for (let dy = -1; dy <= 1; dy++) {
      for (const plant of cells.get(cellOf(x + dx * radius, y + dy * radius)) ?? []) {
        if (of[plant] === -1 && Math.hypot(xs[plant]! - x, ys[plant]! - y) <= radius) members.push(plant);
      }
    }
  }
  return members;
}

/** Levels by zoom, built when first looked at; level n serves scales from 2^(n/2) pixels per map unit up. */
export class Clusters {
  readonly #xs: Float64Array;
  readonly #ys: Float64Array;
  readonly #levels = new Map<number, ClusterLevel>();

  constructor(
    xs: Float64Array,
    ys: Float64Array,
    /** How near two plants may be on the screen before they are grouped, px, at `scale` px per map unit. */
    readonly radiusPx: (scale: number) => number,
  ) {
    this.#xs = xs;
    this.#ys = ys;
  }

  at(scale: number): ClusterLevel {
    const level = Math.round(Math.log2(scale) * 2);
    let built = this.#levels.get(level);
    if (!built) {
      const levelScale = 2 ** (level / 2);
      built = buildLevel(this.#xs, this.#ys, this.radiusPx(levelScale) / levelScale);
      this.#levels.set(level, built);
    }
    return built;
  }

  /** The smallest box around a cluster's plants, map units. */
  boundsOf(level: ClusterLevel, cluster: number): Bounds {
    const bounds = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
    for (let plant = 0; plant < level.of.length; plant++) {
      if (level.of[plant] !== cluster) continue;
      bounds.left = Math.min(bounds.left, this.#xs[plant]!);
      bounds.right = Math.max(bounds.right, this.#xs[plant]!);
      bounds.top = Math.min(bounds.top, this.#ys[plant]!);
      bounds.bottom = Math.max(bounds.bottom, this.#ys[plant]!);
    }
    return bounds;
  }
}
