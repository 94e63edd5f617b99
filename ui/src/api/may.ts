// What the token may do, so that only that is offered. The agent decides; this
// only spares people buttons that would be refused.
import { useRead } from "./query";
import { operations, type ACLGrants, type OperationName } from "./types.gen";

/** Where a capability is needed: a namespace, or any of them ("*"), or a node pool. */
export interface Place {
  namespace?: string;
  pool?: string;
}

const POOL = "node_pool:";

/** The grants of a namespace. One that did not exist when they were read has what holds in every one. */
const inNamespace = (g: ACLGrants, namespace: string): string[] => g.Namespaces?.[namespace] ?? g.Namespaces?.["*"] ?? [];

function has(g: ACLGrants, capability: string, place: Place): boolean {
  if (capability === "management") return false;
  if (capability === "token") return true; // who has none is told when it matters
  if (capability.startsWith(POOL)) {
    const name = capability.slice(POOL.length);
    return place.pool === undefined ? Object.values(g.NodePools ?? {}).some((c) => c?.includes(name)) : (g.NodePools?.[place.pool] ?? []).includes(name);
  }
  if (capability.includes(":")) return (g.Scopes ?? []).includes(capability);
  if (place.namespace !== undefined && place.namespace !== "*") {
    const granted = inNamespace(g, place.namespace);
    return capability === "any" ? granted.length > 0 : granted.includes(capability);
  }
  return Object.values(g.Namespaces ?? {}).some((c) => capability === "any" || c?.includes(capability));
}

/** Says whether an operation is allowed. "a & b" needs both, "a | b" one; "filter" refuses nobody. */
export function allows(g: ACLGrants, operation: OperationName, place: Place = {}): boolean {
  const needs = operations[operation][2];
  if (g.Management || !g.Enabled || needs === "" || needs.startsWith("filter")) return true;
  return needs.split("|").some((all) => all.split("&").every((c) => has(g, c.trim(), place)));
}

/** A function that says what is allowed; before that is known, everything is. */
export function useMay(): (operation: OperationName, place?: Place) => boolean {
  const grants = useRead("ACLToken.Grants", {});
  return (operation, place) => grants.data === undefined || allows(grants.data, operation, place);
}

/** The capability that an operation needs, in words for a hint. */
export const needed = (operation: OperationName): string => `Your token lacks ${operations[operation][2].replaceAll(" | ", " or ").replaceAll(" & ", " and ")}.`;
