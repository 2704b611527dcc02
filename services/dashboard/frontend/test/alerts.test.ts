import { expect, test, vi } from "vitest";
import { AlertBook, asOfThen, statusOf } from "../src/data/alerts";
import type { Alert, AlertAction } from "../src/data/types";

const NOW = 1_000_000;

function alert(id: string, more: Partial<Alert> = {}): Alert {
  return {
    alert_id: id,
    rule: "trip",
    severity: "critical",
    state: "open",
    region: "KR-46",
    plant_id: "p",
    onset: "2026-06-21T03:00:00Z",
    updated_at: "2026-06-21T03:00:20Z",
    resolved_at: null,
    expected_kw: 90,
    actual_kw: 0,
    plants: 1,
    message: "No power",
    ...more,
  };
}

const acknowledged: AlertAction = { action_id: "1", alert_id: "a", action: "acknowledge", by: "Kim", note: "", at: "2026-06-21T03:05:00Z" };

test("an action counts once, even before its alert", () => {
  const book = new AlertBook();
  book.act(acknowledged, NOW);
  expect(book.put(alert("a"), NOW)).toBe(true);
  book.act(acknowledged, NOW);
  expect(book.put(alert("a"), NOW)).toBe(false);
  expect(book.list("acknowledged").map(({ actions }) => actions)).toEqual([[acknowledged]]);
});

test("what the feed told just now outlives a list that was stored before it", () => {
  const book = new AlertBook();
  book.put(alert("a"), NOW);
  book.load([], NOW + 5_000);
  expect(book.list("open")).toHaveLength(1);
  book.load([], NOW + 120_000);
  expect(book.list("open")).toHaveLength(0);
});

test("a stored alert never takes the place of something newer that the feed told", () => {
  const over = alert("a", { state: "resolved", updated_at: "2026-06-21T04:00:00Z" });
  const stored = alert("a", { status: "open", actions: [acknowledged] });
  const loaded = new AlertBook();
  loaded.put(over, NOW);
  loaded.load([stored], NOW + 1_000);
  const added = new AlertBook();
  added.put(over, NOW);
  added.add([stored]);
  for (const book of [loaded, added]) expect(book.list("resolved").map(({ actions }) => actions)).toEqual([[acknowledged]]);
});

test("a stored alert that is newer than what is known takes its place", () => {
  const book = new AlertBook();
  book.put(alert("a"), NOW);
  book.add([alert("a", { status: "resolved", updated_at: "2026-06-21T04:00:00Z" }), alert("b")]);
  expect(book.list("resolved")).toHaveLength(1);
  expect(book.list("open").map(({ alert_id }) => alert_id)).toEqual(["b"]);
});

test("while nothing is stored, what the feed told outlives any list", () => {
  const book = new AlertBook();
  book.put(alert("a"), NOW);
  book.load([], NOW + 600_000, Infinity);
  expect(book.list("open")).toHaveLength(1);
});

test("an empty book says that there are no alerts only once all were loaded", () => {
  const book = new AlertBook();
  expect(book.loaded).toBe(false);
  book.add([alert("a")]);
  expect(book.loaded).toBe(false);
  book.load([], NOW);
  expect(book.loaded).toBe(true);
});

test("an older state of an alert never overwrites a newer one", () => {
  const book = new AlertBook();
  book.put(alert("a", { state: "resolved", updated_at: "2026-06-21T04:00:00Z" }), NOW);
  book.put(alert("a"), NOW);
  expect(book.list("resolved")).toHaveLength(1);
});

test("the end is the last word, even when it is dated before the beginning", () => {
  const book = new AlertBook();
  book.put(alert("a"), NOW);
  book.put(alert("a", { state: "resolved", updated_at: "2026-06-21T02:00:00Z" }), NOW);
  expect(book.list("open")).toHaveLength(0);
});

test("an end that late readings undid is not the last word", () => {
  const states = [
    alert("a"),
    alert("a", { state: "resolved", updated_at: "2026-06-21T04:00:00Z" }),
    alert("a", { reopened: true, updated_at: "2026-06-21T04:00:00Z" }),
  ];
  for (const order of [states, [...states].reverse()]) {
    const book = new AlertBook();
    for (const state of order) book.put(state, NOW);
    expect(book.list("open")).toHaveLength(1);
    book.put(alert("a", { state: "resolved", reopened: true, updated_at: "2026-06-21T04:00:10Z" }), NOW);
    expect(book.list("open")).toHaveLength(0);
  }
});

test("open alerts come by severity, then the latest first", () => {
  const book = new AlertBook();
  book.put(alert("old", { onset: "2026-06-21T01:00:00Z" }), NOW);
  book.put(alert("mild", { severity: "info", onset: "2026-06-21T05:00:00Z" }), NOW);
  book.put(alert("new"), NOW);
  expect(book.list("open").map(({ alert_id }) => alert_id)).toEqual(["new", "old", "mild"]);
});

test("in the past, what came later has not happened", () => {
  const over = alert("a", { status: "resolved", resolved_at: "2026-06-21T04:00:00Z", actions: [acknowledged] });
  expect(statusOf(asOfThen(over, "2026-06-21T03:01:00Z"))).toBe("open");
  expect(statusOf(asOfThen(over, "2026-06-21T03:30:00Z"))).toBe("acknowledged");
  expect(statusOf(asOfThen(over, "2026-06-21T05:00:00Z"))).toBe("resolved");
});

test("resolved alerts of months are let go, open ones are kept", () => {
  const book = new AlertBook();
  book.put(alert("open"), NOW);
  for (let at = 0; at < 5_000; at++) book.put(alert(`over-${at}`, { state: "resolved", plant_id: "q", updated_at: new Date(1e12 + at * 1000).toISOString() }), NOW);
  expect(book.list("open")).toHaveLength(1);
  expect(book.list("resolved")[0]?.alert_id).toBe("over-4999");
  expect(book.ofPlant("q").length).toBeLessThanOrEqual(2_000);
});

test("thousands of open alerts are taken in without going through all of them for each", () => {
  const book = new AlertBook();
  const listed = vi.spyOn(book, "list");
  for (let at = 0; at < 10_000; at++) book.put(alert(`open-${at}`), NOW);
  expect(listed.mock.calls.length).toBeLessThan(10);
  expect(book.list("open")).toHaveLength(10_000);
});
