/** On a narrow screen one view at a time, chosen at the bottom. */

import { h, setText } from "../dom";
import { formatCount } from "../format";
import { perFrame } from "../frame";
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
  const count = perFrame(() => {
    const open = model.alerts.value.list("open").length;
    setText(badge, open > 0 ? formatCount(open) : "");
    badge.hidden = open === 0;
  });
  model.alerts.watch(count);
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
