import { expect, test } from "vitest";
import { EventParser } from "../src/live/sse";

test("an event is told whole however the network cuts it", () => {
  const text = "retry: 1000\r\n\r\nid: 0-29.1-30\nevent: windows\ndata: {\"a\":\ndata: 1}\n\n: comment\nid: 7\ndata: x\n\n";
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.feed(text.slice(at, at + size)));
    expect(events).toEqual([
      { type: "windows", data: '{"a":\n1}', id: "0-29.1-30" },
      { type: "message", data: "x", id: "7" },
    ]);
  }
});

test("an event without data is none, and its id is kept", () => {
  const parser = new EventParser();
  expect(parser.feed("id: 4\nevent: heartbeat\n\n")).toEqual([]);
  expect(parser.lastId).toBe("4");
});
