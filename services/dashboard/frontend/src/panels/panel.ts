/** The frame that panels share, and the small controls in their heads. */

import { h } from "../dom";
import { NOTHING } from "../format";
import { type IconName, icon } from "../icons";
import { t } from "../i18n";

export interface Panel {
  element: HTMLElement;
  head: HTMLElement;
  body: HTMLElement;
}

export function panel(id: string, title: string, ...controls: Node[]): Panel {
  const heading = h("h2", { id: `${id}-title` }, title);
  const head = h("div", { class: "panel-head" }, heading, ...controls);
  const body = h("div", { class: "panel-body" });
  return { element: h("section", { class: `panel panel-${id}`, id, tabindex: -1, "aria-labelledby": `${id}-title` }, head, body), head, body };
}

export interface Choice<T extends string> {
  element: HTMLElement;
  choose(value: T): void;
}

/** A few exclusive choices in a row; tells `chosen` when the viewer takes another. */
export function choice<T extends string>(label: string, options: readonly (readonly [T, string])[], initial: T, chosen: (value: T) => void): Choice<T> {
  const buttons = options.map(([value, text]) => {
    const button = h("button", { type: "button", "aria-pressed": value === initial }, text);
    button.setAttribute("aria-pressed", String(value === initial));
    button.addEventListener("click", () => {
      press(value);
      chosen(value);
    });
    return { value, button };
  });
  const press = (value: T) => {
    for (const other of buttons) other.button.setAttribute("aria-pressed", String(other.value === value));
  };
  return { element: h("div", { class: "choice", role: "group", "aria-label": label }, ...buttons.map(({ button }) => button)), choose: press };
}

export function iconButton(name: IconName, label: string, onClick: () => void, kind = "icon-button"): HTMLButtonElement {
  return h("button", { type: "button", class: kind, "aria-label": label, title: label, onclick: onClick }, icon(name));
}

export interface Fact {
  element: HTMLElement;
  value: HTMLElement;
}

/** A figure under its name, for a list of facts. */
export function fact(label: string): Fact {
  const value = h("dd", {}, NOTHING);
  return { element: h("div", {}, h("dt", {}, label), value), value };
}

/** An error's message in the viewer's language where it is one of the page's own; the server's words otherwise. */
export const reasonOf = (message: string): string => (message === "unreachable" || message === "timeout" ? t(message) : message);

/** Says what went wrong, with a way on. */
export function failure(error: unknown, retry: () => void, what: "failed" | "signInFailed" = "failed"): HTMLElement {
  return h("div", { class: "failure", role: "status" }, h("p", {}, t(what, { reason: reasonOf((error as Error).message) })), h("button", { type: "button", class: "quiet", onclick: retry }, t("retry")));
}

export const emptiness = (text: string, hint?: string): HTMLElement =>
  h("div", { class: "emptiness" }, h("p", {}, text), hint ? h("p", { class: "dim" }, hint) : null);
