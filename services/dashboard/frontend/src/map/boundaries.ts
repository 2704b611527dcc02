/** A closed ring in map units, flat: x0, y0, x1, y1, … */
export type Ring = number[];

export interface Outline {
  /** ISO 3166-2 code of the province. */
  code: string;
  rings: Ring[];
}

export interface Boundaries {
  provinces: Outline[];
  /** Land around Korea, drawn faintly for orientation. */
  neighbours: Ring[];
}
