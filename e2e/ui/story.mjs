// A cluster with something of everything: what screenshots and tests look at.
import { until } from "./agent.mjs";

export async function fill(agent) {
  for (const name of ["shop.hcl", "stuck.hcl", "nightly.hcl", "failing.hcl", "render.hcl"]) await agent.job(await agent.jobFile(name));
  await agent.call("PUT", "/v1/job/nightly-report/periodic/force");
  await agent.call("PUT", "/v1/job/render/dispatch", { Meta: { scene: "sunset" } });
  const front = await agent.running("shop", 5);
  await until("the first deployment of shop is done", async () => (await agent.get("/v1/job/shop/deployments")).every((d) => d.Status === "successful"));
  const shop = (await agent.jobFile("shop.hcl")).replace("count = 3", "count = 4").replace("GET /cart", "GET /basket");
  await agent.job(shop);
  await until("a canary of shop runs", async () => (await agent.allocations("shop")).some((a) => a.DeploymentStatus?.Canary && a.DeploymentStatus.Healthy));
  const alloc = front.find((a) => a.TaskGroup === "front").ID;
  const failed = (await agent.allocations("import"))[0].ID;
  const node = (await agent.get("/v1/nodes"))[0].ID;
  const evaluation = (await agent.get("/v1/job/train-model/evaluations")).find((e) => e.Status === "blocked").ID;
  return { alloc, failed, node, evaluation };
}
