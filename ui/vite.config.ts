import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// compressed leaves every file but index.html and dot files only as NAME.gz and
// NAME.br: that is what the agent embeds and sends.
function compressed() {
  const squeeze = (dir: string): void => {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name);
      if (statSync(path).isDirectory()) {
        squeeze(path);
      } else if (name !== "index.html" && !name.startsWith(".")) {
        const data = readFileSync(path);
        writeFileSync(path + ".gz", gzipSync(data, { level: 9 }));
        writeFileSync(path + ".br", brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: data.length } }));
        rmSync(path);
      }
    }
  };
  return {
    name: "compressed",
    apply: "build" as const,
    closeBundle: { order: "post" as const, sequential: true, handler: () => squeeze(join(import.meta.dirname, "dist")) },
  };
}

// A running agent that `npm run dev` takes the API from.
const agent = process.env.SERAI_ADDR ?? "http://127.0.0.1:4646";

export default defineConfig({
  base: "/ui/",
  plugins: [react(), compressed()],
  server: { proxy: { "/v1": { target: agent, ws: true } } },
  build: {
    target: "es2022",
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    chunkSizeWarningLimit: 700,
  },
  worker: { format: "es" },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"], setupFiles: ["test/setup.ts"], testTimeout: 20_000 },
});
