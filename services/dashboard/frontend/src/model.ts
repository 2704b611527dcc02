/** What the page knows: kept current by the live feed, put right by fetching anew after every interruption. */

import { AlertBook } from "./data/alerts";
import { EVENTS_URL, fetchAlerts, fetchPlants } from "./data/api";
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
/** A plant that the feed names before the site registry does must not make the page load all plants at each window. */
const UNKNOWN_PAUSE_MS = 15_000;
const MAX_PLACES_PAUSE_MS = 600_000;

/** A view out of the API's table of plants. */
export function viewOf(plants: Table, asOf: string | null, live: boolean): View {
  return { fleet: new Fleet(plants), asOf: asOf ? Date.parse(asOf) : null, live };
}

export class Model {
  readonly connection = new Signal<Connection>({ state: "connecting", heardAt: Date.now() });
  readonly view = new Signal<View>({ fleet: null, asOf: null, live: true });
  /** The alerts to show: those of now, or those of the past moment. */
  readonly alerts = new Signal(new AlertBook());
  readonly status = new Signal<Status | null>(null);
  /** Why the first load failed, while it goes on trying. */
  readonly trouble = new Signal<string | null>(null);
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
        void this.reload();
      },
      lost: () => {
        this.#connected("lost");
      },
      refused: () => {
        this.signInNeeded.value = true;
      },
    });
    await stream.run();
  }

  /** Fetches what the feed does not repeat; tries again until it succeeds or the feed breaks. */
  async reload(): Promise<void> {
    if (this.#reloading) return;
    this.#reloading = true;
    try {
      const [plants, open, resolved] = await Promise.all([
        fetchPlants(),
        fetchAlerts({ state: "open" }),
        fetchAlerts({ state: "resolved", limit: RESOLVED_LOADED }),
      ]);
      this.#live = viewOf(plants, plants.as_of, true);
      for (const table of this.#meanwhile) this.#live.fleet!.apply(table);
      this.#liveAlerts.load([...resolved.alerts, ...open.alerts], Date.now());
      this.trouble.value = null;
      this.#loadedAt = Date.now();
      this.#askForPlaces();
      // The plants first: alerts are told by their names and against their time.
      if (this.view.value.live) this.view.value = this.#live;
      this.alerts.changed();
    } catch (error) {
      this.trouble.value = (error as Error).message;
      setTimeout(() => void this.reload(), RELOAD_PAUSE_MS);
    } finally {
      this.#meanwhile = [];
      this.#reloading = false;
    }
  }

  /** End of the newest window, ms, whatever is shown; null before any data. */
  get latest(): number | null {
    return this.#live.asOf;
  }

  /** Generation by province of what is shown; worked out once for each change. */
  get totals(): Map<string, Totals> {
    const { fleet, asOf } = this.view.value;
    this.#totals ??= fleet ? totalsByRegion(fleet, asOf ?? 0) : new Map<string, Totals>();
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

  /** A plant may send readings before the site registry says where it stands: asks again, ever less often. */
  #askForPlaces(): void {
    clearTimeout(this.#placesTimer);
    if (!this.#live.fleet?.unplaced) {
      this.#placesPauseMs = UNKNOWN_PAUSE_MS;
      return;
    }
    this.#placesTimer = window.setTimeout(() => void this.reload(), this.#placesPauseMs);
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
        if ((body as Partial<Status>).services) this.status.value = body as Status;
        break;
      case "reset":
        void this.reload();
        break;
    }
  }

  #takeWindows(table: Table): void {
    if (this.#reloading) this.#meanwhile.push(table);
    const fleet = this.#live.fleet;
    if (!fleet) return;
    const { faulted, unknown, latest } = fleet.apply(table);
    this.#live.asOf = Math.max(this.#live.asOf ?? 0, latest);
    if (unknown && Date.now() - this.#loadedAt > UNKNOWN_PAUSE_MS) void this.reload();
    if (!this.view.value.live) return;
    if (faulted.length > 0) this.faulted.value = faulted;
    this.view.changed();
  }
}
