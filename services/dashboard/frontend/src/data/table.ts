/** Rows under named columns, as the API sends everything of which there may be many. */

export interface Table {
  columns: string[];
  rows: unknown[][];
}

export type Picker = (row: unknown[]) => unknown;

/** Finds a column by name; a column that is not sent reads as null. */
export function picker(table: Table, column: string): Picker {
  const at = table.columns.indexOf(column);
  return at < 0 ? () => null : (row) => row[at] ?? null;
}

/** The figures of a column, row by row. */
export function column(table: Table, name: string): (number | null)[] {
  const pick = picker(table, name);
  return table.rows.map((row) => pick(row) as number | null);
}

export const toNumber = (value: unknown): number => (typeof value === "number" ? value : Number.NaN);
export const toText = (value: unknown): string => (typeof value === "string" ? value : "");
export const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);
