import { expect, it } from "vitest";
import { allows } from "./may";
import type { ACLGrants } from "./types.gen";

const grants = (change: Partial<ACLGrants>): ACLGrants => ({ Enabled: true, Management: false, Scopes: [], Namespaces: {}, NodePools: {}, ...change });

it("allows everything to management tokens, and where access control is off", () => {
  expect(allows(grants({ Management: true }), "System.GC")).toBe(true);
  expect(allows(grants({ Enabled: false }), "System.GC")).toBe(true);
  expect(allows(grants({}), "System.GC")).toBe(false);
});
it("asks for all of an alternative, and one alternative is enough", () => {
  expect(allows(grants({ Scopes: ["node:read"] }), "NodePool.Nodes")).toBe(false);
  expect(allows(grants({ Scopes: ["node:read"], NodePools: { gpu: ["read"] } }), "NodePool.Nodes", { pool: "gpu" })).toBe(true);
  expect(allows(grants({ Scopes: ["node:read"], NodePools: { gpu: ["read"] } }), "NodePool.Nodes", { pool: "other" })).toBe(false);
  expect(allows(grants({ Namespaces: { shop: ["promote-deployment"] } }), "Deployment.Promote", { namespace: "shop" })).toBe(true);
});
it("knows namespaces, also those that came later, and any of them", () => {
  const g = grants({ Namespaces: { "*": ["read-job"], shop: ["submit-job"] } });
  expect(allows(g, "Job.Read", { namespace: "new" })).toBe(true);
  expect(allows(g, "Job.Read", { namespace: "shop" })).toBe(false);
  expect(allows(g, "Job.Read", { namespace: "*" })).toBe(true);
  expect(allows(g, "Node.Drain")).toBe(false);
});
it("refuses nobody what is filtered or public", () => {
  expect(allows(grants({}), "Namespaces.List")).toBe(true);
  expect(allows(grants({}), "Status.Leader")).toBe(true);
});
