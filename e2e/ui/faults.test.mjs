// What goes wrong and what is hostile, in a real browser: the page says so, goes
// on, hangs nowhere and executes nothing. Slow in parts: make ui-e2e-long.
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, before, describe, test } from "node:test";
import { Agent, until } from "./agent.mjs";
import { hasBrowser, launch, openPage } from "./browser.mjs";
import { leader, startServers } from "./servers.mjs";
import { shell } from "./shell.mjs";

/** A proxy in front of an agent that waits before it asks: as long as delay says of an address. */
async function slow(agent, delay) {
  const server = createServer((req, res) => {
    const wait = delay(req.url);
    if (wait === Infinity) return; // no answer, ever
    setTimeout(() => {
      const to = request(agent.url + req.url, { method: req.method, headers: req.headers }, (r) => {
        res.writeHead(r.statusCode, r.headers);
        r.pipe(res);
      });
      to.on("error", () => res.destroy());
      req.pipe(to);
      res.on("close", () => to.destroy());
    }, wait);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), server.close()) };
}

const skip = hasBrowser ? false : "no Chromium here: apt-get install chromium";

describe("web UI and faults", { skip }, () => {
  let agent;
  let browser;
  before(async () => {
    agent = await Agent.start();
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await agent?.close();
  });

  const visit = (name, path, what, { at, ...options } = {}) =>
    test(name, { timeout: 240_000 }, async () => {
      const p = await openPage(browser, at?.() ?? agent, path, options);
      try {
        await what(p.page, p);
        assert.deepEqual(p.faults, []);
      } finally {
        await p.context.close();
      }
    });

  visit("a clock that is an hour wrong does not make times wrong", "", async (page, { context }) => {
    await agent.job(shell("on-time"));
    await agent.running("on-time", 1);
    for (const hours of [1, -1]) {
      const p = await openPage(browser, agent, "");
      await p.page.addInitScript((by) => {
        const Real = Date;
        window.Date = class extends Real {
          constructor(...a) {
            super(...(a.length === 0 ? [Real.now() + by] : a));
          }
          static now() {
            return Real.now() + by;
          }
        };
      }, hours * 3_600_000);
      await p.page.goto(`${agent.url}/ui/allocations`);
      await p.page.getByRole("row", { name: /on-time/ }).waitFor();
      await until("times are as the agent's clock has them", async () => {
        const texts = await p.page.locator(".line time").allTextContents();
        return texts.length > 0 && texts.every((t) => /^(now|\d+s ago|\dm \d+s ago)$/.test(t));
      });
      await p.context.close();
    }
    await context.clearCookies();
  });

  visit("two tabs that change one job: the second is told, and nothing is overwritten", "", async (page, { context }) => {
    await agent.job(shell("contested"));
    const other = await context.newPage();
    for (const tab of [page, other]) {
      await tab.goto(`${agent.url}/ui/jobs/run?edit=default/contested`);
      await tab.locator(".cm-content").waitFor();
    }
    const change = async (tab, count) => {
      await tab.locator(".cm-content").click();
      await tab.keyboard.press("ControlOrMeta+a");
      await tab.evaluate((t) => navigator.clipboard.writeText(t), shell("contested", undefined, `count = ${count}`));
      await tab.keyboard.press("ControlOrMeta+v");
      await tab.getByRole("button", { name: /^Plan/ }).click();
      await tab.getByRole("button", { name: "Submit this version" }).waitFor();
    };
    await page.bringToFront();
    await change(page, 2);
    await other.bringToFront();
    await change(other, 3);
    await other.getByRole("button", { name: "Submit this version" }).click();
    await other.waitForURL("**/ui/jobs/default/contested");
    await page.bringToFront();
    await page.getByText("Version 1 was submitted since you began").waitFor();
    await page.getByText("count = 2").waitFor(); // what was written is still there
    await page.getByRole("button", { name: "Submit this version" }).click();
    await page.getByRole("button", { name: "Plan again" }).waitFor();
    assert.equal((await agent.get("/v1/job/contested")).TaskGroups[0].Count, 3);
  });

  test("slow answers: the page says that it waits, moves on at once, and names what never came", { timeout: 240_000 }, async () => {
    let waits = (url) => (url.startsWith("/v1/") ? 1500 : 0);
    const proxy = await slow(agent, (url) => waits(url));
    try {
      const { page, context, faults } = await openPage(browser, proxy, "jobs");
      await page.getByRole("status", { name: "Loading" }).first().waitFor();
      await page.getByRole("link", { name: "Nodes" }).first().click();
      await page.getByRole("heading", { name: "Nodes" }).waitFor();
      await page.getByRole("row", { name: /ready/ }).first().waitFor();
      waits = (url) => (url.startsWith("/v1/evaluations") ? Infinity : 0);
      await page.getByRole("link", { name: "Evaluations" }).first().click();
      await page.getByText("has not answered for 30 seconds").waitFor({ timeout: 60_000 });
      waits = () => 0;
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByText(/\d evaluations?$/).first().waitFor();
      assert.deepEqual(faults, []);
      await context.close();
    } finally {
      proxy.close();
    }
  });

  visit("a job of 10,000 groups", "jobs", async (page) => {
    const groups = Array.from({ length: 10_000 }, (_, i) => ({ Name: `g${i}`, Count: 0, Tasks: [{ Name: "t", Driver: "raw_exec", Config: { command: "/bin/true" } }] }));
    const one = { ID: "wide", Name: "wide", Datacenters: ["*"], TaskGroups: groups };
    await agent.call("PUT", "/v1/jobs", { Job: one });
    await page.getByRole("row", { name: /wide/ }).click();
    await page.getByRole("heading", { name: "wide" }).waitFor();
    await page.getByText("10,000 groups").waitFor({ timeout: 60_000 });
    assert.ok((await page.evaluate(() => document.querySelectorAll("*").length)) < 5000, "only what is in view is in the page");
    for (const tab of ["Allocations", "Versions", "Evaluations", "Definition"]) {
      await page.getByRole("link", { name: tab, exact: true }).last().click();
      await page.waitForFunction(() => document.querySelector(".skeleton") === null, null, { timeout: 60_000 });
    }
    await page.locator(".cm-content").waitFor();
    await agent.call("DELETE", "/v1/job/wide?purge=true");
  });

  const names = ["<img src=x onerror=document.title=1>", "\u202Egnp.exe", "作業-ジョブ-작업", "مهمة-עבודה", "e\u0301\u0301\u0301-👩‍👩‍👧", "<script>alert(1)</script>", "x".repeat(200), "a b\u00a0c"];
  visit("names in every script, and with markup in them", "jobs", async (page) => {
    const taken = [];
    for (const [i, name] of names.entries()) {
      const job = await agent.call("PUT", "/v1/jobs/parse", { JobHCL: shell(`named-${i}`), Canonicalize: true });
      job.Name = name;
      job.Meta = { [name]: name };
      job.TaskGroups[0].Name = `g${i}`;
      job.TaskGroups[0].Meta = { note: name };
      for (const id of [name, `named-${i}`]) {
        try {
          await agent.call("PUT", "/v1/jobs", { Job: { ...job, ID: id } });
          taken.push(id);
          break;
        } catch (e) {
          assert.match(e.message, / 400 /); // refused by name: then only its parts have it
        }
      }
    }
    await page.reload();
    for (const id of taken) {
      await page.goto(`${agent.url}/ui/jobs/default/${encodeURIComponent(id)}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.goto(`${agent.url}/ui/jobs/default/${encodeURIComponent(id)}?tab=definition`);
      await page.locator(".cm-content").waitFor();
      assert.equal(await page.locator('img[src="x"]').count(), 0);
      assert.notEqual(await page.title(), "1");
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 0, `${id} makes the page wider than the screen`);
    }
    await page.goto(`${agent.url}/ui/jobs`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").fill("named");
    await page.getByRole("option").first().waitFor();
    assert.equal(await page.locator('img[src="x"]').count(), 0);
    for (const id of taken) await agent.call("DELETE", `/v1/job/${encodeURIComponent(id)}?purge=true`);
  });

  visit("a file of 10 GB is looked into, and is saved as it comes", "", async (page) => {
    await agent.job(shell("large", 'truncate -s 10G "$NOMAD_ALLOC_DIR/data/huge.bin"; printf the-end >> "$NOMAD_ALLOC_DIR/data/huge.bin"; sleep 3600'));
    const [a] = await agent.running("large", 1);
    await until("the file is there", async () => (await agent.get(`/v1/client/fs/ls/${a.ID}?path=/alloc/data`)).some((f) => f.Size > 10 * 2 ** 30));
    await page.goto(`${agent.url}/ui/allocations/${a.ID}?tab=files&path=/alloc/data`);
    await page.getByRole("row", { name: /huge.bin/ }).getByText("10 GiB").waitFor();
    await page.getByRole("row", { name: /huge.bin/ }).getByRole("link").click();
    await page.getByText("shown in hexadecimal").waitFor();
    await page.getByRole("button", { name: "End" }).click();
    await page.getByText(/to 10,737,418,247 of 10,737,418,247/).waitFor();
    const saving = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download" }).click();
    const file = await saving;
    assert.equal(file.suggestedFilename(), "huge.bin");
    await file.cancel();
    await agent.call("DELETE", "/v1/job/large?purge=true");
  });

  test("a token that expires: the page says so and asks for another", { timeout: 240_000 }, async () => {
    const guarded = await Agent.start('acl {\n  enabled = true\n  token_min_expiration_ttl = "1s"\n}\n');
    try {
      await guarded.call("PUT", "/v1/acl/policy/reader", { Name: "reader", Rules: 'namespace "default" {\n  policy = "read"\n}' });
      const { page, context, faults, live } = await openPage(browser, guarded, "settings");
      const { SecretID } = await guarded.call("PUT", "/v1/acl/token", { Name: "short", Type: "client", Policies: ["reader"], ExpirationTTL: "20s" });
      await page.getByLabel(/Secret ID/).fill(SecretID);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      await page.getByRole("link", { name: "Jobs" }).first().click();
      await live();
      await page.locator(".banner").getByRole("link", { name: "Sign in" }).waitFor({ timeout: 90_000 });
      await page.locator(".banner").getByRole("link", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Settings" }).waitFor();
      assert.deepEqual(faults, []);
      await context.close();
    } finally {
      await guarded.close();
    }
  });

  test("the leader of three servers is killed, and the page goes on", { timeout: 240_000 }, async () => {
    const { all, close } = await startServers();
    try {
      const leads = await leader(all);
      const follower = all.find((s) => s !== leads);
      const { page, context, faults, live } = await openPage(browser, follower, "servers");
      await live();
      await page.getByRole("row", { name: /s[012]/ }).nth(2).waitFor();
      await page.getByRole("link", { name: "Jobs" }).first().click();
      await page.evaluate(() => (window.same = true));
      await leads.kill();
      const rest = all.filter((s) => s !== leads);
      await until("another server leads", async () => (await leader(rest)) !== undefined, 90);
      await until("the cluster takes a job again", async () => {
        const r = await fetch(`${follower.url}/v1/jobs`, { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ Job: { ID: "after", Name: "after", Datacenters: ["*"], TaskGroups: [{ Name: "g", Tasks: [{ Name: "t", Driver: "raw_exec", Config: { command: "/bin/true" } }] }] } }) });
        if (!r.ok) throw new Error(await r.text());
        return true;
      });
      await page.getByRole("row", { name: /after/ }).waitFor();
      await live();
      await page.getByText("The cluster has no leader.").waitFor({ state: "detached" });
      assert.equal(await page.evaluate(() => window.same), true, "the page was not loaded anew");
      await page.getByRole("link", { name: "Servers" }).first().click();
      await page.getByText(/failed|unhealthy/).first().waitFor();
      assert.deepEqual(faults, []);
      await context.close();
    } finally {
      await close();
    }
  });
});
