// The servers of a region as gossip, Raft and autopilot see them, put together.
import type { AgentMember, AutopilotHealth, RaftConfiguration, ServerHealth, ServerMembers } from "../../api/types.gen";
import type { State } from "../../lib/status";

export interface Server {
  id: string; // in Raft; empty where it is not known
  name: string;
  address: string; // for calls of servers
  version: string;
  region: string;
  datacenter: string;
  gossip: string; // alive, left, failed, …; empty: not a member
  leader: boolean;
  voter: boolean | undefined; // undefined: no peer
  health: ServerHealth | undefined;
}

/** Whether a member is a server: the role has the name that other tools know. */
const isServer = (m: AgentMember): boolean => m.Tags?.role === "nomad" || m.Tags?.role === "serai" || m.Tags?.role === "server";

/** One line for each server, whichever of the three knows it; the leader first. */
export function servers(members: ServerMembers | undefined, raft: RaftConfiguration | undefined, autopilot: AutopilotHealth | undefined, leader: string): Server[] {
  const list = new Map<string, Server>();
  for (const m of members?.Members ?? []) {
    if (!isServer(m)) continue;
    const t = m.Tags ?? {};
    const address = `${t.rpc_addr ?? m.Addr}:${t.port ?? m.Port}`;
    const id = t.id ?? "";
    list.set(id || address, { id, name: m.Name, address, version: t.build ?? "", region: t.region ?? "", datacenter: t.dc ?? "", gossip: m.Status, leader: address === leader, voter: undefined, health: undefined });
  }
  const find = (id: string, address: string): Server => {
    const found = list.get(id) ?? [...list.values()].find((s) => s.address === address);
    if (found !== undefined) return found;
    const made: Server = { id, name: id, address, version: "", region: "", datacenter: "", gossip: "", leader: address === leader, voter: undefined, health: undefined };
    list.set(id || address, made);
    return made;
  };
  for (const r of raft?.Servers ?? []) {
    const s = find(r.ID, r.Address);
    s.id ||= r.ID;
    if (s.name === r.ID && r.Node !== "" && r.Node !== "(unknown)") s.name = r.Node;
    s.voter = r.Voter;
    s.leader = r.Leader;
  }
  for (const h of autopilot?.Servers ?? []) {
    const s = find(h.ID, h.Address);
    s.health = h;
    s.voter ??= h.Voter;
    if (s.version === "") s.version = h.Version;
    if (s.name === h.ID && h.Name !== "") s.name = h.Name;
  }
  return [...list.values()].sort((a, b) => Number(b.leader) - Number(a.leader) || (a.name < b.name ? -1 : 1));
}

const units: Record<string, number> = { h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, "µs": 1e3, us: 1e3, ns: 1 };

/** A duration in nanoseconds. The API writes those of Raft and autopilot as texts: "1m2.5s". Undefined: it is none. */
export function nanoseconds(d: string | number | undefined): number | undefined {
  if (typeof d !== "string") return d;
  if (!/^-?(\d+(\.\d+)?(h|ms|m|s|µs|us|ns))+$/.test(d)) return d === "0" ? 0 : undefined;
  const sum = [...d.matchAll(/([\d.]+)(h|ms|m|s|µs|us|ns)/g)].reduce((n, [, v, unit]) => n + Number(v) * (units[unit ?? ""] ?? 0), 0);
  return d.startsWith("-") ? -sum : sum;
}

/** How long ago a server has heard of the leader, in nanoseconds; undefined where that is not known. */
export function lastContact(s: Server): number | undefined {
  // A server that does not answer has told nothing: its zero is no time.
  return s.health === undefined || s.gossip === "failed" ? undefined : nanoseconds(s.health.LastContact);
}

/** The state of a server in a word. */
export function serverState(s: Server): State {
  if (s.gossip === "failed") return { tone: "bad", text: "failed" };
  if (s.gossip === "left" || s.gossip === "leaving") return { tone: "off", text: s.gossip };
  if (s.gossip === "" && s.voter !== undefined) return { tone: "warn", text: "not in gossip" };
  if (s.health !== undefined && !s.health.Healthy) return { tone: "bad", text: "unhealthy" };
  if (s.voter === false) return { tone: "busy", text: "catching up" };
  return { tone: "ok", text: s.leader ? "leader" : "follower" };
}

/** How many servers may fail before the cluster cannot decide any more. */
export function tolerance(list: Server[]): number {
  const voters = list.filter((s) => s.voter === true);
  const well = voters.filter((s) => serverState(s).tone === "ok").length;
  return Math.max(0, well - (Math.floor(voters.length / 2) + 1));
}

/** Versions with how many agents run each, the most common first; more than one is a skew. */
export function versions(list: string[]): [version: string, n: number][] {
  const counts = new Map<string, number>();
  for (const v of list) if (v !== "") counts.set(v, (counts.get(v) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? 1 : -1));
}
