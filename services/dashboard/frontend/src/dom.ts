/** Building elements without a framework. Text only ever goes in as text, so nothing that is shown can be markup. */

type Attribute = string | number | boolean | null | undefined;
type Child = Node | string | null | undefined | false;

/** `h("button", { class: "quiet", onclick: close }, "Close")`; functions become listeners, `null` and `false` vanish. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Attribute | ((event: never) => void)> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element; icons are built from path data, never from markup. */
export function svg(tag: string, attributes: Record<string, Attribute>, ...children: Node[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  setAttributes(element, attributes);
  element.append(...children);
  return element;
}

function setAttributes(element: Element, attributes: Record<string, Attribute | ((event: never) => void)>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Writes text only where it differs, so that a quiet page costs no layout. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes `parent`'s children be `items`, keeping the element of every key that stays: focus, scroll and open forms
 * survive an update.
 */
export function reconcile<T, E extends HTMLElement>(
  parent: HTMLElement,
  items: readonly T[],
  keyOf: (item: T) => string,
  create: (item: T) => E,
  update: (element: E, item: T) => void,
): void {
  const known = new Map<string, E>();
  const wanted = new Set(items.map(keyOf));
  // The gone ones first: an element that moves up into their place would lose the focus.
  for (const child of [...parent.children] as E[]) {
    const key = child.dataset["key"] ?? "";
    if (wanted.has(key)) known.set(key, child);
    else child.remove();
  }
  let previous: Element | null = null;
  for (const item of items) {
    const key = keyOf(item);
    let element = known.get(key);
    if (!element) {
      element = create(item);
      element.dataset["key"] = key;
    }
    update(element, item);
    const next: Element | null = previous ? previous.nextElementSibling : parent.firstElementChild;
    if (next !== element) parent.insertBefore(element, next);
    previous = element;
  }
}
