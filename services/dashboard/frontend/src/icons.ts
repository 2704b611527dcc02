/** The page's icons: strokes on a 20-pixel square, in the colour of the text around them. */

import { svg } from "./dom";

const PATHS = {
  search: "M9 3.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11M13.2 13.2L17 17",
  sun: "M10 6.6a3.4 3.4 0 1 1 0 6.8a3.4 3.4 0 0 1 0-6.8M10 1.8v1.8M10 16.4v1.8M1.8 10h1.8M16.4 10h1.8M4.2 4.2l1.3 1.3M14.5 14.5l1.3 1.3M4.2 15.8l1.3-1.3M14.5 5.5l1.3-1.3",
  moon: "M16.5 11.8A7 7 0 1 1 8.2 3.5a5.6 5.6 0 0 0 8.3 8.3z",
  soundOn: "M3 7.8v4.4h3l4 3.3V4.5l-4 3.3zM13 7.3a3.8 3.8 0 0 1 0 5.4M15.2 5a7 7 0 0 1 0 10",
  soundOff: "M3 7.8v4.4h3l4 3.3V4.5l-4 3.3zM13.2 8l4 4M17.2 8l-4 4",
  plus: "M10 4.5v11M4.5 10h11",
  minus: "M4.5 10h11",
  home: "M3.5 7.5v-4h4M16.5 7.5v-4h-4M3.5 12.5v4h4M16.5 12.5v4h-4",
  group: "M10 3.2a6.8 6.8 0 1 1 0 13.6a6.8 6.8 0 0 1 0-13.6M7.4 8.4h.01M12.6 8.4h.01M10 12.4h.01",
  close: "M5 5l10 10M15 5L5 15",
  back: "M12 4.5L6.5 10l5.5 5.5",
  forward: "M8 4.5l5.5 5.5L8 15.5",
  map: "M2.8 5.2l4.8-2l4.8 2l4.8-2v11.6l-4.8 2l-4.8-2l-4.8 2zM7.6 3.2v11.6M12.4 5.2v11.6",
  chart: "M3 3v14h14M5.8 13l3.2-4.2l3 2.4L16.5 5",
  bell: "M10 2.8a4.7 4.7 0 0 1 4.7 4.7c0 4.2 1.6 5.6 1.6 5.6H3.7s1.6-1.4 1.6-5.6A4.7 4.7 0 0 1 10 2.8M8.3 15.8a1.8 1.8 0 0 0 3.4 0",
  rank: "M3.5 4.5h13M3.5 10h9M3.5 15.5h5",
  download: "M10 3v9.5M6 8.8l4 4l4-4M3.5 16.5h13",
  user: "M10 3.4a3.3 3.3 0 1 1 0 6.6a3.3 3.3 0 0 1 0-6.6M3.6 17a6.4 6.4 0 0 1 12.8 0",
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): SVGElement {
  return svg("svg", { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
}
