/** Pointer, wheel and keys on the map, turned into moves of the camera. One finger pans, two pinch. */

import type { Point } from "./projection";

export interface GestureTarget {
  pan(dx: number, dy: number): void;
  zoom(anchor: Point, factor: number): void;
  hover(point: Point | null): void;
  press(point: Point): void;
  key(key: "in" | "out" | "home"): void;
}

/** A press that moves further than this is a drag, px. */
const PRESS_SLACK = 5;
const KEY_STEP = 80;

export function listen(element: HTMLElement, target: GestureTarget): void {
  const pointers = new Map<number, Point>();
  let travelled = 0;
  const local = (event: MouseEvent): Point => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  element.addEventListener("pointerdown", (event) => {
    if (event.target !== element && (event.target as Element).closest("button")) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, local(event));
    travelled = pointers.size > 1 ? Infinity : 0;
  });
  element.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    const now = local(event);
    if (!before) {
      target.hover(now);
      return;
    }
    if (pointers.size === 2) pinch(pointers, event.pointerId, now, target);
    else target.pan(now.x - before.x, now.y - before.y);
    travelled += Math.hypot(now.x - before.x, now.y - before.y);
    pointers.set(event.pointerId, now);
  });
  const release = (event: PointerEvent) => {
    if (!pointers.delete(event.pointerId)) return;
    if (event.type === "pointerup" && travelled < PRESS_SLACK) target.press(local(event));
  };
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", release);
  element.addEventListener("pointerleave", () => target.hover(null));
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 20 : event.deltaY;
      target.zoom(local(event), Math.exp(-pixels * 0.0018));
    },
    { passive: false },
  );
  element.addEventListener("dblclick", (event) => target.zoom(local(event), 2));
  element.addEventListener("keydown", (event) => {
    if (handleKey(event.key, target)) event.preventDefault();
  });
}

function pinch(pointers: Map<number, Point>, moved: number, now: Point, target: GestureTarget): void {
  const before = pointers.get(moved)!;
  const [, fixed] = [...pointers].find(([id]) => id !== moved)!;
  const spanBefore = Math.hypot(before.x - fixed.x, before.y - fixed.y);
  const spanNow = Math.hypot(now.x - fixed.x, now.y - fixed.y);
  if (spanBefore > 0 && spanNow > 0) target.zoom({ x: (now.x + fixed.x) / 2, y: (now.y + fixed.y) / 2 }, spanNow / spanBefore);
  target.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
}

function handleKey(key: string, target: GestureTarget): boolean {
  switch (key) {
    case "ArrowLeft":
      target.pan(KEY_STEP, 0);
      return true;
    case "ArrowRight":
      target.pan(-KEY_STEP, 0);
      return true;
    case "ArrowUp":
      target.pan(0, KEY_STEP);
      return true;
    case "ArrowDown":
      target.pan(0, -KEY_STEP);
      return true;
    case "+":
    case "=":
      target.key("in");
      return true;
    case "-":
      target.key("out");
      return true;
    case "0":
    case "Home":
      target.key("home");
      return true;
    default:
      return false;
  }
}
