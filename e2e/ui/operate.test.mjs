// What operators look at, in a real browser against real agents: nodes and drains,
// topology, evaluations, events, servers, and what a token may not do.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { Agent, binary, until } from "./agent.mjs";
import { hasBrowser, launch, openPage } from "./browser.mjs";
import { fleet, simulate } from "./fleet.mjs";

const job = (name, count, more = "") => `
job "${name}" {
  group "g" {
    count = ${count}
    ${more}
    task "t" {
      driver = "raw_exec"
      config {
        command = "/bin/sleep"
        args    = ["3600"]
      }
      resources {
        cpu    = 20
        memory = 16
      }
    }
  }
}`;

async function port() {
  const server = createServer();
  await new Promise((done, fail) => server.once("error", fail).listen(0, "127.0.0.1", done));
  const { port: p } = server.address();
  await new Promise((done) => server.close(done));
  return p;
}

/** A second node for an agent's cluster; its name has markup and turns text around. */
async function worker(agent, name) {
  const file = join(agent.dir, "worker.hcl");
  await writeFile(file, `name = ${JSON.stringify(name)}
data_dir = "${join(agent.dir, "worker")}"
bind_addr = "127.0.0.1"
ports {
  http = ${await port()}
  rpc  = ${await port()}
  serf = ${await port()}
}
client {
  enabled = true
  servers = ["127.0.0.1:${agent.ports[1]}"]
  meta {
    rack = "r2"
  }
}
plugin "raw_exec" {
  config {
    enabled = true
  }
}
`);
  const process_ = spawn(binary, ["agent", "-config", file], { stdio: "ignore", env: { ...process.env, NOMAD_ADDR: "", NOMAD_TOKEN: "" } });
  const ended = new Promise((done) => process_.once("exit", done));
  await until("two nodes are ready", async () => (await agent.get("/v1/nodes")).filter((n) => n.Status === "ready").length === 2);
  return async () => {
    if (process_.exitCode === null) process_.kill("SIGINT");
    const late = setTimeout(() => process_.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(late);
  };
}

describe("web UI for operators", { skip: hasBrowser ? false : "no Chromium here: apt-get install chromium" }, () => {
  const hostile = "<img src=x onerror=alert(1)>-\u202Enode";
  let agent;
  let browser;
  let stopWorker;
  before(async () => {
    agent = await Agent.start();
    browser = await launch();
    stopWorker = await worker(agent, "worker-2");
    await agent.job(job("spread-out", 4, 'spread {\n attribute = "${node.unique.name}"\n }'));
    await agent.running("spread-out", 4);
    await agent.job(job("too-large", 1).replace("memory = 16", "memory = 9000000"));
  });
  after(async () => {
    await browser?.close();
    // A client leaves its tasks running when it ends: they are stopped first.
    for (const name of ["spread-out", "too-large", "appears"]) await agent?.call("DELETE", `/v1/job/${name}?purge=true`).catch(() => {});
    await until("nothing runs any more", async () => (await agent.get("/v1/allocations")).every((a) => a.ClientStatus !== "running")).catch(() => {});
    await stopWorker?.();
    await agent?.close();
  });

  const visit = (name, path, what, options = {}) =>
    test(name, { timeout: 150_000 }, async () => {
      const p = await openPage(browser, agent, typeof path === "function" ? await path() : path, options);
      try {
        await what(p.page, p);
        assert.deepEqual(p.faults, []);
      } finally {
        await p.context.close();
      }
    });
  const phone = { viewport: { width: 390, height: 844 }, colorScheme: "dark" };
  const inside = async (page) => assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, "the page is wider than the screen");

  visit("nodes are listed, filtered by expression, and opened", "nodes", async (page) => {
    await page.getByRole("link", { name: "worker-2" }).waitFor();
    await page.getByLabel("Filter", { exact: true }).fill('Name == "worker-2"');
    await page.getByText("1 nodes").or(page.getByText("1 node")).first().waitFor();
    await page.getByRole("link", { name: "worker-2" }).click();
    await page.getByRole("heading", { name: "worker-2" }).waitFor();
    await page.getByText("Use of the machine").waitFor();
    await page.getByRole("link", { name: /^Attributes/ }).click();
    await page.getByLabel("Search attributes").fill("kernel.name linux");
    await page.getByText("attr.kernel.name").waitFor();
  });

  visit("a node is drained and shows how far it is, and takes allocations again", async () => `nodes/${(await agent.get("/v1/nodes")).find((n) => n.Name === "worker-2").ID}`, async (page) => {
    await page.getByRole("button", { name: "Drain…" }).click();
    await page.getByLabel(/Gracefully, without a deadline/).check();
    await page.getByPlaceholder("Kernel upgrade").fill("new kernel");
    await page.getByRole("dialog").getByRole("button", { name: "Drain", exact: true }).click();
    await page.getByRole("region", { name: "Drain" }).or(page.getByText("The node is drained")).first().waitFor();
    await page.getByText("The node is drained").waitFor({ timeout: 90_000 });
    await page.getByText("new kernel").waitFor();
    const left = (await agent.get("/v1/allocations")).filter((a) => a.NodeName === "worker-2" && a.ClientStatus === "running");
    assert.equal(left.length, 0);
    await page.getByRole("button", { name: "Make eligible" }).first().click();
    await page.getByRole("button", { name: "Make ineligible" }).waitFor();
  });

  visit("an evaluation says why nothing was placed, and its graph is walked by keyboard", "evaluations?status=blocked", async (page) => {
    await page.getByRole("row").filter({ hasText: "too-large" }).getByRole("link").first().click();
    await page.getByText("It waits").waitFor();
    await page.getByText(/no room: memory/).first().waitFor();
    const current = page.locator(".vertex[aria-current]");
    await current.focus();
    await page.keyboard.press("ArrowLeft");
    const before = await page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    assert.match(before, /job submitted/);
    await page.keyboard.press("Enter");
    await page.getByText("What would help now").waitFor();
  });

  visit("events come as they happen, are filtered, paused and read", "events", async (page) => {
    await page.getByText("following").waitFor();
    await agent.job(job("appears", 1));
    await page.getByRole("article").filter({ hasText: "appears" }).first().waitFor();
    await page.getByLabel("Filter", { exact: true }).fill("appears.g[0]");
    await until("only its events are shown", async () => (await page.getByRole("article").allTextContents()).every((t) => t.includes("appears")));
    await page.getByRole("article").first().click();
    await page.locator(".event-detail .cm-content").filter({ hasText: "Payload" }).waitFor();
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Go on" }).waitFor();
  });

  visit("events of a megabyte and of hostile names hang and execute nothing", "", async (page, p) => {
    const big = "x".repeat(1_000_000);
    const events = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ Index: i + 1, Events: [{ Topic: "Job", Type: "JobRegistered", Key: `${hostile}${i}`, Namespace: "default", FilterKeys: [], Index: i + 1, Payload: { Job: { ID: i > 2990 ? hostile + big : hostile, Type: "service", Status: "running" } } }] })).join("\n") + "\n";
    await p.context.route(/\/v1\/event\/stream\?.*topic=\*|\/v1\/event\/stream\?.*topic=%2A/, (r) => r.fulfill({ contentType: "application/json", body: events }));
    await page.goto(`${agent.url}/ui/events`);
    await page.getByRole("article").first().waitFor();
    await page.getByText(/3,000 events/).first().waitFor();
    assert.ok((await page.getByRole("article").count()) < 120, "only what is in view is in the page");
    await page.getByRole("article").first().click();
    await page.locator(".event-detail .cm-content").waitFor();
    assert.equal(await page.locator('img[src="x"]').count(), 0);
  });

  visit("the topology of 5,000 nodes is a canvas that is searched, zoomed and walked", "", async (page, p) => {
    await simulate(p.context, fleet(5000, 6));
    await page.goto(`${agent.url}/ui/topology?by=meta.rack`);
    await page.getByText("5,000 nodes in 125 groups").waitFor();
    const map = page.locator("[data-map]");
    await map.hover({ position: { x: 40, y: 45 } });
    await page.locator(".map-card").filter({ hasText: "node-00" }).waitFor();
    await page.getByRole("button", { name: "Larger (+)" }).click();
    await map.focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    for (let i = 0; i < 30; i++) {
      await page.mouse.wheel(0, 120);
      await page.mouse.move(300 + i * 8, 400 + (i % 7) * 20);
    }
    const figures = await page.evaluate(() => {
      const all = performance.getEntriesByName("map-draw").map((e) => e.duration).sort((a, b) => a - b);
      return { frames: all.length, median: all[Math.floor(all.length / 2)], worst: all[all.length - 1], elements: document.querySelectorAll("*").length };
    });
    console.log("topology, 5,000 nodes:", JSON.stringify(figures));
    assert.ok(figures.frames > 5, "it was drawn");
    assert.ok(figures.elements < 600, "nodes are no elements");
    await page.getByLabel("Filter", { exact: true }).fill("node-0042");
    await page.getByText("1 found").waitFor();
  });

  visit("servers say who leads, and a snapshot is saved", "servers", async (page) => {
    await page.getByText("A single server").waitFor();
    const saved = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save a snapshot" }).click();
    assert.match((await saved).suggestedFilename(), /\.snap$/);
  });

  for (const path of ["nodes", "topology", "evaluations", "events", "servers", "namespaces", "pools"]) {
    visit(`${path} on a phone in the dark`, path, async (page) => {
      await page.getByRole("heading", { level: 1 }).waitFor();
      await inside(page);
    }, phone);
  }
});

describe("web UI and what a token may not do", { skip: hasBrowser ? false : "no Chromium here" }, () => {
  test("actions that are denied are not offered, and a denied view says which capability is missing", { timeout: 150_000 }, async () => {
    let browser;
    const agent = await Agent.start("acl {\n enabled = true\n}");
    try {
      await agent.call("PUT", "/v1/acl/policy/reader", { Name: "reader", Rules: 'namespace "default" {\n policy = "read"\n}\nnode {\n policy = "read"\n}' });
      const { SecretID } = await agent.call("PUT", "/v1/acl/token", { Name: "r", Type: "client", Policies: ["reader"] });
      const id = (await agent.get("/v1/nodes"))[0].ID;
      browser = await launch();
      const p = await openPage(browser, agent, "settings");
      await p.page.evaluate((t) => sessionStorage.setItem("serai.token", t), SecretID);
      await p.page.goto(`${agent.url}/ui/nodes/${id}`);
      await p.page.getByText("your token lacks").waitFor();
      assert.equal(await p.page.getByRole("button", { name: "Drain…" }).count(), 0);
      await p.page.evaluate(() => sessionStorage.removeItem("serai.token"));
      await p.page.goto(`${agent.url}/ui/nodes`);
      await p.page.getByText("Your token may not see this").waitFor();
      await p.page.getByText("node:read").first().waitFor();
    } finally {
      await browser?.close();
      await agent.close();
    }
  });
});
