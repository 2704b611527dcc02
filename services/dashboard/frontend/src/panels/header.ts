/** The top of the page: what this is, whether it is live, search, and the viewer's switches. */

import { signOut } from "../data/api";
import type { Session } from "../data/types";
import { h, setText } from "../dom";
import { formatClock, formatDay } from "../format";
import { icon } from "../icons";
import { t } from "../i18n";
import type { Model } from "../model";
import { language, remember, theme } from "../prefs";
import { iconButton } from "./panel";

export interface HeaderParts {
  model: Model;
  session: Session;
  search: HTMLElement;
  sound: HTMLElement;
  themeChanged: () => void;
}

export function header({ model, session, search, sound, themeChanged }: HeaderParts): HTMLElement {
  const brand = h("div", { class: "brand" }, h("img", { src: new URL("../heliograph.svg", import.meta.url).href, alt: "", width: 26, height: 26 }), h("h1", {}, t("title")));
  return h("header", { class: "top" }, skipLink(), brand, liveness(model), search, h("div", { class: "switches" }, sound, languageSwitch(), themeSwitch(themeChanged), ...account(session)));
}

/** The first stop of the Tab key: past the figures and the map to what may need a hand. */
function skipLink(): HTMLElement {
  const link = h("a", { class: "skip", href: "#/alerts" }, t("skip"));
  link.addEventListener("click", () => {
    // After the view has changed: on a phone the alerts are hidden until then.
    requestAnimationFrame(() => document.getElementById("alerts")?.focus());
  });
  return link;
}

function liveness(model: Model): HTMLElement {
  const word = h("span", { class: "live-word" });
  const day = h("span", { class: "live-day" });
  const time = h("span", { class: "live-time" });
  const element = h("div", { class: "liveness" }, h("span", { class: "live-dot", "aria-hidden": "true" }), word, day, time);
  const draw = () => {
    const { asOf, live } = model.view.value;
    // An open connection that brings nothing new is not live; that nothing is stored does not matter here.
    const { stale, service } = model.status.value ?? {};
    const quiet = stale && service !== "sink";
    const state = !live ? "past" : model.connection.value.state !== "open" ? "connecting" : quiet ? "quiet" : "live";
    element.dataset["state"] = state;
    setText(word, t(state));
    setText(day, asOf === null ? "" : formatDay(asOf));
    setText(time, asOf === null ? t("noData") : `${formatClock(asOf)} KST`);
  };
  model.view.watch(draw);
  model.connection.watch(draw);
  model.status.watch(draw);
  return element;
}

function languageSwitch(): HTMLElement {
  const button = h("button", { type: "button", class: "quiet language", lang: language() === "ko" ? "en" : "ko" }, t("languageOther"));
  button.addEventListener("click", () => {
    remember("language", language() === "ko" ? "en" : "ko");
    location.reload();
  });
  return button;
}

function themeSwitch(changed: () => void): HTMLElement {
  const button = iconButton("sun", "", () => {
    remember("theme", theme() === "dark" ? "light" : "dark");
    show();
    changed();
  });
  const show = () => {
    document.documentElement.dataset["theme"] = theme();
    const label = t(theme() === "dark" ? "themeToLight" : "themeToDark");
    button.replaceChildren(icon(theme() === "dark" ? "sun" : "moon"));
    button.setAttribute("aria-label", label);
    button.title = label;
  };
  show();
  return button;
}

function account(session: Session): HTMLElement[] {
  if (session.mode === "public") return [h("span", { class: "dim account" }, t("readOnly"))];
  if (!session.user) return [];
  const leave = h("button", { type: "button", class: "quiet" }, t("signOut"));
  leave.addEventListener("click", () => {
    void signOut().finally(() => location.reload());
  });
  return [h("span", { class: "dim account" }, session.user), ...(session.mode === "password" ? [leave] : [])];
}
