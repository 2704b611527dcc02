import { afterEach, expect, test, vi } from "vitest";
import { fetchPlants, uploadPhoto } from "../src/data/api";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("a photo may take minutes to go up, every other call ends within seconds", async () => {
  const limits = vi.spyOn(AbortSignal, "timeout");
  vi.stubGlobal("fetch", async () => Response.json({ blob: "a/x.jpg" }));
  await uploadPhoto("a", new File(["x"], "x.jpg"));
  await fetchPlants();
  expect(limits.mock.calls).toEqual([[300_000], [15_000]]);
});
