/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { buildBoundaries } from "./build/boundaries.ts";

const BOUNDARIES = "virtual:boundaries";

function boundaries(): Plugin {
  return {
    name: "boundaries",
    resolveId: (id) => (id === BOUNDARIES ? `\0${BOUNDARIES}` : null),
    load: (id) => (id === `\0${BOUNDARIES}` ? `export default ${JSON.stringify(buildBoundaries())}` : null),
  };
}

const backend = process.env["HELIOGRAPH_DASHBOARD_URL"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/",
  plugins: [boundaries()],
  build: {
    outDir: fileURLToPath(new URL("../src/dashboard/static/app", import.meta.url)),
    emptyOutDir: true,
    // An inlined asset would be a data: URL, which the page's CSP refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": backend } },
  test: { include: ["test/**/*.test.ts"], isolate: false },
});
