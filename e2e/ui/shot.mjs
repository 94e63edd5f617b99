// For whoever works on the UI: node e2e/ui/shot.mjs URL OUT [path…]
import { Agent, until } from "./agent.mjs";
import { launch, openPage } from "./browser.mjs";
import { fill } from "./story.mjs";

const out = process.argv[2] ?? "/tmp/shots";
const agent = await Agent.start();
const browser = await launch();
try {
  const ids = await fill(agent);
  for (const path of process.argv.slice(3)) {
    const at = path.replaceAll("$ALLOC", ids.alloc);
    const { page, context, faults, live } = await openPage(browser, agent, at, { colorScheme: process.env.DARK ? "dark" : "light", viewport: process.env.PHONE ? { width: 390, height: 844 } : { width: 1440, height: 900 } });
    await live().catch((e) => console.log("NOT LIVE", e.message.slice(0, 60)));
    await page.waitForTimeout(700);
    const file = `${out}/${at.replace(/[^\w]+/g, "_") || "overview"}.png`;
    await page.screenshot({ path: file });
    console.log(file, faults);
    await context.close();
  }
} finally {
  await browser.close();
  await agent.close();
}
