// What `make ui-bench` measures. Each gives figures: what, unit, budget, values.
import { readFile } from "node:fs/promises";
import { until } from "./agent.mjs";
import { openPage } from "./browser.mjs";
import { shell } from "./shell.mjs";

/** A script that ends for good when it ends. */
const once = (name, script, count = 1, type = "service") =>
  shell(
    name,
    script,
    `count = ${count}
    restart {
      attempts = 0
      mode     = "fail"
    }
    reschedule {
      attempts  = 0
      unlimited = false
    }`,
    type,
  );

/** The first load of the overview with an empty cache, until it says how the cluster is. */
export async function firstLoad(browser, agent) {
  const times = [];
  const sizes = [];
  for (let i = 0; i < 12; i++) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    await page.addInitScript(() => {
      new MutationObserver((_, o) => {
        if (document.querySelector(".all-well, .lines-list") === null || document.querySelector(".figure .value")?.textContent?.startsWith("–")) return;
        requestAnimationFrame(() => (window.usable = performance.now()));
        o.disconnect();
      }).observe(document, { childList: true, subtree: true, characterData: true });
    });
    await page.goto(`${agent.url}/ui/`);
    times.push(await page.waitForFunction(() => window.usable).then((h) => h.jsonValue()));
    sizes.push((await page.evaluate(() => performance.getEntriesByType("resource").filter((r) => r.name.endsWith(".js")).reduce((n, r) => n + r.encodedBodySize, 0))) / 1024);
    await context.close();
  }
  return [
    { what: "first load over loopback, empty cache, to an overview that says how the cluster is", unit: "ms", budget: 1000, values: times.slice(2) },
    { what: "JavaScript of the first load, compressed", unit: "KiB", budget: 200, worst: true, values: sizes.slice(-1) },
  ];
}

/** Notes when a text of a cell is there, by the clock of the machine; fails after half a minute. */
const seen = (page, id, text) =>
  page.evaluate(
    ([short, wanted]) =>
      new Promise((done, failed) => {
        setTimeout(() => failed(new Error(`${short} is not shown as ${wanted}`)), 30_000);
        const look = () => [...document.querySelectorAll(".line")].some((r) => r.textContent.includes(short) && r.textContent.includes(wanted)) && (o.disconnect(), done(Date.now()));
        const o = new MutationObserver(look);
        o.observe(document.body, { childList: true, subtree: true, characterData: true });
        look();
      }),
    [id.slice(0, 8), text],
  );

/** An allocation that changes its state: from the server's time of the change to the text on the page. */
export async function changes(browser, agent) {
  const n = 24;
  await agent.job(once("changing", "while [ ! -e $NOMAD_ALLOC_DIR/end ]; do sleep 0.05; done", n, "batch"));
  const list = await agent.running("changing", n);
  const { page, context, live } = await openPage(browser, agent, "allocations?q=changing");
  await live();
  await page.getByText(`${n} allocations`).waitFor();
  const values = [];
  for (const a of list) {
    const shown = seen(page, a.ID, "complete");
    await agent.call("PUT", `/v1/client/allocation/${a.ID}/signal`, { Task: "t", Signal: "SIGKILL" }).catch(() => {});
    const failed = seen(page, a.ID, "failed");
    const at = await Promise.race([shown, failed]);
    const changed = await agent.get(`/v1/allocation/${a.ID}`);
    values.push(Math.max(0, at - changed.ModifyTime / 1e6));
  }
  await context.close();
  await agent.call("DELETE", "/v1/job/changing?purge=true");
  return [{ what: "an allocation ends: from the server's time of it to the word on the page", unit: "ms", budget: 200, values }];
}

const rss = async (pid) => Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

/** The process of a page: that renderer which has worked most since before. */
async function renderer(browser, before) {
  const now = await processes(browser);
  return now.map((p) => ({ ...p, worked: p.cpuTime - (before.find((b) => b.id === p.id)?.cpuTime ?? 0) })).sort((a, b) => b.worked - a.worked)[0].id;
}

async function processes(browser) {
  const cdp = await browser.newBrowserCDPSession();
  const { processInfo } = await cdp.send("SystemInfo.getProcessInfo");
  await cdp.detach();
  return processInfo.filter((p) => p.type === "renderer");
}

/** A log of 5,000 lines a second, followed for a minute. */
export async function logs(browser, agent) {
  const script = `start=$(date +%s%N); i=0
    while true; do
      n=$(( ($(date +%s%N) - start) / 200000 )); t=$(date +%s%3N)
      [ $n -gt $i ] && seq $((i+1)) $n | sed "s|^|$t GET /basket/item of a line that is as long as lines are |"
      i=$n; sleep 0.1
    done`;
  await agent.job(once("talkative", script));
  const [a] = await agent.running("talkative", 1);
  const before = await processes(browser);
  const { page, context } = await openPage(browser, agent, `allocations/${a.ID}?tab=logs`);
  await page.locator(".log-line").first().waitFor();
  const last = () => page.evaluate(() => {
    const rows = [...document.querySelectorAll(".log-line")].map((r) => /(\d{13}) GET .* (\d+)/.exec(r.textContent ?? "")).filter((m) => m !== null);
    const line = rows.sort((x, y) => Number(x[2]) - Number(y[2])).pop();
    return { now: Date.now(), t: Number(line?.[1] ?? 0), n: Number(line?.[2] ?? 0) };
  });
  const pid = await renderer(browser, before);
  const first = await last();
  const lags = [];
  const memory = [];
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    await page.waitForTimeout(1000);
    const l = await last();
    lags.push(l.now - l.t);
    memory.push(await rss(pid));
  }
  const final = await last();
  await context.close();
  await agent.call("DELETE", "/v1/job/talkative?purge=true");
  return [
    { what: "following a log for a minute: lines shown a second (5,000 are written)", unit: "", values: [((final.n - first.n) * 1000) / (final.now - first.now)] },
    { what: "the same: how old the last line on the page is, once a second", unit: "ms", budget: 1000, values: lags },
    { what: "the same: resident memory of the page's process", unit: "MiB", budget: 300, worst: true, values: memory },
  ];
}

/** Runs act with a trace, and gives how long each task of the page's main thread took: by the clock, and of CPU time, in milliseconds. */
async function traced(browser, page, act) {
  await browser.startTracing(page, { categories: ["toplevel", "disabled-by-default-devtools.timeline", "devtools.timeline", "__metadata"] });
  const frames = page.evaluate(() => new Promise((done) => {
    const list = [];
    let then = performance.now();
    window.endFrames = () => done(list);
    const tick = (now) => {
      list.push(now - then);
      then = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }));
  await act();
  await page.evaluate(() => window.endFrames());
  const gaps = await frames;
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  const main = new Set(traceEvents.filter((e) => e.name === "thread_name" && e.args?.name === "CrRendererMain").map((e) => `${e.pid}/${e.tid}`));
  const tasks = traceEvents.filter((e) => e.ph === "X" && e.name === "RunTask" && main.has(`${e.pid}/${e.tid}`));
  const busiest = new Map();
  for (const t of tasks) busiest.set(t.pid, (busiest.get(t.pid) ?? 0) + t.dur);
  const pid = [...busiest].sort((x, y) => y[1] - x[1])[0]?.[0];
  const of = tasks.filter((t) => t.pid === pid && t.dur > 500);
  return { gaps: gaps.slice(2), wall: of.map((t) => t.dur / 1000), cpu: of.map((t) => (t.tdur ?? t.dur) / 1000) };
}

const frameFigures = (what, { gaps, wall, cpu }) => [
  { what: `${what}: time between frames`, unit: "ms", budget: 50, worst: true, values: gaps },
  { what: `${what}: tasks of the page's thread, by the clock`, unit: "ms", values: wall },
  { what: `${what}: the same, CPU time`, unit: "ms", budget: 50, worst: true, values: cpu },
];

/** A list of 50,000 allocations: until it is there, scrolled, and with changes. */
export async function scroll(browser, agent) {
  const { page, context, live } = await openPage(browser, agent, "jobs");
  await live();
  const began = Date.now();
  await page.getByRole("link", { name: "Allocations" }).first().click();
  await page.getByText("50,000 allocations").waitFor({ timeout: 120_000 });
  const open = Date.now() - began;
  await page.waitForTimeout(2000);
  await page.mouse.move(700, 500);
  const scrolled = await traced(browser, page, async () => {
    for (let i = 0; i < 150; i++) await page.mouse.wheel(0, i % 50 === 49 ? 200_000 : 700);
  });
  await page.evaluate(() => document.getElementById("main").scrollTo(0, 0));
  await page.waitForTimeout(500); // until the rows are those of the top
  // A change of one of them while all are on the page.
  const values = [];
  for (let i = 0; i < 20; i++) {
    const id = await page.locator(".line").nth(i).locator("a").first().getAttribute("href").then((h) => h.split("/").pop());
    const shown = seen(page, id, "stopping");
    await agent.call("PUT", `/v1/allocation/${id}/stop`);
    const at = await shown;
    values.push(Math.max(0, at - (await agent.get(`/v1/allocation/${id}`)).ModifyTime / 1e6));
  }
  await context.close();
  return [
    { what: "the list of 50,000 allocations, from the click until it is there", unit: "ms", values: [open] },
    ...frameFigures("scrolling 50,000 allocations", scrolled),
    { what: "one of 50,000 is stopped: from the server's time of it to the word on the page", unit: "ms", budget: 200, values },
  ];
}

/** The map of 5,000 nodes with 50,000 allocations. */
export async function map(browser, agent) {
  const { page, context } = await openPage(browser, agent, "topology?by=meta.rack");
  const began = Date.now();
  await page.getByText(/5,00\d nodes in 12\d groups/).waitFor({ timeout: 60_000 });
  const place = page.locator("[data-map]");
  await place.hover({ position: { x: 40, y: 45 } });
  await page.locator(".map-card").filter({ hasText: "allocations: job" }).waitFor({ timeout: 60_000 });
  const open = Date.now() - began;
  const hovered = await traced(browser, page, async () => {
    for (let i = 0; i < 200; i++) await page.mouse.move(300 + ((i * 13) % 1000), 300 + ((i * 7) % 500));
  });
  const zoomed = await traced(browser, page, async () => {
    await place.focus();
    for (const k of ["+", "+", "+", "+", "+", "-", "-", "-", "+", "+"]) {
      await page.keyboard.press(k);
      await page.mouse.wheel(0, 300);
      await page.mouse.wheel(0, -300);
    }
  });
  await until("it was drawn", async () => (await page.evaluate(() => performance.getEntriesByName("map-draw").length)) > 5);
  await context.close();
  return [
    { what: "the map of 5,000 nodes, until it knows its 50,000 allocations", unit: "ms", values: [open] },
    ...frameFigures("moving over the map", hovered),
    ...frameFigures("zooming the map", zoomed),
  ];
}
