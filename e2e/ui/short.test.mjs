// The web UI in a real browser against a real agent. Every wait is for a
// condition; nothing sleeps a guess.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { Agent, until } from "./agent.mjs";
import { hasBrowser, launch, openPage } from "./browser.mjs";
import { idle, shell } from "./shell.mjs";

const require = createRequire(new URL("../../ui/package.json", import.meta.url));
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Replaces the text of the editor as a user would. */
async function write(page, text) {
  await page.locator(".cm-content").click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.evaluate((t) => navigator.clipboard.writeText(t), text);
  await page.keyboard.press("ControlOrMeta+v");
}

describe("web UI", { skip: hasBrowser ? false : "no Chromium here: apt-get install chromium" }, () => {
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

  /** Runs what with a page, and fails on anything that should not happen in it. */
  const visit = (name, path, what, options = {}) =>
    test(name, { timeout: 120_000 }, async () => {
      const p = await openPage(browser, agent, path, options);
      try {
        await what(p.page, p);
        assert.deepEqual(p.faults, []);
      } finally {
        await p.context.close();
      }
    });

  visit("a job that is submitted elsewhere appears by itself", "jobs", async (page, { live }) => {
    await live();
    await agent.job(shell("seen-at-once", idle));
    await page.getByRole("row", { name: /seen-at-once.*running/ }).waitFor();
  });

  visit("the first load is small, and all of it from this agent", "", async (page, { live }) => {
    await live();
    await page.getByText("Nothing: every node is ready").waitFor();
    const sizes = await page.evaluate(() => performance.getEntriesByType("resource").filter((r) => r.name.endsWith(".js")).map((r) => r.encodedBodySize));
    const sum = sizes.reduce((a, b) => a + b, 0);
    assert.ok(sizes.length > 1 && sum > 0 && sum <= 200 * 1024, `${sum} bytes of JavaScript in ${sizes.length} files`);
  });

  visit("a job is written, planned, run, changed and reverted", "jobs/run", async (page) => {
    await page.locator(".cm-content").waitFor();
    await write(page, shell("by-hand", idle, "count = 1\n    counts = 2"));
    await page.getByRole("button", { name: /^Plan/ }).click();
    await page.getByText("This job would not be taken").waitFor();
    await page.locator(".cm-lint-marker-error").waitFor();
    const wrong = await page.locator(".cm-lintRange-error").first().evaluate((e) => e.closest(".cm-line").textContent);
    assert.match(wrong, /counts/);

    await write(page, shell("by-hand", idle, "count = 1"));
    await page.getByRole("button", { name: /^Plan/ }).click();
    await page.getByText("1 to place").waitFor();
    await page.getByText("Every allocation finds a node").waitFor();
    await page.getByRole("button", { name: "Run this job" }).click();
    await page.waitForURL("**/ui/jobs/default/by-hand");
    await page.locator(".page-head").getByText("running").waitFor();

    await page.getByRole("link", { name: "Edit" }).click();
    await page.locator(".cm-content").waitFor();
    await write(page, shell("by-hand", idle, "count = 2"));
    await page.getByRole("button", { name: /^Plan/ }).click();
    await page.getByRole("listitem").filter({ hasText: "Count" }).waitFor();
    await page.getByRole("button", { name: "Submit this version" }).click();
    await page.waitForURL("**/ui/jobs/default/by-hand");
    await page.getByText("version 1", { exact: true }).waitFor();

    await page.getByRole("link", { name: "Versions" }).click();
    await page.getByRole("button", { name: "Revert…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revert" }).click();
    await page.getByText("version 2", { exact: true }).waitFor();
    assert.equal((await agent.get("/v1/job/by-hand")).TaskGroups[0].Count, 1);
  });

  visit("a log follows, is searched, and executes nothing", "", async (page) => {
    const script = `
      echo '<img src=x onerror="document.title=1"><script>document.title=2</script>'
      printf 'bell \\007 nul \\000 esc \\033[31mred\\033[0m title \\033]0;owned\\007 done\\n'
      head -c 1000000 /dev/zero | tr '\\\\0' x; echo
      i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "line $i of many"; done
      echo 'disk error: no space' >&2
      while [ ! -e "$NOMAD_ALLOC_DIR/go" ]; do sleep 0.1; done; echo the last line; sleep 600`;
    await agent.job(shell("talks", script));
    const [a] = await agent.running("talks", 1);
    await page.goto(`${agent.url}/ui/allocations/${a.ID}?tab=logs`);
    const log = page.getByRole("log", { name: /^t-/ });
    await log.getByText("line 3000 of many").waitFor();
    const rows = await log.locator(".log-line").count();
    assert.ok(rows < 200, `${rows} lines are in the page at once`);
    await page.getByLabel("Search the log").fill("disk error");
    await page.getByRole("button", { name: "Only matches" }).click();
    await log.locator("mark", { hasText: "disk error" }).waitFor();
    assert.equal(await log.locator(".log-line").count(), 1);
    await page.getByLabel("Search the log").fill("");

    await agent.call("PUT", `/v1/client/allocation/${a.ID}/signal`, { Task: "t", Signal: "SIGCONT" });
    const dir = await agent.get(`/v1/client/fs/ls/${a.ID}?path=/`);
    assert.ok(dir.some((f) => f.Name === "alloc"));
    await page.getByRole("link", { name: "Terminal" }).click();
    await page.getByRole("button", { name: "Open" }).click();
    await page.locator(".badge").getByText("open", { exact: true }).waitFor();
    await page.locator(".xterm").click();
    await page.keyboard.type('echo "$((40+2)) from a shell"; touch "$NOMAD_ALLOC_DIR/go"\n');
    await page.locator(".xterm-rows").getByText("42 from a shell").waitFor();

    await page.getByRole("link", { name: "Logs" }).click();
    await log.getByText("the last line").waitFor();
    await page.getByRole("button", { name: "Read from the beginning" }).click();
    await log.getByText('<img src=x onerror="document.title=1">').waitFor();
    await log.getByText("more characters").first().waitFor();
    assert.doesNotMatch(await page.title(), /^(1|2|owned)/);

    await page.getByRole("link", { name: "Files" }).click();
    await page.getByRole("row", { name: /alloc/ }).click();
    await page.getByRole("row", { name: /\bgo\b/ }).waitFor();
  });

  visit("a terminal has the size of its window, errors are found, a port is opened", "", async (page) => {
    await agent.job(shell("sized", `seq 1 500; echo 'something failed here'; seq 501 1000; ${idle}`, 'network {\n      port "http" {}\n    }'));
    const [a] = await agent.running("sized", 1);
    await page.goto(`${agent.url}/ui/allocations/${a.ID}?tab=logs`);
    const log = page.getByRole("log", { name: /^t-/ });
    await log.getByText("1000", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Errors", exact: true }).click();
    await log.locator("mark", { hasText: "failed" }).waitFor();

    await page.getByRole("link", { name: "Terminal" }).click();
    await page.getByRole("button", { name: "Open" }).click();
    await page.locator(".badge").getByText("open", { exact: true }).waitFor();
    const columns = async (mark) => {
      await page.locator(".xterm").click();
      await page.keyboard.type(`echo ${mark}=$(stty size | cut -d' ' -f2)=\n`);
      const shown = page.locator(".xterm-rows").getByText(new RegExp(`^${mark}=\\d+=`));
      await shown.waitFor();
      return Number(/=(\d+)=/.exec(await shown.textContent())[1]);
    };
    const wide = await columns("wide");
    await page.setViewportSize({ width: 700, height: 800 });
    await until("the terminal is narrower", async () => (await columns(`n${Date.now()}`)) < wide);
    await page.setViewportSize({ width: 1440, height: 900 });

    await page.goto(`${agent.url}/ui/allocations/${a.ID}`);
    const { AllocatedResources } = await agent.get(`/v1/allocation/${a.ID}`);
    const [port] = AllocatedResources.Shared.Ports;
    await page.locator(`a[href="http://${port.HostIP}:${port.Value}"], a[href="http://${port.HostIP}:${port.Value}/"]`).first().waitFor();

    await page.goto(`${agent.url}/ui/settings`);
    await page.locator("select").filter({ hasText: "global" }).selectOption("global");
    await page.getByRole("link", { name: "Jobs" }).first().click();
    await page.getByRole("row", { name: /sized/ }).waitFor();
  });

  visit("canaries are promoted", "", async (page) => {
    const update = 'count = 2\n    update {\n      canary = 1\n      min_healthy_time = "100ms"\n    }';
    await agent.job(shell("steps", idle, update));
    await agent.running("steps", 2);
    await until("the first deployment is done", async () => (await agent.get("/v1/job/steps/deployments")).every((d) => d.Status === "successful"));
    await page.goto(`${agent.url}/ui/jobs/default/steps`);
    await page.getByRole("heading", { name: "steps" }).waitFor();
    await agent.job(shell("steps", `${idle} # two`, update));
    await page.getByText("1 of 1 canaries placed").waitFor();
    const promote = page.getByRole("button", { name: "Promote canaries" });
    await until("the canary is healthy", async () => (await agent.allocations("steps")).some((a) => a.DeploymentStatus?.Canary && a.DeploymentStatus.Healthy));
    await promote.click();
    await until("the deployment is successful", async () => (await agent.get("/v1/job/steps/deployment")).Status === "successful");
    await page.getByRole("button", { name: "Promote canaries" }).waitFor({ state: "detached" });
  });

  visit("what would place a job is said; purging asks first", "", async (page) => {
    await agent.job(shell("too-large", idle).replace("memory = 16", "memory = 9000000"));
    await page.goto(`${agent.url}/ui/jobs/default/too-large`);
    await page.getByRole("link", { name: "Why?" }).click();
    await page.getByText("No node is left.").waitFor();
    await page.getByRole("button", { name: "Actions" }).click();
    await page.getByRole("menuitem", { name: "Purge…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("This cannot be undone").waitFor();
    assert.ok(await dialog.getByRole("button", { name: "Purge job" }).isDisabled());
    await dialog.getByRole("textbox").fill("too-large");
    await dialog.getByRole("button", { name: "Purge job" }).click();
    await page.waitForURL("**/ui/jobs");
    await page.getByRole("row", { name: /too-large/ }).waitFor({ state: "detached" });
  });

  visit("the keyboard alone is enough", "", async (page, { live }) => {
    await live();
    await agent.job(shell("keys", idle));
    await page.keyboard.press("g");
    await page.keyboard.press("j");
    await page.waitForURL("**/ui/jobs");
    await page.getByRole("row", { name: /keys/ }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("keys");
    await page.waitForURL("**/ui/jobs?q=keys");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.getByRole("dialog").getByText("Next row").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Search everything" }).fill("keys");
    await page.getByRole("option", { name: /keys default/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/ui/jobs/default/keys");
  });

  const wide = async (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  for (const colorScheme of ["light", "dark"]) {
    visit(`accessible, at any width, in ${colorScheme}`, "", async (page, { live }) => {
      await agent.job(shell("looked-at", idle, 'network {\n      port "http" {}\n    }'));
      const [a] = await agent.running("looked-at", 1);
      await live();
      const all = [];
      for (const path of ["", "jobs", "jobs/default/looked-at", "jobs/default/looked-at?tab=versions", "jobs/default/looked-at?tab=why", "jobs/run", "allocations", `allocations/${a.ID}`, "settings", "nothing-there"]) {
        await page.goto(`${agent.url}/ui/${path}`);
        await page.locator("h1, .empty h2").first().waitFor();
        await page.waitForFunction(() => document.querySelector(".skeleton") === null);
        await page.evaluate(() => Promise.all(document.getAnimations().filter((x) => x.effect?.getTiming().iterations !== Infinity).map((x) => x.finished.catch(() => {}))));
        await page.evaluate(`${axe}; undefined`).catch(() => {});
        const found = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }).then((r) => r.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 160)} ${n.any[0]?.message ?? ""}`).join(" | ")}`)));
        all.push(...found.map((f) => `${path}: ${f}`));
        await page.setViewportSize({ width: 390, height: 844 });
        assert.ok((await wide(page)) <= 0, `${path} is wider than a phone by ${await wide(page)} px`);
        await page.setViewportSize({ width: 1440, height: 900 });
      }
      assert.deepEqual(all, []);
    }, { colorScheme });
  }

  test("a token with few rights sees what it may, and is told what it lacks", { timeout: 120_000 }, async () => {
    const guarded = await Agent.start("acl {\n  enabled = true\n}\n");
    try {
      await guarded.call("PUT", "/v1/acl/policy/reader", { Name: "reader", Rules: 'namespace "default" {\n  policy = "read"\n}' });
      const { SecretID } = await guarded.call("PUT", "/v1/acl/token", { Name: "reader", Type: "client", Policies: ["reader"] });
      await guarded.job(shell("kept", idle));
      const { page, context, faults, live } = await openPage(browser, guarded, "jobs");
      await page.getByText("You see no jobs").waitFor();
      await page.getByRole("link", { name: "Settings" }).click();
      await page.getByLabel(/Secret ID/).fill(SecretID);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("button", { name: "Sign out" }).waitFor();
      await live();
      await page.getByRole("link", { name: "Jobs" }).first().click();
      await page.getByRole("row", { name: /kept/ }).click();
      await page.getByRole("heading", { name: "kept" }).waitFor();
      await until("what it may not do is not offered", async () => (await page.getByRole("button", { name: "Actions" }).count()) === 0);
      assert.equal(await page.getByRole("link", { name: "Edit" }).count(), 0);
      assert.equal(await page.getByRole("button", { name: /^One more of/ }).count(), 0);
      assert.equal(await page.getByRole("link", { name: "Logs" }).count(), 0);
      const [{ ID }] = await guarded.running("kept", 1);
      await page.goto(`${guarded.url}/ui/allocations/${ID}?tab=terminal`);
      await page.getByText("Your token lacks alloc-exec").waitFor();
      assert.equal(await page.getByRole("button", { name: "Restart" }).count(), 0);
      await page.goto(`${guarded.url}/ui/jobs/run?edit=default/kept`);
      await page.getByText(/neither plan nor run it. Your token lacks submit-job or plan-job/).waitFor();
      assert.equal(await page.getByRole("button", { name: /^Plan/ }).isDisabled(), true);
      await page.goto(`${guarded.url}/ui/settings`);
      await page.getByText("Namespace default").waitFor();
      assert.equal((await guarded.get("/v1/job/kept")).Stop, false);
      assert.equal(await page.evaluate(() => localStorage.getItem("serai.token")), null);
      assert.deepEqual(faults, []);
      await context.close();
    } finally {
      await guarded.close();
    }
  });

  visit("says when it shows old data, and comes back by itself", "jobs", async (page, { live }) => {
    await live();
    await agent.kill("SIGKILL");
    await page.getByText("Connection lost.").waitFor();
    await agent.run();
    await agent.job(shell("after-the-break", idle));
    await page.getByRole("row", { name: /after-the-break/ }).waitFor();
    await live();
    await page.getByText("Connection lost.").waitFor({ state: "detached" });
  });
});
