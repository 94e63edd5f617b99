// One subscription to the agent's event stream, which comes back by itself.
import type { EventBatch } from "./event";

export type LiveState = "connecting" | "live" | "waiting" | "denied" | "unavailable";

export interface LiveStatus {
  state: LiveState;
  since: number; // when the state began, Unix milliseconds
  retryAt: number; // waiting: when the next attempt is made
  reason: string;
  generation: number; // counts the times that the stream has begun anew
  asOf: number; // what was read before this time may lack changes that no event will tell of
}

export interface StreamTarget {
  token: string;
  region: string;
}

export interface StreamListener {
  batch(events: EventBatch): void;
  status(status: LiveStatus): void;
}

const TOPICS = ["Job", "Allocation", "Evaluation", "Deployment", "Node", "NodePool", "Service"];
/** What a token may see that has no right to nodes. */
const FEWER_TOPICS = ["Job", "Allocation", "Evaluation", "Deployment", "Service"];

/** A heartbeat comes every 30 s; silence for longer means that the connection is dead. */
const SILENCE = 45_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 8_000;
/** The longest line that is read, in characters; a longer one is skipped. */
const MAX_LINE = 64 << 20;

export class Stream {
  private stopped = false;
  private abort = new AbortController();
  private wake: (() => void) | undefined;
  private generation = 0;
  private topics = TOPICS;
  status: LiveStatus = { state: "connecting", since: Date.now(), retryAt: 0, reason: "", generation: 0, asOf: 0 };

  constructor(
    private readonly target: StreamTarget,
    private readonly listener: StreamListener,
    private readonly get: typeof fetch = (...a) => fetch(...a),
  ) {}

  /** Follows the stream until close. */
  async run(): Promise<void> {
    let wait = FIRST_WAIT;
    while (!this.stopped) {
      const began = Date.now();
      try {
        await this.follow();
      } catch (e) {
        if (this.stopped) return;
        this.fail(e);
      }
      if (this.stopped) return;
      if (this.status.state === "denied" || this.status.state === "unavailable") {
        await this.sleep(60_000);
        continue;
      }
      if (Date.now() - began > 10_000) wait = FIRST_WAIT;
      const jittered = wait * (0.75 + Math.random() / 2);
      this.set({ state: "waiting", retryAt: Date.now() + jittered, reason: this.status.reason });
      await this.sleep(jittered);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  }

  close(): void {
    this.stopped = true;
    this.abort.abort();
    this.wake?.();
  }

  /** Tries at once where it would wait. */
  retry(): void {
    this.wake?.();
  }

  private set(change: Partial<LiveStatus>): void {
    const since = change.state !== undefined && change.state !== this.status.state ? Date.now() : this.status.since;
    this.status = { ...this.status, retryAt: 0, ...change, since };
    this.listener.status(this.status);
  }

  private fail(e: unknown): void {
    const reason = e instanceof Refused ? e.message : "the agent does not answer";
    if (e instanceof Refused && (e.status === 401 || e.status === 403)) {
      if (this.topics === TOPICS) {
        this.topics = FEWER_TOPICS;
        this.set({ reason });
        return;
      }
      this.set({ state: "denied", reason });
    } else if (e instanceof Refused && e.status === 501) {
      this.set({ state: "unavailable", reason });
    } else {
      this.set({ reason });
    }
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private url(path: string, query: Record<string, string>): string {
    const q = new URLSearchParams({ namespace: "*", ...query });
    if (this.target.region !== "") q.set("region", this.target.region);
    return `${path}?${q.toString()}`;
  }

  private request(url: string): Promise<Response> {
    const headers: Record<string, string> = this.target.token === "" ? {} : { "X-Nomad-Token": this.target.token };
    return this.get(url, { headers, signal: this.abort.signal, cache: "no-store" });
  }

  /** The index from which on events are new. */
  private async index(): Promise<number> {
    const seen = await Promise.all(
      ["/v1/evaluations", "/v1/allocations"].map(async (path) => {
        const r = await this.request(this.url(path, { per_page: "1" }));
        await r.body?.cancel();
        return Number(r.headers.get("X-Nomad-Index") ?? 0);
      }),
    );
    return Math.max(0, ...seen);
  }

  private async follow(): Promise<void> {
    if (this.status.state !== "waiting") this.set({ state: "connecting" });
    this.abort = new AbortController();
    const asOf = Date.now();
    const index = await this.index();
    let url = this.url("/v1/event/stream", { index: String(index + 1) });
    for (const topic of this.topics) url += `&topic=${topic}`;
    const r = await this.request(url);
    if (!r.ok || r.body === null) throw new Refused(r.status, (await r.text()).slice(0, 500).trim());
    this.generation++;
    this.set({ state: "live", reason: "", generation: this.generation, asOf });
    await this.lines(r.body);
    this.set({ reason: "the agent has ended the stream" });
  }

  private async lines(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    try {
      for (;;) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => this.abort.abort(), SILENCE);
        const { done, value } = await reader.read();
        if (done) return;
        rest += decoder.decode(value, { stream: true });
        const parts = rest.split("\n");
        rest = parts.pop() ?? "";
        if (rest.length > MAX_LINE) throw new Error("an event is too large");
        for (const line of parts) this.line(line);
      }
    } finally {
      clearTimeout(watchdog);
    }
  }

  private line(line: string): void {
    if (line === "" || line === "{}") return;
    const batch = JSON.parse(line) as EventBatch & { Error?: string };
    if (batch.Error !== undefined) throw new Error(batch.Error);
    this.listener.batch(batch);
  }
}

/** A stream that the agent has refused. */
class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message || `status ${status}`);
  }
}
