/** Every plant's latest state, column by column: twenty thousand plants in typed arrays rather than objects. */

import { projectToMap } from "../map/projection";
import { type Picker, type Table, orNull, picker, toNumber, toText } from "./table";

export const STATES = ["ok", "warning", "fault", "night", "no-data"] as const;
export type PlantState = (typeof STATES)[number];

export const OK = 0;
export const WARNING = 1;
export const FAULT = 2;
export const NIGHT = 3;
export const NO_DATA = 4;

/**
 * A plant's last window counts this long, as the server's power does at most (ADR 0304): sources that report each
 * quarter of an hour may tell some minutes late. After that nobody knows what the plant does. The analyzer knows each
 * plant's interval: where it says that one is silent, its figures count no longer.
 */
export const SILENT_AFTER_MS = 3_600_000;

/** One plant as a panel shows it. Powers in kW, shares in percent; null where nothing is known. */
export interface Plant {
  id: string;
  name: string;
  region: string;
  capacityKw: number;
  state: PlantState;
  utilisationPct: number | null;
  generationKw: number | null;
  expectedKw: number | null;
}

export class Fleet {
  readonly size: number;
  readonly ids: string[];
  readonly names: string[];
  readonly regions: string[];
  /** Map units. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly capacityKw: Float64Array;
  readonly state: Uint8Array;
  readonly utilisationPct: Float64Array;
  readonly generationKw: Float64Array;
  readonly expectedKw: Float64Array;
  /** End of the plant's latest window, ms since the epoch. */
  readonly windowEnd: Float64Array;
  /** Plants whose place is not known (yet); they are on no map. */
  readonly unplaced: number;
  readonly #indexOf = new Map<string, number>();

  constructor(table: Table) {
    const rows = table.rows;
    this.size = rows.length;
    const texts = (column: string) => rows.map(compose(picker(table, column), toText));
    const numbers = (column: string) => Float64Array.from(rows, compose(picker(table, column), toNumber));
    this.ids = texts("plant_id");
    this.names = texts("name");
    this.regions = texts("region");
    this.capacityKw = numbers("capacity_kw");
    this.utilisationPct = numbers("utilisation_pct");
    this.generationKw = numbers("generation_kw");
    this.expectedKw = numbers("expected_kw");
    this.state = Uint8Array.from(rows, compose(picker(table, "state"), codeOfState));
    this.windowEnd = Float64Array.from(rows, compose(picker(table, "window_end"), toMilliseconds));
    const latitudes = numbers("latitude");
    const longitudes = numbers("longitude");
    this.x = new Float64Array(this.size);
    this.y = new Float64Array(this.size);
    let unplaced = 0;
    for (let plant = 0; plant < this.size; plant++) {
      // A plant without a place gets NaN, which no view holds.
      const point = projectToMap(latitudes[plant]!, longitudes[plant]!);
      this.x[plant] = point.x;
      this.y[plant] = point.y;
      if (Number.isNaN(point.x)) unplaced++;
      this.#indexOf.set(this.ids[plant]!, plant);
    }
    this.unplaced = unplaced;
  }

  indexOf(plantId: string): number | undefined {
    return this.#indexOf.get(plantId);
  }

  /**
   * Takes in new windows, never an older one over a newer. Returns the plants that turned to fault, the end of the
   * latest window (ms) and whether the table names a plant that is not known here, which calls for the whole list.
   */
  apply(table: Table): { faulted: number[]; unknown: boolean; latest: number } {
    const id = picker(table, "plant_id");
    const end = picker(table, "window_end");
    const state = picker(table, "state");
    const utilisation = picker(table, "utilisation_pct");
    const generation = picker(table, "generation_kw");
    const expected = picker(table, "expected_kw");
    const faulted: number[] = [];
    let unknown = false;
    let latest = 0;
    for (const row of table.rows) {
      const plant = this.#indexOf.get(toText(id(row)));
      if (plant === undefined) {
        unknown = true;
        continue;
      }
      const windowEnd = toMilliseconds(end(row));
      latest = Math.max(latest, windowEnd);
      if (windowEnd < this.windowEnd[plant]!) continue;
      const code = codeOfState(state(row));
      if (code === FAULT && this.state[plant] !== FAULT) faulted.push(plant);
      this.windowEnd[plant] = windowEnd;
      this.state[plant] = code;
      this.utilisationPct[plant] = toNumber(utilisation(row));
      this.generationKw[plant] = toNumber(generation(row));
      this.expectedKw[plant] = toNumber(expected(row));
    }
    return { faulted, unknown, latest };
  }

  /**
   * Lets go of what is too old to be true at `asOf` (ms): a silent plant's figures, and its state but for a fault,
   * which stands until the plant tells that it is over.
   */
  age(asOf: number): void {
    for (let plant = 0; plant < this.size; plant++) {
      if (asOf - this.windowEnd[plant]! > SILENT_AFTER_MS) this.#letGo(plant);
    }
  }

  /** Lets go of a plant's figures where no window of it came since it was found silent (ms), however soon that was. */
  silence(plantId: string, foundAt: number): void {
    const plant = this.#indexOf.get(plantId);
    if (plant !== undefined && this.windowEnd[plant]! <= foundAt) this.#letGo(plant);
  }

  #letGo(plant: number): void {
    if (this.state[plant] !== FAULT) this.state[plant] = NO_DATA;
    this.utilisationPct[plant] = this.generationKw[plant] = this.expectedKw[plant] = Number.NaN;
  }

  plant(index: number): Plant {
    return {
      id: this.ids[index]!,
      name: this.names[index]! || this.ids[index]!,
      region: this.regions[index]!,
      capacityKw: this.capacityKw[index]!,
      state: STATES[this.state[index]!]!,
      utilisationPct: orNull(this.utilisationPct[index]!),
      generationKw: orNull(this.generationKw[index]!),
      expectedKw: orNull(this.expectedKw[index]!),
    };
  }

  /** How many plants are in each state, in the order of `STATES`. */
  countStates(): number[] {
    const counts = STATES.map(() => 0);
    for (const code of this.state) counts[code]!++;
    return counts;
  }

  /** The `limit` plants of the highest or lowest utilisation among those in daylight, of one region or of all. */
  rank(order: "highest" | "lowest", limit: number, region: string | null = null): number[] {
    const sign = order === "highest" ? 1 : -1;
    const value = (plant: number) => sign * this.utilisationPct[plant]!;
    // One pass that keeps the best so far in order: sorting all plants at every window would cost a frame.
    const best: number[] = [];
    for (let plant = 0; plant < this.size; plant++) {
      const dark = this.state[plant] === NIGHT || this.state[plant] === NO_DATA || Number.isNaN(this.utilisationPct[plant]!);
      if (dark || (region !== null && this.regions[plant] !== region)) continue;
      if (best.length === limit && value(plant) <= value(best[limit - 1]!)) continue;
      const at = best.findIndex((other) => value(plant) > value(other));
      best.splice(at < 0 ? best.length : at, 0, plant);
      if (best.length > limit) best.pop();
    }
    return best;
  }
}

function compose<T>(pick: Picker, convert: (value: unknown) => T): (row: unknown[]) => T {
  return (row) => convert(pick(row));
}

function codeOfState(value: unknown): number {
  const code = STATES.indexOf(value as PlantState);
  return code < 0 ? NO_DATA : code;
}

/** ISO text or ms to ms; no time is the beginning of time, so that any window is newer. */
function toMilliseconds(value: unknown): number {
  if (typeof value === "number") return value;
  const parsed = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(parsed) ? 0 : parsed;
}
