// Debian's Chromium, and a page that notes everything that should not happen.
import { createRequire } from "node:module";
import { existsSync } from "node:fs";

const { chromium } = createRequire(new URL("../../ui/package.json", import.meta.url))("playwright-core");

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((p) => p && existsSync(p));

/** Whether there is a browser to test with. */
export const hasBrowser = executablePath !== undefined;

export const launch = (more = []) => chromium.launch({ executablePath, args: [...more, "--no-sandbox", "--force-color-profile=srgb", "--font-render-hinting=none"] });

/**
 * Opens a page of the UI. faults collects errors of scripts, breaches of the
 * content security policy and requests to other hosts.
 */
export async function openPage(browser, agent, path = "", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light", permissions: ["clipboard-read", "clipboard-write"], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const faults = [];
  page.on("pageerror", (e) => faults.push(`script: ${e.message}`));
  page.on("console", (m) => {
    if (m.type() === "error" && !/Failed to load resource|net::ERR_/.test(m.text())) faults.push(`console: ${m.text()}`);
  });
  page.on("request", (r) => {
    if (!r.url().startsWith(agent.url) && !/^(data|blob|about|ws):/.test(r.url())) faults.push(`request to another host: ${r.url()}`);
  });
  page.on("dialog", (d) => {
    faults.push(`a dialog was opened: ${d.message()}`);
    void d.dismiss();
  });
  await page.goto(`${agent.url}/ui/${path}`);
  return { page, context, faults, live: () => page.locator('[data-live="live"]').waitFor() };
}
