/** Search for a plant or a province by name: a combobox by the book (WAI-ARIA 1.2). */

import { search } from "../data/api";
import { h } from "../dom";
import { icon } from "../icons";
import { t } from "../i18n";
import { regionName } from "../i18n/regions";
import { language } from "../prefs";
import { openPlant } from "../route";
import type { Signal } from "../signal";
import { reasonOf } from "./panel";

const PAUSE_MS = 120;

interface Hit {
  text: string;
  detail: string;
  open(): void;
}

export function searchBox(scope: Signal<string | null>): HTMLElement {
  const input = h("input", {
    type: "search",
    role: "combobox",
    "aria-label": t("search"),
    placeholder: t("search"),
    "aria-expanded": "false",
    "aria-controls": "search-hits",
    "aria-autocomplete": "list",
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "search",
  });
  const list = h("ul", { id: "search-hits", role: "listbox", "aria-label": t("search"), class: "search-hits", hidden: true });
  let hits: Hit[] = [];
  let active = -1;
  let timer = 0;
  let asked = new AbortController();

  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  };
  const choose = (hit: Hit | undefined) => {
    if (!hit) return;
    close();
    input.value = "";
    input.blur();
    hit.open();
  };
  const mark = (next: number) => {
    list.children[active]?.setAttribute("aria-selected", "false");
    active = next;
    const option = list.children[active];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) input.setAttribute("aria-activedescendant", option.id);
  };
  const show = (found: Hit[], none: string) => {
    hits = found;
    list.replaceChildren(
      ...(found.length === 0 ? [h("li", { class: "dim", role: "option", "aria-disabled": "true" }, none)] : found.map((hit, at) => optionOf(hit, at, choose))),
    );
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    active = -1;
    if (found.length > 0) mark(0);
  };
  const ask = async () => {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const text = input.value.trim();
    if (text === "") {
      close();
      return;
    }
    try {
      show(await findHits(text, scope, signal), t("searchNone", { text }));
    } catch (error) {
      if (!signal.aborted) show([], t("failed", { reason: reasonOf((error as Error).message) }));
    }
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = window.setTimeout(() => void ask(), PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (hits.length > 0) mark((active + (event.key === "ArrowDown" ? 1 : -1) + hits.length) % hits.length);
    } else if (event.key === "Enter") choose(hits[active]);
    else if (event.key === "Escape") close();
  });
  input.addEventListener("blur", close);
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
    if (event.key !== "/" || typing) return;
    event.preventDefault();
    input.focus();
  });
  return h("div", { class: "search", role: "search" }, icon("search"), input, h("kbd", { "aria-hidden": "true" }, "/"), list);
}

async function findHits(text: string, scope: Signal<string | null>, signal: AbortSignal): Promise<Hit[]> {
  const { plants, regions } = await search(text, signal);
  return [
    ...regions.map(({ region, name, name_ko }) => ({
      text: language() === "ko" ? name_ko : name,
      detail: t("province"),
      open: () => {
        scope.value = region;
      },
    })),
    ...plants.map(({ plant_id, name, region }) => ({ text: name || plant_id, detail: regionName(region), open: () => openPlant(plant_id) })),
  ];
}

function optionOf(hit: Hit, at: number, choose: (hit: Hit) => void): HTMLLIElement {
  const option = h("li", { role: "option", id: `search-hit-${at}`, "aria-selected": "false" }, h("span", {}, hit.text), h("span", { class: "dim" }, hit.detail));
  // Before the input's blur, which closes the list.
  option.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    choose(hit);
  });
  return option;
}
