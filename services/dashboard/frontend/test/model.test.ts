import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Model } from "../src/model";

const END = "2026-06-21T03:00:00Z";
const PLANTS = {
  as_of: END,
  columns: ["plant_id", "state", "generation_kw", "window_end"],
  rows: [
    ["a", "ok", 50, END],
    ["b", "ok", 50, "2026-06-21T02:59:50Z"],
  ],
};
const LATER = { columns: PLANTS.columns, rows: [["a", "ok", 40, "2026-06-21T04:00:00Z"]] };

/** The server: what it answers to `/alerts`, and its feed. */
let stored: (path: string) => Response;
let feed: ReadableStreamDefaultController<Uint8Array>;
let refused = false;

const alerts = (...ids: string[]) => Response.json({ alerts: ids.map((alert_id) => ({ alert_id, status: "open", severity: "critical", onset: END, updated_at: END })) });
const tell = (event: string, data: unknown) => feed.enqueue(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
const status = (service: string | null) => tell("heartbeat", { stale: service !== null, service, services: {} });

function answer(path: string): Response {
  if (path.includes("/plants")) return Response.json(PLANTS);
  if (path.includes("/alerts")) return stored(path);
  if (refused) return new Response(null, { status: 401 });
  return new Response(new ReadableStream({ start: (controller) => void (feed = controller) }));
}

/** Lets `ms` pass, and whatever that sets off come to its end. */
async function pass(ms = 0): Promise<void> {
  vi.advanceTimersByTime(ms);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** As `/alerts` answers: the newest first, and no more than are asked for, 500 unless told. */
const atMost = (path: string, all: { onset: string }[]) => Response.json({ alerts: all.slice(0, Number(new URL(path, "http://x").searchParams.get("limit") ?? 500)) });

const open = (model: Model) => model.alerts.value.list("open").map(({ alert_id }) => alert_id);

let model: Model;
let running: Promise<void>;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("window", globalThis);
  vi.stubGlobal("fetch", async (path: string) => answer(path));
  stored = () => alerts();
  refused = false;
  model = new Model();
});

afterEach(async () => {
  refused = true;
  feed.close();
  await pass();
  await pass(1_000);
  await running;
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("plants are shown while alerts cannot be had, and until they were, an empty list says nothing", async () => {
  stored = () => Response.json({ detail: "down" }, { status: 503 });
  running = model.start();
  await pass();
  expect(model.view.value.fleet?.size).toBe(2);
  expect([model.trouble.value, model.alertsTrouble.value, model.alerts.value.loaded]).toEqual([null, "down", false]);
  stored = () => alerts("a");
  await pass(5_000);
  expect([model.alertsTrouble.value, model.alerts.value.loaded, open(model)]).toEqual([null, true, ["a"]]);
});

test("an alert that is stored after the page asked is found within a minute", async () => {
  running = model.start();
  await pass();
  stored = () => alerts("late");
  await pass(60_000);
  expect(open(model)).toEqual(["late"]);
});

test("alerts are asked for when the sink stores again, and not at each of its heartbeats", async () => {
  running = model.start();
  await pass();
  let asked = 0;
  stored = () => {
    asked++;
    return alerts("late");
  };
  for (const service of [null, "sink", "sink"]) status(service);
  await pass();
  expect(asked).toBe(0);
  for (const service of [null, null]) status(service);
  await pass();
  expect([asked, open(model)]).toEqual([1, ["late"]]);
});

test("a plant that is not heard any more turns silent as the others go on", async () => {
  running = model.start();
  await pass();
  expect(model.view.value.fleet!.countStates()).toEqual([2, 0, 0, 0, 0]);
  tell("windows", LATER);
  await pass();
  expect(model.view.value.fleet!.countStates()).toEqual([1, 0, 0, 0, 1]);
  expect([...model.totals.values()]).toMatchObject([{ generationKw: 40, plants: 1 }]);
});

test("the oldest of thousands of open alerts is there after the page is opened, and the worst comes first", async () => {
  const many = Array.from({ length: 3_000 }, (_, at) => ({ alert_id: `a${at}`, status: "open", severity: at === 2_999 ? "critical" : "warning", onset: END, updated_at: END }));
  stored = (path) => (path.includes("resolved") ? alerts() : atMost(path, many));
  running = model.start();
  await pass();
  expect(open(model)).toHaveLength(3_000);
  expect(open(model)[0]).toBe("a2999");
});

test("a plant that an alert calls silent counts no more, until a window of it comes", async () => {
  const silence = { alert_id: "b:silence", rule: "silence", plant_id: "b", state: "open", severity: "warning", onset: "2026-06-21T03:02:00Z", updated_at: "2026-06-21T03:02:10Z" };
  running = model.start();
  await pass();
  tell("alert", silence);
  await pass();
  expect(model.view.value.fleet!.countStates()).toEqual([1, 0, 0, 0, 1]);
  expect([...model.totals.values()]).toMatchObject([{ generationKw: 50, plants: 1 }]);
  tell("windows", { columns: PLANTS.columns, rows: [["b", "ok", 30, "2026-06-21T03:03:00Z"]] });
  await pass();
  expect([...model.totals.values()]).toMatchObject([{ generationKw: 80, plants: 2 }]);
});

test("a plant that a stored alert calls silent does not count on a page opened later", async () => {
  const silence = { alert_id: "b:silence", rule: "silence", plant_id: "b", status: "open", severity: "warning", onset: "2026-06-21T03:02:00Z", updated_at: "2026-06-21T03:02:10Z" };
  stored = () => Response.json({ alerts: [silence] });
  running = model.start();
  await pass();
  expect([...model.totals.values()]).toMatchObject([{ generationKw: 50, plants: 1 }]);
});
