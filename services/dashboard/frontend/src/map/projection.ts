/** Web Mercator in the map's own units: small numbers around the middle of Korea, y growing to the south. */

export interface Point {
  x: number;
  y: number;
}

/** Map units around the whole equator; one unit is about 610 m there and 490 m in Korea. */
export const WORLD_UNITS = 65_536;

const ORIGIN = mercator(36.2, 127.8);

function mercator(latitude: number, longitude: number): Point {
  const sine = Math.sin((latitude * Math.PI) / 180);
  return {
    x: (longitude / 360 + 0.5) * WORLD_UNITS,
    y: (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * WORLD_UNITS,
  };
}

/** Degrees (WGS 84) to map units. */
export function projectToMap(latitude: number, longitude: number): Point {
  const { x, y } = mercator(latitude, longitude);
  return { x: x - ORIGIN.x, y: y - ORIGIN.y };
}
