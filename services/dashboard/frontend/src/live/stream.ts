/**
 * The live feed. It reads server-sent events by `fetch` rather than `EventSource`, which gives up for good on the
 * first 502 of a restarting server and cannot tell a silent connection from a quiet one.
 */

import { EventParser, type ServerEvent } from "./sse";

export interface StreamEvents {
  event(event: ServerEvent): void;
  /** The feed is open; `resumed` when it goes on after the last event seen. */
  open(resumed: boolean): void;
  /** The feed broke and the next try comes in `retryMs`. */
  lost(retryMs: number): void;
  /** The server wants a sign-in first. */
  refused(): void;
}

/** The server sends a heartbeat at least this often, or the connection counts as dead. */
const SILENCE_MS = 15_000;
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 5_000;

export class LiveStream {
  #lastId = "";
  #failures = 0;

  constructor(
    readonly url: string,
    readonly events: StreamEvents,
  ) {}

  /** Connects, and connects again whenever the feed ends, until it is refused. */
  async run(): Promise<void> {
    for (;;) {
      if (await this.#connect()) return;
      const retryMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures) * (0.5 + Math.random() / 2);
      this.#failures++;
      this.events.lost(retryMs);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  /** Reads the feed to its end; true when it was refused. */
  async #connect(): Promise<boolean> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (this.#lastId) headers["last-event-id"] = this.#lastId;
      const response = await fetch(this.url, { headers, cache: "no-store", signal: silence.signal });
      if (response.status === 401 || response.status === 403) {
        this.events.refused();
        return true;
      }
      if (!response.ok || !response.body) return false;
      this.events.open(this.#lastId !== "");
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return false;
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE_MS);
        this.#failures = 0;
        for (const event of parser.feed(value)) {
          if (event.id) this.#lastId = event.id;
          this.events.event(event);
        }
      }
    } catch (error) {
      // A broken or silent connection is what the next try is for. Anything else is our own bug: it is told, and the
      // feed goes on after the event that met it, since a page that says it is live must be.
      if (!(error instanceof TypeError || (error as Error).name === "AbortError")) console.error(error);
      return false;
    } finally {
      clearTimeout(timer);
      silence.abort();
    }
  }
}
