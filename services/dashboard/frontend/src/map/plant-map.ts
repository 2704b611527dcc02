/** The national map: three canvases (land, plants, what is pointed at) drawn only when something has changed. */

import { FAULT, type Fleet } from "../data/fleet";
import { h } from "../dom";
import { perFrame } from "../frame";
import { type Camera, type Size, between, closeUp, fit, pan, toMap, toScreen, zoomAround } from "./camera";
import { Clusters } from "./clusters";
import { listen } from "./gestures";
import { KOREA, drawLabels, drawLand, provinceAt, provinceBounds } from "./land";
import { type Group, type Mark, dotRadius, drawFault, drawGroup, faultRadius, groupPlants, stampDots, stepAside } from "./marks";
import type { Point } from "./projection";
import { StampBuffer } from "./stamps";
import { type MapColours, readMapColours } from "./theme";

export interface MapEvents {
  openPlant(plantId: string): void;
  /** What the pointer is on, to be told in the tooltip; null when on nothing. */
  describe(mark: { plant: number } | { group: Group } | null, at: Point): void;
}

/** Groups are wide over the whole country and dissolve as the view nears the ground. */
const groupRadiusPx = (scale: number): number => Math.max(8, 38 - 9 * Math.max(0, Math.log2(scale)));
const FLIGHT_MS = 500;
const MARGIN_PX = 16;
/** What the legend and the bar of time cover at the map's head and foot, px. */
const COVERED = { head: 0, foot: 60 };
const COVERED_NARROW = { head: 50, foot: 86 };
const NARROW_PX = 560;
const PULSE_MS = 2400;
/** Canvases beyond twice the CSS size cost more than the eye gains. */
const MAX_RATIO = 2;

export class PlantMap {
  readonly #land: CanvasRenderingContext2D;
  readonly #marks: CanvasRenderingContext2D;
  readonly #over: CanvasRenderingContext2D;
  /** Whoever asks for less motion gets jumps for flights and no pulses. */
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #colours: MapColours;
  readonly #font = getComputedStyle(document.body).fontFamily;
  #size: Size = { width: 1, height: 1 };
  #ratio = 1;
  #buffer: StampBuffer | null = null;
  #camera: Camera = { x: 0, y: 0, scale: 1 };
  #touched = false;
  #flight: { from: Camera; to: Camera; start: number } | null = null;
  #fleet: Fleet | null = null;
  #clusters: Clusters | null = null;
  #grouping = true;
  #labels = new Map<string, string>();
  #hovered: Mark | null = null;
  #hoveredRegion: string | null = null;
  #selected = -1;
  /** The selected plant that was flown to: a new list of plants does not pull the viewer back to it. */
  #visited: string | null = null;
  #groups: Group[] = [];
  #single: number[] = [];
  readonly #pulses = new Map<number, number>();
  #stale = { land: true, marks: true };
  readonly #draw = perFrame(() => this.#frame());

  constructor(
    readonly element: HTMLElement,
    readonly events: MapEvents,
  ) {
    const contexts = ["land", "marks", "over"].map((layer) => {
      const canvas = h("canvas", { class: `map-${layer}`, "aria-hidden": "true" });
      element.append(canvas);
      return canvas.getContext("2d")!;
    });
    [this.#land, this.#marks, this.#over] = contexts as [CanvasRenderingContext2D, CanvasRenderingContext2D, CanvasRenderingContext2D];
    this.#colours = readMapColours();
    listen(element, {
      pan: (dx, dy) => this.#move(pan(this.#camera, dx, dy)),
      zoom: (anchor, factor) => this.#move(zoomAround(this.#camera, this.#size, anchor, factor)),
      hover: (point) => this.#hover(point),
      press: (point) => this.#press(point),
      key: (key) => (key === "home" ? this.home() : this.zoomBy(key === "in" ? 1.6 : 1 / 1.6)),
    });
    new ResizeObserver(() => this.#resize()).observe(element);
    this.#resize();
  }

  setFleet(fleet: Fleet): void {
    this.#fleet = fleet;
    this.#clusters = new Clusters(fleet.x, fleet.y, groupRadiusPx);
    this.#selected = -1;
    this.#hovered = null;
    this.redrawPlants();
  }

  /** Draws the plants' new states at the next frame; `faulted` plants ring out once to draw the eye. */
  redrawPlants(faulted: number[] = []): void {
    if (!this.#calm.matches) for (const plant of faulted) this.#pulses.set(plant, performance.now());
    this.#stale.marks = true;
    this.#draw();
  }

  redrawAll(): void {
    this.#colours = readMapColours();
    this.#stale.land = true;
    this.redrawPlants();
  }

  setLabels(labels: Map<string, string>): void {
    this.#labels = labels;
    this.redrawPlants();
  }

  setGrouping(grouping: boolean): void {
    this.#grouping = grouping;
    this.redrawPlants();
  }

  highlightRegion(code: string | null): void {
    if (code === this.#hoveredRegion) return;
    this.#hoveredRegion = code;
    this.#stale.land = true;
    this.#draw();
  }

  /** Marks a plant and brings it into view, once and if it has a place; null marks none. */
  select(plantId: string | null): void {
    this.#selected = plantId === null ? -1 : (this.#fleet?.indexOf(plantId) ?? -1);
    if (plantId !== this.#visited) {
      const close = this.#selected < 0 ? null : closeUp(this.#camera, this.#placeOf(this.#selected));
      if (close) this.#fly(close);
      this.#visited = close ? plantId : null;
    }
    this.redrawPlants();
  }

  home(): void {
    this.#fly(this.#homeCamera());
    this.#touched = false;
  }

  zoomBy(factor: number): void {
    this.#fly(zoomAround(this.#camera, this.#size, { x: this.#size.width / 2, y: this.#size.height / 2 }, factor));
  }

  showRegion(code: string): void {
    const bounds = provinceBounds(code);
    if (bounds) this.#fly(fit(bounds, this.#size, 40));
  }

  #homeCamera(): Camera {
    const { head, foot } = this.#size.width < NARROW_PX ? COVERED_NARROW : COVERED;
    const camera = fit(KOREA, { ...this.#size, height: Math.max(80, this.#size.height - head - foot) }, MARGIN_PX);
    return { ...camera, y: camera.y + (foot - head) / 2 / camera.scale };
  }

  #resize(): void {
    this.#ratio = Math.min(MAX_RATIO, devicePixelRatio || 1);
    this.#size = { width: Math.max(1, this.element.clientWidth), height: Math.max(1, this.element.clientHeight) };
    const width = Math.round(this.#size.width * this.#ratio);
    const height = Math.round(this.#size.height * this.#ratio);
    for (const { canvas } of [this.#land, this.#marks, this.#over]) {
      canvas.width = width;
      canvas.height = height;
    }
    this.#buffer = new StampBuffer(width, height);
    if (!this.#touched) this.#camera = this.#homeCamera();
    this.#stale = { land: true, marks: true };
    this.#draw();
  }

  #move(camera: Camera): void {
    this.#touched = true;
    this.#flight = null;
    this.#show(camera);
  }

  #show(camera: Camera): void {
    this.#camera = camera;
    this.#stale = { land: true, marks: true };
    this.#draw();
  }

  #fly(to: Camera): void {
    this.#touched = true;
    if (this.#calm.matches) {
      this.#show(to);
      return;
    }
    this.#flight = { from: this.#camera, to, start: performance.now() };
    this.#draw();
  }

  #frame(): void {
    const now = performance.now();
    if (this.#flight) {
      const share = Math.min(1, (now - this.#flight.start) / FLIGHT_MS);
      this.#camera = between(this.#flight.from, this.#flight.to, share);
      this.#stale = { land: true, marks: true };
      if (share === 1) this.#flight = null;
    }
    if (this.#stale.land) this.#drawLand();
    if (this.#stale.marks) this.#drawMarks();
    this.#stale = { land: false, marks: false };
    this.#drawOver(now);
    if (this.#flight || this.#pulses.size > 0) this.#draw();
  }

  #drawLand(): void {
    drawLand(this.#land, this.#camera, this.#size, this.#ratio, { colours: this.#colours, hovered: this.#hoveredRegion });
  }

  #drawMarks(): void {
    const fleet = this.#fleet;
    if (!fleet || !this.#buffer) return;
    this.#single = [];
    const level = this.#grouping ? this.#clusters!.at(this.#camera.scale) : null;
    this.#groups = groupPlants(fleet, level, this.#selected, this.#camera, this.#size, this.#single);
    const faults = this.#single.filter((plant) => fleet.state[plant] === FAULT).map((plant) => this.#screenOf(plant));
    stepAside(this.#groups, faults, 1);
    stampDots(this.#buffer, fleet, this.#single, this.#camera, this.#size, this.#ratio, this.#colours);
    const context = this.#marks;
    context.putImageData(this.#buffer.image, 0, 0);
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.font = `600 10.5px ${this.#font}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const group of this.#groups) drawGroup(context, group, this.#colours);
    context.font = `500 11px ${this.#font}`;
    const red = faults.map((at) => ({ ...at, radius: faultRadius(this.#camera.scale) }));
    drawLabels(context, this.#camera, this.#size, this.#labels, this.#colours, [...this.#groups, ...red]);
    for (const { x, y } of faults) drawFault(context, x, y, this.#camera.scale, this.#colours);
  }

  #placeOf(plant: number): Point {
    return { x: this.#fleet!.x[plant]!, y: this.#fleet!.y[plant]! };
  }

  #screenOf(plant: number): Point {
    return toScreen(this.#camera, this.#size, this.#placeOf(plant));
  }

  #drawOver(now: number): void {
    const context = this.#over;
    context.setTransform(this.#ratio, 0, 0, this.#ratio, 0, 0);
    context.clearRect(0, 0, this.#size.width, this.#size.height);
    if (!this.#fleet) return;
    for (const [plant, start] of this.#pulses) {
      const share = (now - start) / PULSE_MS;
      if (share >= 1) this.#pulses.delete(plant);
      else this.#ring(this.#screenOf(plant), 6 + 26 * ((share * 2) % 1), this.#colours.states[FAULT]!, 1 - ((share * 2) % 1), 2);
    }
    if (this.#hovered) this.#ring(this.#hovered, this.#hovered.radius + 3, this.#colours.selection, 0.7, 1.5);
    if (this.#selected >= 0) {
      this.#ring(this.#screenOf(this.#selected), dotRadius(this.#camera.scale) + 5, this.#colours.selection, 1, 2);
    }
  }

  #ring(at: Point, radius: number, colour: string, alpha: number, width: number): void {
    const context = this.#over;
    context.globalAlpha = Math.max(0, alpha);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.arc(at.x, at.y, radius, 0, Math.PI * 2);
    context.stroke();
    context.globalAlpha = 1;
  }

  /** The mark under a point; plants at fault win over groups, groups over dots. */
  #find(point: Point): Mark | null {
    const reach = Math.max(10, dotRadius(this.#camera.scale) + 5);
    const plant = this.#nearestPlant(point, reach);
    if (plant >= 0 && (this.#fleet!.state[plant] === FAULT || !this.#groupAt(point))) {
      return { ...this.#screenOf(plant), radius: dotRadius(this.#camera.scale), plant, cluster: -1 };
    }
    const group = this.#groupAt(point);
    return group ? { x: group.x, y: group.y, radius: group.radius, plant: -1, cluster: group.cluster } : null;
  }

  #nearestPlant(point: Point, reach: number): number {
    let nearest = -1;
    let best = reach;
    for (const plant of this.#single) {
      const { x, y } = this.#screenOf(plant);
      const distance = Math.hypot(x - point.x, y - point.y) - (this.#fleet!.state[plant] === FAULT ? 3 : 0);
      if (distance < best) {
        best = distance;
        nearest = plant;
      }
    }
    return nearest;
  }

  #groupAt(point: Point): Group | undefined {
    return this.#groups.find((group) => Math.hypot(group.x - point.x, group.y - point.y) <= group.radius + 3);
  }

  #hover(point: Point | null): void {
    this.#hovered = point && this.#fleet ? this.#find(point) : null;
    const group = this.#hovered ? this.#groups.find(({ cluster }) => cluster === this.#hovered!.cluster) : undefined;
    const mark = this.#hovered && this.#hovered.plant >= 0 ? { plant: this.#hovered.plant } : group ? { group } : null;
    this.events.describe(mark, this.#hovered ?? { x: 0, y: 0 });
    this.element.dataset["pointing"] = mark ? "mark" : "ground";
    this.highlightRegion(point ? provinceAt(toMap(this.#camera, this.#size, point)) : null);
    this.#draw();
  }

  #press(point: Point): void {
    const mark = this.#fleet ? this.#find(point) : null;
    if (!mark) return;
    if (mark.plant >= 0) this.events.openPlant(this.#fleet!.ids[mark.plant]!);
    else {
      const level = this.#clusters!.at(this.#camera.scale);
      const bounds = this.#clusters!.boundsOf(level, mark.cluster);
      this.#fly(fit(bounds, this.#size, 80, this.#camera.scale * 6));
    }
  }
}
