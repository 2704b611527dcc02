/** Puts the page together. */

import { redrawCharts } from "./charts/line";
import { fetchSession } from "./data/api";
import type { Session } from "./data/types";
import { h } from "./dom";
import { t, tData } from "./i18n";
import { Model } from "./model";
import { alertsPanel, subjectOf } from "./panels/alerts";
import { banner } from "./panels/banner";
import { header } from "./panels/header";
import { mapPanel } from "./panels/map";
import { nationPanel } from "./panels/nation";
import { failure } from "./panels/panel";
import { plantPanel } from "./panels/plant";
import { rankingPanel } from "./panels/ranking";
import { regionsPanel } from "./panels/regions";
import { searchBox } from "./panels/search";
import { signInPage } from "./panels/signin";
import { soundSwitch } from "./panels/sound";
import { tabs } from "./panels/tabs";
import { language, theme } from "./prefs";
import { Signal } from "./signal";

const SESSION_RETRY_MS = 3_000;

const app = document.getElementById("app")!;
document.documentElement.lang = language();
document.documentElement.dataset["theme"] = theme();
document.title = t("title");

let retry = 0;
let asking = false;

async function start(): Promise<void> {
  clearTimeout(retry);
  // One page, however often the viewer asks again.
  if (asking) return;
  asking = true;
  let session: Session;
  try {
    session = await fetchSession();
  } catch (error) {
    app.replaceChildren(h("main", { class: "sign-in" }, failure(error, () => void start())));
    retry = window.setTimeout(() => void start(), SESSION_RETRY_MS);
    return;
  } finally {
    asking = false;
  }
  const locked = (session.mode === "password" || session.mode === "entra") && session.user === null;
  if (locked) app.replaceChildren(signInPage(session, () => void start()));
  else show(session);
}

function show(session: Session): void {
  const model = new Model();
  const scope = new Signal<string | null>(null);
  const actor = { canAct: session.can_act, user: session.user };
  const { element: mapElement, map } = mapPanel(model, scope);
  const themeChanged = () => {
    map.redrawAll();
    redrawCharts();
  };
  const spoken = h("div", { class: "visually-hidden", "aria-live": "assertive" });
  model.newAlert.watch((alert) => {
    if (alert) spoken.textContent = t("alertNew", { message: `${tData("rule-", alert.rule)}, ${subjectOf(alert, model)}` });
  });
  app.replaceChildren(
    header({ model, session, search: searchBox(scope), sound: soundSwitch(model), themeChanged }),
    banner(model),
    h(
      "main",
      { class: "board" },
      h("div", { class: "column column-left" }, nationPanel(model, scope), regionsPanel(model, scope, (code) => map.highlightRegion(code))),
      mapElement,
      h("div", { class: "column column-right" }, alertsPanel(model, actor), rankingPanel(model, scope), plantPanel(model, actor)),
    ),
    tabs(model),
    spoken,
  );
  model.signInNeeded.watch((needed) => {
    if (needed) location.reload();
  });
  // Canvases were drawn in whatever font was there; the page's own comes a moment later.
  void document.fonts.ready.then(themeChanged);
  void model.start();
}

void start();
