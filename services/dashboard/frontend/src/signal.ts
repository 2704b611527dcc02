/** A value that others can watch. */

export class Signal<T> {
  readonly #watchers = new Set<(value: T) => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set value(next: T) {
    this.current = next;
    this.changed();
  }

  /** Tells the watchers about a change inside the value. */
  changed(): void {
    for (const watcher of this.#watchers) watcher(this.current);
  }

  /** Calls `watcher` now and at each change, until `until` aborts. */
  watch(watcher: (value: T) => void, until?: AbortSignal): void {
    if (until?.aborted) return;
    this.#watchers.add(watcher);
    until?.addEventListener("abort", () => this.#watchers.delete(watcher));
    watcher(this.current);
  }
}
