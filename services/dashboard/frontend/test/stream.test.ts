import { afterEach, expect, test, vi } from "vitest";
import { LiveStream } from "../src/live/stream";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("a feed whose event cannot be taken counts as lost, is let go and goes on after that event", async () => {
  const asked: { after: string | null; signal: AbortSignal }[] = [];
  const body = () => new Blob(["id: 7\nevent: alert\ndata: {}\n\n"]).stream();
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    asked.push({ after: new Headers(init.headers).get("last-event-id"), signal: init.signal! });
    return asked.length === 1 ? new Response(body()) : new Response(null, { status: 401 });
  });
  const told: string[] = [];
  const events = {
    event: () => {
      throw new DOMException("no device", "NotSupportedError");
    },
    open: () => told.push("open"),
    lost: () => told.push("lost"),
    refused: () => told.push("refused"),
  };
  await new LiveStream("/events", events).run();
  expect(told).toEqual(["open", "lost", "refused"]);
  expect(asked.map(({ after }) => after)).toEqual([null, "7"]);
  expect(asked[0]!.signal.aborted).toBe(true);
});
