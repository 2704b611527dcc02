/** On a narrow screen one view at a time, chosen at the bottom. */

import { h, setText } from "../dom";
import { type IconName, icon } from "../icons";
import { type MessageKey, t } from "../i18n";
import type { Model } from "../model";
import { type Tab, route } from "../route";

const ENTRIES: readonly (readonly [Tab, MessageKey, IconName])[] = [
  ["map", "tabMap", "map"],
  ["generation", "tabGeneration", "chart"],
  ["alerts", "tabAlerts", "bell"],
  ["ranking", "tabRanking", "rank"],
];

export function tabs(model: Model): HTMLElement {
  const badge = h("span", { class: "badge" });
  const links = ENTRIES.map(([tab, name, picture]) => h("a", { href: `#/${tab}`, "data-tab": tab }, icon(picture), h("span", {}, t(name)), tab === "alerts" ? badge : null));
  model.alerts.watch((book) => {
    const open = book.list("open").length;
    setText(badge, open > 0 ? String(open) : "");
    badge.hidden = open === 0;
  });
  route.watch(({ tab, plant }) => {
    document.documentElement.dataset["tab"] = tab;
    document.documentElement.toggleAttribute("data-plant", plant !== null);
    for (const link of links) {
      if (link.dataset["tab"] === tab) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  });
  return h("nav", { class: "tabs", "aria-label": t("tabs") }, ...links);
}
