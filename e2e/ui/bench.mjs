// Measures the budgets of the web UI in Debian's Chromium against real agents:
//
//   node e2e/ui/bench.mjs SNAPSHOT [REGEXP]
//
// SNAPSHOT is a cluster of 50,000 allocations on 5,000 nodes, which `make
// ui-bench` writes. It prints a table with verdicts and ends by itself. On a
// busy machine the rows in CPU time say more than those by the clock.
import { loadavg } from "node:os";
import { Agent } from "./agent.mjs";
import { hasBrowser, launch } from "./browser.mjs";
import { changes, firstLoad, logs, map, scroll } from "./measures.mjs";

const [snapshot, only = "."] = process.argv.slice(2);
if (!hasBrowser || snapshot === undefined) {
  console.error(hasBrowser ? "usage: node e2e/ui/bench.mjs SNAPSHOT [REGEXP]" : "no Chromium here: apt-get install chromium");
  process.exit(2);
}

const quantile = (v, q) => v[Math.min(v.length - 1, Math.floor(v.length * q))];
const show = (n) => (n >= 100 ? n.toFixed(0) : n.toFixed(1));

/** Prints a row; figures whose budget is for their worst say so. */
function row({ what, unit, budget, worst = false, values }) {
  const v = [...values].sort((a, b) => a - b);
  if (v.length === 0) {
    console.log(`| ${what} | | 0 | | | | | not measured |`);
    return false;
  }
  const judged = worst ? v[v.length - 1] : quantile(v, 0.5);
  const met = budget === undefined || judged <= budget;
  console.log(`| ${what} | ${budget === undefined ? "" : `${worst ? "each " : ""}≤ ${budget} ${unit}`} | ${v.length} | ${[v[0], quantile(v, 0.5), quantile(v, 0.95), v[v.length - 1]].map(show).join(" | ")} | ${budget === undefined ? "" : met ? "met" : "**missed**"} |`);
  return met;
}

let failed = 0;
const load = loadavg()[0];
console.log(`load before: ${load.toFixed(1)}\n\n| what | budget | n | least | median | p95 | greatest | |\n|---|---|---|---|---|---|---|---|`);
const browser = await launch(["--enable-precise-memory-info"]);
const agents = [];
const start = async (make) => {
  const a = await make();
  agents.push(a);
  return a;
};
try {
  const groups = [
    [() => Agent.start(), [firstLoad, changes, logs]],
    [() => Agent.restored(snapshot), [scroll, map]],
  ];
  for (const [make, list] of groups) {
    const wanted = list.filter((m) => new RegExp(only).test(m.name));
    if (wanted.length === 0) continue;
    const agent = await start(make);
    for (const measure of wanted) {
      try {
        for (const figure of await measure(browser, agent)) if (!row(figure)) failed++;
      } catch (e) {
        failed++;
        console.log(`| ${measure.name} | | | | | | | not measured: ${e.message.split("\n")[0]} |`);
      }
    }
    await agents.pop().close();
  }
} finally {
  await browser.close();
  for (const a of agents) await a.close();
}
console.log(`\nload after: ${loadavg()[0].toFixed(1)}`);
process.exitCode = failed > 0 ? 1 : 0;
