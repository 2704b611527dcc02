import { expect, test } from "vitest";
import { reconcile } from "../src/dom";

/** As much of an element as `reconcile` touches; it counts how often it was put somewhere, which loses the focus. */
class Row {
  readonly dataset: Record<string, string> = {};
  readonly children: Row[] = [];
  parent: Row | null = null;
  moves = 0;

  get firstElementChild(): Row | null {
    return this.children[0] ?? null;
  }

  get nextElementSibling(): Row | null {
    return this.parent!.children[this.parent!.children.indexOf(this) + 1] ?? null;
  }

  insertBefore(child: Row, next: Row | null): void {
    if (child.parent) child.remove();
    this.children.splice(next ? this.children.indexOf(next) : this.children.length, 0, child);
    child.parent = this;
    child.moves++;
  }

  remove(): void {
    this.parent!.children.splice(this.parent!.children.indexOf(this), 1);
    this.parent = null;
  }
}

test("a row that stays is not touched when others before it come or go", () => {
  const list = new Row();
  const show = (...keys: string[]) => {
    reconcile(list as unknown as HTMLElement, keys, (key) => key, () => new Row() as unknown as HTMLElement, () => undefined);
    return list.children.map(({ dataset, moves }) => `${dataset["key"]}${moves}`);
  };
  expect(show("top", "a", "b")).toEqual(["top1", "a1", "b1"]);
  expect(show("a", "b")).toEqual(["a1", "b1"]);
  expect(show("new", "a", "b")).toEqual(["new1", "a1", "b1"]);
  expect(show("b", "new")).toEqual(["b2", "new1"]);
});
