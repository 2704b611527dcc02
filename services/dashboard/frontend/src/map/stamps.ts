/**
 * Draws thousands of dots by writing their pixels: twenty thousand take a few milliseconds on any machine, where
 * as many `arc` calls would take the whole frame when no GPU helps.
 */

/** A dot's coverage, 0–255, in a square of `size` device pixels. */
export interface Stamp {
  size: number;
  coverage: Uint8Array;
}

/** A disc of `radius` device pixels with an antialiased edge; with `hole`, a ring. */
export function discStamp(radius: number, hole = 0): Stamp {
  const size = Math.ceil(radius * 2) + 2;
  const middle = size / 2;
  const coverage = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const distance = Math.hypot(x + 0.5 - middle, y + 0.5 - middle);
      const outer = Math.min(1, Math.max(0, radius + 0.5 - distance));
      const inner = hole > 0 ? Math.min(1, Math.max(0, distance - hole + 0.5)) : 1;
      coverage[y * size + x] = Math.round(255 * Math.min(outer, inner));
    }
  }
  return { size, coverage };
}

/** Pixels of a canvas as 0xAABBGGRR, cleared and filled anew each time the map changes. */
export class StampBuffer {
  readonly image: ImageData;
  readonly #pixels: Uint32Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.image = new ImageData(width, height);
    this.#pixels = new Uint32Array(this.image.data.buffer);
  }

  clear(): void {
    this.#pixels.fill(0);
  }

  /** Puts a stamp with its middle at (x, y); `colour` is 0x00BBGGRR. Where stamps overlap the denser pixel wins. */
  put(stamp: Stamp, x: number, y: number, colour: number): void {
    const { size, coverage } = stamp;
    const left = Math.round(x - size / 2);
    const top = Math.round(y - size / 2);
    if (left < 0 || top < 0 || left + size > this.width || top + size > this.height) return;
    const pixels = this.#pixels;
    for (let row = 0; row < size; row++) {
      let target = (top + row) * this.width + left;
      const from = row * size;
      for (let column = 0; column < size; column++, target++) {
        const alpha = coverage[from + column]!;
        if (alpha !== 0 && alpha >= pixels[target]! >>> 24) pixels[target] = ((alpha << 24) | colour) >>> 0;
      }
    }
  }
}

/** `#rrggbb` as 0x00BBGGRR, the order in which a little-endian machine keeps a pixel. */
export function packColour(hex: string): number {
  const value = Number.parseInt(hex.slice(1), 16);
  return ((value & 0xff) << 16) | (value & 0xff00) | (value >>> 16);
}
