// Writes a screenshot of every view, in light and dark and some as wide as a
// phone: node e2e/ui/screens.mjs FOLDER [NAME…]
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Agent } from "./agent.mjs";
import { launch, openPage } from "./browser.mjs";
import { fill } from "./story.mjs";

const [folder = "e2e/ui/screens", ...only] = process.argv.slice(2);

/** The views: name, address, what is done before the picture is taken, and whether it is taken for a phone too. */
const views = ({ alloc, failed }) => [
  ["overview", "", undefined, true],
  ["jobs", "jobs", undefined, true],
  ["job", "jobs/default/shop", undefined, true],
  ["job-allocations", "jobs/default/shop?tab=allocations"],
  ["job-logs", "jobs/default/shop?tab=logs", (p) => p.getByText(/GET/).first().waitFor()],
  ["job-versions", "jobs/default/shop?tab=versions"],
  ["job-evaluations", "jobs/default/train-model?tab=evaluations"],
  ["job-definition", "jobs/default/shop?tab=definition", (p) => p.locator(".cm-content").waitFor()],
  ["job-periodic", "jobs/default/nightly-report"],
  ["job-parameterized", "jobs/default/render"],
  ["job-purge", "jobs/default/shop", async (p) => {
    await p.getByRole("button", { name: "Actions" }).click();
    await p.getByRole("menuitem", { name: "Purge…" }).click();
    await p.getByRole("dialog").waitFor();
  }],
  ["why", "jobs/default/train-model?tab=why", (p) => p.getByText("No node is left").waitFor()],
  ["run", "jobs/run", async (p) => {
    await p.locator(".cm-content").waitFor();
    await p.getByRole("button", { name: /^Plan/ }).click();
    await p.getByText("to place").waitFor();
  }],
  ["edit", "jobs/run?edit=default/shop", async (p) => {
    await p.locator(".cm-content").waitFor();
    await p.getByRole("button", { name: /^Plan/ }).click();
    await p.getByText("What would happen").waitFor();
  }],
  ["allocations", "allocations"],
  ["allocation", `allocations/${alloc}`, (p) => p.locator(".chart canvas").first().waitFor(), true],
  ["allocation-failed", `allocations/${failed}`],
  ["logs", `allocations/${alloc}?tab=logs`, (p) => p.getByText(/WARN slow/).first().waitFor(), true],
  ["terminal", `allocations/${alloc}?tab=terminal`, async (p) => {
    await p.getByRole("button", { name: "Open" }).click();
    await p.locator(".xterm").click();
    await p.keyboard.type("echo hello from $NOMAD_JOB_NAME; ls\n");
    await p.locator(".xterm-rows").getByText("hello from shop").last().waitFor();
  }],
  ["files", `allocations/${alloc}?tab=files&path=/alloc/logs`],
  ["allocation-why", `allocations/${alloc}?tab=why`],
  ["search", "jobs", async (p) => {
    await p.keyboard.press("Control+k");
    await p.getByRole("combobox").fill("sh");
    await p.getByRole("option", { name: /shop/ }).first().waitFor();
  }],
  ["shortcuts", "jobs", async (p) => {
    await p.keyboard.press("?");
    await p.getByRole("dialog").waitFor();
  }],
  ["settings", "settings"],
  ["nodes", "nodes"],
  ["topology", "topology"],
  ["evaluations", "evaluations"],
  ["events", "events"],
  ["servers", "servers"],
];

await mkdir(folder, { recursive: true });
const agent = await Agent.start();
const browser = await launch();
try {
  const list = views(await fill(agent)).filter(([name]) => only.length === 0 || only.includes(name));
  for (const [name, path, prepare, phone] of list) {
    const kinds = [["light", 1360, 850], ["dark", 1360, 850], ...(phone ? [["phone", 390, 844]] : [])];
    for (const [kind, width, height] of kinds) {
      const { page, context, faults, live } = await openPage(browser, agent, path, { colorScheme: kind === "dark" ? "dark" : "light", viewport: { width, height } });
      try {
        if (kind !== "phone") await live();
        await page.waitForFunction(() => document.querySelector(".skeleton") === null);
        await prepare?.(page);
        await page.evaluate(() => document.fonts.ready);
        await page.screenshot({ path: join(folder, `${name}-${kind}.png`), animations: "disabled" });
      } catch (e) {
        faults.push(e.message.split("\n")[0]);
      }
      console.log(`${name}-${kind}.png${faults.length > 0 ? `: ${faults.join("; ")}` : ""}`);
      if (faults.length > 0) process.exitCode = 1;
      await context.close();
    }
  }
} finally {
  await browser.close();
  await agent.close();
}
