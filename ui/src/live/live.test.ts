import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { concerns } from "./affected";
import type { LiveEvent } from "./event";
import { Refresher } from "./refresher";
import { Stream, type LiveStatus } from "./stream";

const event = (Topic: string, Key: string, object: Record<string, unknown> = {}): LiveEvent => ({ Topic, Type: "x", Key, Namespace: "default", FilterKeys: null, Index: 7, Payload: { [Topic]: object } });

describe("which reads an event concerns", () => {
  it("goes by job and namespace", () => {
    const e = event("Allocation", "a1", { JobID: "web", NodeID: "n1" });
    expect(concerns("Job.Allocations", { id: "web", namespace: "default" }, e)).toBe(true);
    expect(concerns("Job.Allocations", { id: "web", namespace: "prod" }, e)).toBe(false);
    expect(concerns("Job.Allocations", { id: "db", namespace: "default" }, e)).toBe(false);
    expect(concerns("Allocation.Read", { id: "a1" }, e)).toBe(true);
    expect(concerns("Node.Allocations", { id: "n1" }, e)).toBe(true);
    expect(concerns("Jobs.List", {}, e)).toBe(true);
    expect(concerns("Status.Leader", {}, e)).toBe(false);
  });
});

describe("Refresher", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("fetches at once when it was quiet, and seldom in a storm, and not what nobody looks at", async () => {
    const client = new QueryClient({ defaultOptions: { queries: { staleTime: Infinity, retry: false } } });
    let asked = 0;
    const answer = async (): Promise<number> => {
      asked++;
      await new Promise((r) => setTimeout(r, 20));
      return asked;
    };
    const observer = new QueryObserver(client, { queryKey: ["Jobs.List", {}, null], queryFn: answer });
    const stop = observer.subscribe(() => {});
    await vi.advanceTimersByTimeAsync(50);
    expect(asked).toBe(1);
    const unseen = vi.fn(answer);
    void client.prefetchQuery({ queryKey: ["Job.Read", { id: "web" }, null], queryFn: unseen });
    await vi.advanceTimersByTimeAsync(50);
    expect(asked).toBe(2);

    const r = new Refresher(client);
    r.take({ Index: 7, Events: [event("Job", "web")] });
    await vi.advanceTimersByTimeAsync(30);
    expect(asked).toBe(3);
    for (let i = 0; i < 1000; i++) {
      r.take({ Index: 8 + i, Events: [event("Job", "web")] });
      await vi.advanceTimersByTimeAsync(1);
    }
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked).toBeGreaterThan(4);
    expect(asked).toBeLessThan(15);
    expect(unseen).toHaveBeenCalledTimes(1);
    stop();
  });
});

describe("Stream", () => {
  const answer = (text: string, status = 200): Response => new Response(text, { status, headers: { "X-Nomad-Index": "41" } });

  it("gives batches, waits longer and longer, and comes back", async () => {
    const seen: LiveStatus["state"][] = [];
    const keys: string[] = [];
    let streams = 0;
    const urls: string[] = [];
    const get = vi.fn(async (input: RequestInfo | URL) => {
      const url = String(input);
      if (!url.includes("event/stream")) return answer("[]");
      urls.push(url);
      if (++streams === 2) throw new TypeError("refused");
      return answer(`{}\n${JSON.stringify({ Index: 42, Events: [event("Job", `job${streams}`)] })}\n`);
    });
    const s = new Stream({ token: "secret", region: "eu" }, { batch: (b) => keys.push(...b.Events.map((e) => e.Key)), status: (x) => seen.push(x.state) }, get as typeof fetch);
    const done = s.run();
    await vi.waitFor(() => expect(keys).toContain("job3"), { timeout: 15_000 });
    s.close();
    await done;
    expect(keys.slice(0, 2)).toEqual(["job1", "job3"]);
    expect(seen.slice(0, 3)).toEqual(["connecting", "live", "live"]);
    expect(seen).toContain("waiting");
    expect(urls[0]).toContain("index=42");
    expect(urls[0]).toContain("region=eu");
  });

  it("asks for less where a token may not see nodes, and says when it may see nothing", async () => {
    const urls: string[] = [];
    const get = async (input: RequestInfo | URL): Promise<Response> => {
      const url = String(input);
      if (!url.includes("event/stream")) return answer("[]");
      urls.push(url);
      return answer("Permission denied", 403);
    };
    let last: LiveStatus | undefined;
    const s = new Stream({ token: "", region: "" }, { batch: () => {}, status: (x) => (last = x) }, get as typeof fetch);
    const done = s.run();
    await vi.waitFor(() => expect(last?.state).toBe("denied"), { timeout: 15_000 });
    s.close();
    await done;
    expect(urls[0]).toContain("topic=Node");
    expect(urls[1]).not.toContain("topic=Node");
    expect(last?.reason).toBe("Permission denied");
  });
});
