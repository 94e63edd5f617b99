import { describe, expect, it } from "vitest";
import type { AutopilotHealth, RaftConfiguration, ServerMembers } from "../../api/types.gen";
import { lastContact, nanoseconds, serverState, servers, tolerance, versions } from "./cluster";

const member = (name: string, id: string, port: number, Status = "alive") => ({ Name: name, Addr: "10.0.0.1", Port: 4648, Status, Tags: { role: "nomad", id, port: String(port), rpc_addr: "10.0.0.1", build: "1.0.0", dc: "dc1", region: "global" } });
const members = (...m: object[]): ServerMembers => ({ ServerName: "a", ServerRegion: "global", ServerDC: "dc1", Members: m }) as ServerMembers;
const peer = (ID: string, port: number, Leader = false, Voter = true) => ({ ID, Node: ID, Address: `10.0.0.1:${port}`, Leader, Voter, RaftProtocol: "3" });
const raft = (...Servers: object[]): RaftConfiguration => ({ Index: 1, Servers }) as RaftConfiguration;

describe("servers", () => {
  it("puts together what gossip, Raft and autopilot know, the leader first", () => {
    const list = servers(members(member("a", "1", 1), member("b", "2", 2), { ...member("client", "9", 9), Tags: { role: "node" } }), raft(peer("1", 1), peer("2", 2, true)), { Servers: [{ ID: "1", Healthy: true, LastContact: 5e6, LastIndex: 7, Voter: true }] } as unknown as AutopilotHealth, "10.0.0.1:2");
    expect(list.map((s) => [s.name, s.leader, s.voter, s.health?.LastIndex])).toEqual([["b", true, true, undefined], ["a", false, true, 7]]);
    expect(list.map((s) => serverState(s).text)).toEqual(["leader", "follower"]);
  });
  it("shows a peer that gossip does not know, and a member that is no peer", () => {
    const list = servers(members(member("a", "1", 1)), raft(peer("2", 2)), undefined, "");
    expect(list.map((s) => [s.name, serverState(s).text])).toEqual([["2", "not in gossip"], ["a", "follower"]]);
  });
  it("says what is wrong first", () => {
    const [s] = servers(members(member("a", "1", 1, "failed")), raft(peer("1", 1)), undefined, "");
    expect(serverState(s as never)).toEqual({ tone: "bad", text: "failed" });
    expect(servers(undefined, undefined, undefined, "")).toEqual([]);
  });
  it("counts how many more may fail", () => {
    const five = servers(members(...[1, 2, 3, 4, 5].map((i) => member(`s${i}`, `${i}`, i, i > 4 ? "failed" : "alive"))), raft(...[1, 2, 3, 4, 5].map((i) => peer(`${i}`, i, i === 1))), undefined, "10.0.0.1:1");
    expect(tolerance(five)).toBe(1);
    expect(tolerance(five.slice(0, 1))).toBe(0);
  });
  it("reads durations as the API writes them, and believes no contact of a server that is gone", () => {
    expect(["6.174284ms", "1m2.5s", "0s", "316.4µs", "-1ns", "never", undefined, 5].map(nanoseconds)).toEqual([6174284, 62.5e9, 0, 316400, -1, undefined, undefined, 5]);
    const health = { Servers: [{ ID: "1", Healthy: true, LastContact: "13ms", Voter: true }, { ID: "2", Healthy: false, LastContact: "0s", Voter: true }] } as unknown as AutopilotHealth;
    expect(servers(members(member("a", "1", 1), member("b", "2", 2, "failed")), undefined, health, "").map(lastContact)).toEqual([13e6, undefined]);
  });
  it("finds several versions", () => {
    expect(versions(["1.1", "1.0", "1.0", ""])).toEqual([["1.0", 2], ["1.1", 1]]);
  });
});
