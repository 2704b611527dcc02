import { afterEach, expect, test, vi } from "vitest";
import { ALERTS_AT_ONCE, fetchAllAlerts, fetchCurve, fetchPlants, fetchSession, uploadPhoto } from "../src/data/api";

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("a photo may take minutes to go up and a list of all plants one to come, every other call ends within seconds", async () => {
  const limits = vi.spyOn(AbortSignal, "timeout");
  vi.stubGlobal("fetch", async () => Response.json({ blob: "a/x.jpg" }));
  await uploadPhoto("a", new File(["x"], "x.jpg"));
  await fetchPlants();
  await fetchSession();
  expect(limits.mock.calls).toEqual([[300_000], [60_000], [15_000]]);
});

test("an answer that breaks off in its middle is told in the page's own words", async () => {
  vi.stubGlobal("fetch", async () => new Response('{"rows": [', { status: 200 }));
  await expect(fetchPlants()).rejects.toMatchObject({ status: 0, message: "unreachable" });
});

test("all alerts are had, more than one answer holds, also where many began at once", async () => {
  const onsets = Array.from({ length: 12_000 }, (_, at) => `2026-06-21T03:00:${String(Math.floor((12_000 - 1 - at) / 900)).padStart(2, "0")}Z`);
  const stored = onsets.map((onset, at) => ({ alert_id: `a${at}`, onset }));
  vi.stubGlobal("fetch", async (path: string) => {
    const asked = new URL(path, "http://x").searchParams;
    const to = asked.get("to");
    const fit = stored.filter(({ onset }) => to === null || Date.parse(onset) < Date.parse(to));
    return Response.json({ alerts: fit.slice(0, Number(asked.get("limit"))) });
  });
  expect(ALERTS_AT_ONCE).toBeLessThanOrEqual(5_000);
  expect(await fetchAllAlerts({ state: "open" })).toHaveLength(12_000);
});

test("an hour that is not over, or was observed in part, is no dip in the curve of a week", async () => {
  const columns = ["time", "energy_kwh", "expected_kwh", "insolation_wh_m2", "observed_s"];
  const rows = [
    ["2026-06-21T02:00:00Z", 360, 361, 900, 3_600],
    ["2026-06-21T03:00:00Z", 90, 91, 225, 900],
    ["2026-06-21T04:00:00Z", 0, 0, 0, 0],
  ];
  vi.stubGlobal("fetch", async () => Response.json({ columns, rows }));
  const curve = await fetchCurve("a", "", "", "hour");
  expect(curve).toMatchObject({ actualKw: [360, 360, null], expectedKw: [361, 364, null], irradianceWM2: [900, 900, null] });
});
