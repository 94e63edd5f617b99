// Writes a screenshot of every view, in light and dark and as wide as a phone:
// node e2e/ui/screens.mjs FOLDER [NAME…]
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Agent } from "./agent.mjs";
import { launch, openPage } from "./browser.mjs";
import { fleet, simulate } from "./fleet.mjs";
import { fill } from "./story.mjs";

const [folder = "e2e/ui/screens", ...only] = process.argv.slice(2);

/** The views: name, address, and what is done before the picture is taken. */
const views = ({ alloc, failed, node, evaluation }) => [
  ["overview", ""],
  ["jobs", "jobs"],
  ["job", "jobs/default/shop"],
  ["job-allocations", "jobs/default/shop?tab=allocations"],
  ["job-deployments", "jobs/default/shop?tab=deployments"],
  ["job-logs", "jobs/default/shop?tab=logs", (p) => p.getByText(/GET/).first().waitFor()],
  ["job-versions", "jobs/default/shop?tab=versions"],
  ["job-evaluations", "jobs/default/train-model?tab=evaluations"],
  ["job-definition", "jobs/default/shop?tab=definition", (p) => p.locator(".cm-content").waitFor()],
  ["job-periodic", "jobs/default/nightly-report"],
  ["job-parameterized", "jobs/default/render"],
  ["job-dispatch", "jobs/default/render", async (p) => {
    await p.getByRole("button", { name: "Dispatch…" }).click();
    await p.getByRole("dialog").waitFor();
  }],
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
  ["allocation", `allocations/${alloc}`, async (p) => {
    await p.locator(".chart canvas").first().waitFor();
    await p.getByText(/used: ?[\d.]+/).or(p.locator(".u-legend").getByText(/MHz|MiB/)).first().waitFor();
    await p.waitForTimeout(6500); // so that there are lines
  }],
  ["allocation-failed", `allocations/${failed}`],
  ["logs", `allocations/${alloc}?tab=logs`, (p) => p.getByText(/WARN slow/).first().waitFor()],
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
  ["node", `nodes/${node}`, (p) => p.getByText("Use of the machine").waitFor()],
  ["node-attributes", `nodes/${node}?tab=attributes`],
  ["node-drain", `nodes/${node}`, async (p) => {
    await p.getByRole("button", { name: "Drain…" }).click();
    await p.getByRole("dialog").waitFor();
  }],
  ["topology", "topology"],
  ["topology-fleet", "topology?by=meta.rack", async (p) => {
    await simulate(p.context(), fleet(600, 12));
    await p.reload();
    await p.getByText("600 nodes").waitFor();
    await p.locator("[data-map]").hover({ position: { x: 60, y: 60 } });
    await p.locator(".map-card").waitFor();
  }],
  ["evaluations", "evaluations"],
  ["evaluation", `evaluations/${evaluation}`, (p) => p.locator(".vertex").first().waitFor()],
  ["events", "events"],
  ["event", "events", async (p) => {
    await p.getByRole("article").first().click();
    await p.locator(".event-detail .cm-content").waitFor();
  }],
  ["namespaces", "namespaces"],
  ["pools", "pools"],
  ["servers", "servers"],
];

await mkdir(folder, { recursive: true });
const agent = await Agent.start();
const browser = await launch();
try {
  const list = views(await fill(agent)).filter(([name]) => only.length === 0 || only.includes(name));
  for (const [name, path, prepare] of list) {
    const kinds = [["light", 1360, 850], ["dark", 1360, 850], ["phone", 390, 844]];
    for (const [kind, width, height] of kinds) {
      const { page, context, faults, live } = await openPage(browser, agent, path, { colorScheme: kind === "dark" ? "dark" : "light", viewport: { width, height } });
      try {
        if (kind !== "phone") await live();
        await page.waitForFunction(() => document.querySelector(".skeleton") === null);
        await prepare?.(page);
        await page.evaluate(() => document.fonts.ready);
        await page.evaluate(() => Promise.all(document.getAnimations().filter((x) => x.effect?.getTiming().iterations !== Infinity).map((x) => x.finished.catch(() => {}))));
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (over > 0) faults.push(`wider than the screen by ${over} px`);
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
