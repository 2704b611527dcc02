/** What the page knows: kept current by the live feed, put right by fetching anew after every interruption. */

import { AlertBook } from "./data/alerts";
import { EVENTS_URL, fetchAlerts, fetchAllAlerts, fetchPlants } from "./data/api";
import { Fleet } from "./data/fleet";
import type { Table } from "./data/table";
import { type Totals, totalsByRegion } from "./data/totals";
import type { Alert, AlertAction, Note, Photo, Status } from "./data/types";
import type { ServerEvent } from "./live/sse";
import { LiveStream } from "./live/stream";
import { Signal } from "./signal";

export interface Connection {
  state: "connecting" | "open" | "lost";
  /** When the feed last brought anything, ms on this machine's clock. */
  heardAt: number;
}

/** What the panels show: now, or a past moment. */
export interface View {
  fleet: Fleet | null;
  /** End of the window shown, ms; null before any data. */
  asOf: number | null;
  live: boolean;
}

const RELOAD_PAUSE_MS = 5_000;
const RESOLVED_LOADED = 50;
/** An alert that the sink had not stored when the page asked is found when it asks again. */
const ALERTS_PERIOD_MS = 60_000;
/** A plant that the feed names before the site registry does must not make the page load all plants at each window. */
const UNKNOWN_PAUSE_MS = 15_000;
const MAX_PLACES_PAUSE_MS = 600_000;

/** A view out of the API's table of plants, and the alerts of its moment. */
export function viewOf(plants: Table, asOf: string | null, live: boolean, alerts: AlertBook): View {
  const view = { fleet: new Fleet(plants), asOf: asOf ? Date.parse(asOf) : null, live };
  age(view, alerts);
  return view;
}

/** Lets go of what is too old to be true at the view's moment. */
function age({ fleet, asOf }: View, alerts: AlertBook): void {
  fleet?.age(asOf ?? 0);
  for (const { plant_id, onset } of alerts.silences()) if (plant_id) fleet?.silence(plant_id, Date.parse(onset));
}

export class Model {
  readonly connection = new Signal<Connection>({ state: "connecting", heardAt: Date.now() });
  readonly view = new Signal<View>({ fleet: null, asOf: null, live: true });
  /** The alerts to show: those of now, or those of the past moment. */
  readonly alerts = new Signal(new AlertBook());
  readonly status = new Signal<Status | null>(null);
  /** Why the plants could not be loaded, while it goes on trying. */
  readonly trouble = new Signal<string | null>(null);
  /** Why the alerts could not be loaded, while it goes on trying. */
  readonly alertsTrouble = new Signal<string | null>(null);
  readonly newAlert = new Signal<Alert | null>(null);
  readonly faulted = new Signal<number[]>([]);
  readonly note = new Signal<Note | null>(null);
  readonly photo = new Signal<Photo | null>(null);
  readonly signInNeeded = new Signal(false);
  #live: View = this.view.value;
  readonly #liveAlerts = this.alerts.value;
  #totals: Map<string, Totals> | null = null;
  #reloading = false;
  #loadedAt = 0;
  #placesTimer = 0;
  #placesPauseMs = UNKNOWN_PAUSE_MS;
  #alertsTimer = 0;
  #alertsAsked = new AbortController();
  /** Whether the alerts were loaded since the feed last broke; what came since is told by the feed. */
  #alertsCurrent = false;
  /** Windows that came while the plants were being fetched, which may be older. */
  #meanwhile: Table[] = [];

  constructor() {
    this.view.watch(() => {
      this.#totals = null;
    });
  }

  /** Loads everything and follows the feed, until the page goes or a sign-in is needed. */
  async start(): Promise<void> {
    const stream = new LiveStream(EVENTS_URL, {
      event: (event) => this.#take(event),
      open: () => {
        this.#connected("open");
        this.#reload();
      },
      lost: () => {
        this.#connected("lost");
        this.#stopAlerts();
      },
      refused: () => {
        this.signInNeeded.value = true;
      },
    });
    await stream.run();
  }

  /** Fetches what the feed does not repeat; plants and alerts apart, since either may be had without the other. */
  #reload(): void {
    this.#alertsCurrent = false;
    void this.#loadAlerts();
    void this.#loadPlants();
  }

  /** Tries again until it succeeds. */
  async #loadPlants(): Promise<void> {
    if (this.#reloading) return;
    this.#reloading = true;
    try {
      const plants = await fetchPlants();
      this.#live = viewOf(plants, plants.as_of, true, this.#liveAlerts);
      for (const table of this.#meanwhile) this.#apply(table, this.#live.fleet!);
      this.trouble.value = null;
      this.#loadedAt = Date.now();
      this.#askForPlaces();
      if (this.view.value.live) this.view.value = this.#live;
    } catch (error) {
      this.trouble.value = (error as Error).message;
      setTimeout(() => void this.#loadPlants(), RELOAD_PAUSE_MS);
    } finally {
      this.#meanwhile = [];
      this.#reloading = false;
    }
  }

  /** Fetches all alerts after an interruption, later the newest open ones, until the feed breaks. */
  async #loadAlerts(): Promise<void> {
    this.#stopAlerts();
    this.#alertsAsked = new AbortController();
    const { signal } = this.#alertsAsked;
    let pauseMs = ALERTS_PERIOD_MS;
    try {
      if (this.#alertsCurrent) this.#liveAlerts.add((await fetchAlerts({ state: "open" }, signal)).alerts);
      else await this.#loadAllAlerts(signal);
      this.alertsTrouble.value = null;
      this.alerts.changed();
      this.#aged();
    } catch (error) {
      if (signal.aborted) return;
      this.alertsTrouble.value = (error as Error).message;
      pauseMs = RELOAD_PAUSE_MS;
    }
    this.#alertsTimer = window.setTimeout(() => void this.#loadAlerts(), pauseMs);
  }

  async #loadAllAlerts(signal: AbortSignal): Promise<void> {
    const [open, resolved] = await Promise.all([
      fetchAllAlerts({ state: "open" }, signal),
      fetchAlerts({ state: "resolved", limit: RESOLVED_LOADED }, signal),
    ]);
    // While the sink stands still, an alert that is not stored is no alert that is over.
    this.#liveAlerts.load([...resolved.alerts, ...open], Date.now(), this.#unstored ? Infinity : undefined);
    this.#alertsCurrent = true;
  }

  #stopAlerts(): void {
    clearTimeout(this.#alertsTimer);
    this.#alertsAsked.abort();
  }

  /** Whether the sink is to blame: what the feed tells is not stored at present. */
  get #unstored(): boolean {
    return this.status.value?.service === "sink";
  }

  /** End of the newest window, ms, whatever is shown; null before any data. */
  get latest(): number | null {
    return this.#live.asOf;
  }

  /** Generation by province of what is shown; worked out once for each change. */
  get totals(): Map<string, Totals> {
    const { fleet } = this.view.value;
    this.#totals ??= fleet ? totalsByRegion(fleet) : new Map<string, Totals>();
    return this.#totals;
  }

  /** Shows a past moment instead of now; the feed goes on unseen. */
  showPast(view: View, alerts: AlertBook): void {
    this.view.value = view;
    this.alerts.value = alerts;
  }

  showLive(): void {
    this.view.value = this.#live;
    this.alerts.value = this.#liveAlerts;
  }

  /** Takes in stored alerts beside those of now, whatever moment is shown. */
  addAlerts(alerts: Alert[]): void {
    this.#liveAlerts.add(alerts);
    this.alerts.changed();
  }

  /** A plant may send readings before the site registry says where it stands: asks again, ever less often. */
  #askForPlaces(): void {
    clearTimeout(this.#placesTimer);
    if (!this.#live.fleet?.unplaced) {
      this.#placesPauseMs = UNKNOWN_PAUSE_MS;
      return;
    }
    this.#placesTimer = window.setTimeout(() => void this.#loadPlants(), this.#placesPauseMs);
    this.#placesPauseMs = Math.min(this.#placesPauseMs * 2, MAX_PLACES_PAUSE_MS);
  }

  #connected(state: Connection["state"]): void {
    const { heardAt } = this.connection.value;
    this.connection.value = { state, heardAt: state === "open" ? Date.now() : heardAt };
  }

  #take(event: ServerEvent): void {
    this.connection.value.heardAt = Date.now();
    const body: unknown = event.data ? JSON.parse(event.data) : null;
    switch (event.type) {
      case "windows":
        this.#takeWindows(body as Table);
        break;
      case "alert":
        if (this.#liveAlerts.put(body as Alert, Date.now())) this.newAlert.value = body as Alert;
        this.alerts.changed();
        if ((body as Alert).rule === "silence") this.#aged();
        break;
      case "action":
        this.#liveAlerts.act(body as AlertAction, Date.now());
        this.alerts.changed();
        break;
      case "note":
        this.note.value = body as Note;
        break;
      case "photo":
        this.photo.value = body as Photo;
        break;
      case "heartbeat":
        // The first one of a connection says no more than that it is there.
        if ((body as Partial<Status>).services) this.#takeStatus(body as Status);
        break;
      case "reset":
        this.#reload();
        break;
    }
  }

  #takeStatus(status: Status): void {
    const unstored = this.#unstored;
    this.status.value = status;
    if (unstored && !this.#unstored) void this.#loadAlerts();
  }

  /** Takes windows into the live fleet, whose time moves on with them. */
  #apply(table: Table, fleet: Fleet): { faulted: number[]; unknown: boolean } {
    const { latest, ...news } = fleet.apply(table);
    this.#live.asOf = Math.max(this.#live.asOf ?? 0, latest) || null;
    age(this.#live, this.#liveAlerts);
    return news;
  }

  /** After word of silence. */
  #aged(): void {
    age(this.#live, this.#liveAlerts);
    if (this.view.value.live) this.view.changed();
  }

  #takeWindows(table: Table): void {
    if (this.#reloading) this.#meanwhile.push(table);
    const fleet = this.#live.fleet;
    if (!fleet) return;
    const { faulted, unknown } = this.#apply(table, fleet);
    if (unknown && Date.now() - this.#loadedAt > UNKNOWN_PAUSE_MS) void this.#loadPlants();
    if (!this.view.value.live) return;
    if (faulted.length > 0) this.faulted.value = faulted;
    this.view.changed();
  }
}
