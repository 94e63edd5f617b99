import { describe, expect, it } from "vitest";
import { pretty } from "./EventDetail";
import { joined } from "./feed";
import { EventRing, everything, type Line } from "./ring";

const event = (change: object) => ({ Topic: "Job", Type: "JobRegistered", Key: "web", Namespace: "default", FilterKeys: null, Index: 1, Payload: { Job: { ID: "web", Type: "service", Status: "running" } }, ...change });
const line = (index: number, ...events: object[]): string => JSON.stringify({ Index: index, Events: events.map((e) => event({ Index: index, ...e })) });

describe("the ring of events", () => {
  it("keeps the last ones, in order, and counts all", () => {
    const ring = new EventRing(100);
    for (let i = 1; i <= 1000; i++) ring.push(line(i, { Key: `job-${i}` }));
    expect(ring).toMatchObject({ size: 100, total: 1000, first: 901 });
    const lines = ring.lines(everything);
    expect(lines.map((l) => l.key)).toEqual(Array.from({ length: 100 }, (_, i) => `job-${901 + i}`));
    expect(JSON.parse(ring.json(1000))).toMatchObject({ Key: "job-1000" });
    expect(ring.json(900)).toBe("");
    expect(ring.json(1001)).toBe("");
  });
  it("keeps less of large events, but always the last", () => {
    const ring = new EventRing(1000, 5_000_000);
    const large = "x".repeat(1_000_000);
    for (let i = 1; i <= 20; i++) ring.push(line(i, { Payload: { Job: { ID: large } } }));
    expect(ring.size).toBe(4);
    expect(ring.characters).toBeLessThanOrEqual(5_000_000);
    expect(ring.lines(everything)[0]?.what.length).toBeLessThan(1000);
    ring.push(line(21, { Payload: { Job: { ID: "y".repeat(6_000_000) } } }));
    expect(ring.size).toBe(1);
    for (let i = 22; i <= 200; i++) ring.push(line(i, {}));
    expect(ring.size).toBe(179);
    expect(ring.characters).toBeLessThan(100_000);
  });
  it("counts a line of several events once, until the last of them is gone", () => {
    const ring = new EventRing(3);
    ring.push(line(1, { Key: "a" }, { Key: "b" }));
    const one = ring.characters;
    ring.push(line(2, { Key: "c" }));
    ring.push(line(3, { Key: "d" }));
    expect(ring.lines(everything).map((l) => l.key)).toEqual(["b", "c", "d"]);
    ring.push(line(4, { Key: "e" }));
    expect(ring.characters).toBeLessThan(one * 3);
    expect(JSON.parse(ring.json(ring.first))).toMatchObject({ Key: "c" });
  });
  it("filters by topic, namespace, key and filter key", () => {
    const ring = new EventRing();
    ring.push(line(1, { Key: "a", Namespace: "shop" }, { Topic: "Node", Key: "n", Namespace: undefined, Payload: { Node: { Name: "n" } } }, { Topic: "Allocation", Key: "x", FilterKeys: ["a", "dep"], Payload: { Allocation: { Name: "a.g[0]", ClientStatus: "running" } } }));
    const keys = (f: object): string[] => ring.lines({ ...everything, ...f }).map((l) => l.key);
    expect(keys({})).toEqual(["a", "n", "x"]);
    expect(keys({ topic: "Node" })).toEqual(["n"]);
    expect(keys({ namespace: "shop" })).toEqual(["a", "n"]);
    expect(keys({ key: "a" })).toEqual(["a", "x"]);
    expect(keys({ key: "" })).toHaveLength(3);
  });
  it("searches all of an event, and not those beside it", () => {
    const ring = new EventRing();
    ring.push(line(1, { Key: "a", Payload: { Job: { ID: "a", Meta: { note: "Needle" } } } }, { Key: "b" }));
    expect(ring.lines({ ...everything, text: "needle" }).map((l) => l.key)).toEqual(["a"]);
  });
  it("takes hostile names as text, and refuses what is no event", () => {
    const ring = new EventRing();
    ring.push(line(1, { Key: "<img src=x onerror=alert(1)>", Payload: {} }, { Payload: null, FilterKeys: ["x"] }));
    expect(ring.lines(everything)[0]?.key).toBe("<img src=x onerror=alert(1)>");
    expect(() => ring.push('{"Error":"gone"}')).toThrow("gone");
    expect(() => ring.push("nonsense")).toThrow();
    expect(ring.push('{"Index":5}').added).toEqual([]);
  });
});

describe("the list of the page", () => {
  const lines = (from: number, to: number): Line[] => Array.from({ length: to - from + 1 }, (_, i) => ({ seq: from + i }) as Line);
  it("grows, and lets go of what is not kept any more", () => {
    expect(joined(lines(1, 5), { anew: false, lines: lines(6, 8), first: 4 }).map((l) => l.seq)).toEqual([4, 5, 6, 7, 8]);
    expect(joined(lines(1, 5), { anew: false, lines: lines(6, 9), first: 1 }, 6).map((l) => l.seq)).toEqual([4, 5, 6, 7, 8, 9]);
    expect(joined(lines(1, 5), { anew: true, lines: lines(2, 3), first: 1 }).map((l) => l.seq)).toEqual([2, 3]);
    const before = lines(1, 5);
    expect(joined(before, { anew: false, lines: [], first: 1 })).toBe(before);
  });
});

describe("an event for people", () => {
  it("cuts long texts and makes what turns text around visible", () => {
    const text = pretty(JSON.stringify({ a: "x".repeat(1_000_000), b: "\u202Eevil" }));
    expect(text.length).toBeLessThan(10_000);
    expect(text).toContain("996,000 more characters");
    expect(text).not.toContain("\u202E");
  });
});
