/** Colours of the canvases, read from the style sheet so that they are written down once. */

import { STATES, type PlantState } from "../data/fleet";
import { packColour } from "./stamps";

export interface MapColours {
  land: string;
  landHover: string;
  landEdge: string;
  neighbour: string;
  label: string;
  text: string;
  surface: string;
  selection: string;
  /** By state code. */
  states: string[];
  packedStates: number[];
}

export function readMapColours(): MapColours {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const states = STATES.map((state: PlantState) => colour(`--state-${state}`));
  return {
    land: colour("--land"),
    landHover: colour("--land-hover"),
    landEdge: colour("--land-edge"),
    neighbour: colour("--land-neighbour"),
    label: colour("--map-label"),
    text: colour("--text"),
    surface: colour("--surface"),
    selection: colour("--text"),
    states,
    packedStates: states.map(packColour),
  };
}
