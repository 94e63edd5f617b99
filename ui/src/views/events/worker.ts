// Follows the whole event stream beside the page, so that thousands of events a
// second do not hold it up: the page is told what its filter lets through, in
// batches, and asks for the JSON of what it shows.
import { EventRing, bare, everything, type EventFilter, type Line } from "./ring";

export type ToFeed =
  | { kind: "open"; token: string; region: string }
  | { kind: "filter"; filter: EventFilter }
  | { kind: "read"; seq: number };

export type FromFeed =
  | { kind: "lines"; anew: boolean; lines: Line[]; first: number; total: number; rate: number }
  | { kind: "json"; seq: number; text: string }
  | { kind: "status"; state: "connecting" | "live" | "waiting" | "denied"; reason: string };

const EVERY = 120; // milliseconds between two batches
const MOST_LINES = 20_000;
const MAX_LINE = 64 << 20; // characters; a longer line ends the connection
const SILENCE = 45_000; // heartbeats come more often

const ring = new EventRing();
let filter: EventFilter = everything;
let pending: number[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;
let counted = { at: Date.now(), total: 0, rate: 0 };

const tell = (m: FromFeed): void => (self as unknown as Worker).postMessage(m);

function rate(): number {
  const passed = Date.now() - counted.at;
  if (passed >= 1000) counted = { at: Date.now(), total: ring.total, rate: ((ring.total - counted.total) * 1000) / passed };
  return counted.rate;
}

function flush(anew = false): void {
  clearTimeout(timer);
  timer = undefined;
  const lines = anew ? ring.lines(filter, MOST_LINES) : pending.filter((seq) => ring.passes(seq, filter)).map((seq) => bare(fresh.get(seq) as Line));
  pending = [];
  fresh.clear();
  tell({ kind: "lines", anew, lines, first: ring.first, total: ring.total, rate: rate() });
}

const fresh = new Map<number, Line>();

/** Once a second, so that the rate falls when nothing comes any more. */
setInterval(() => {
  if (counted.rate > 0 || pending.length > 0) flush();
}, 1000);

function take(line: string, live: boolean): number {
  if (line === "" || line === "{}") return 0;
  const { added, index } = ring.push(line, live ? Date.now() : undefined);
  for (const l of added) {
    pending.push(l.seq);
    fresh.set(l.seq, l);
  }
  timer ??= setTimeout(() => flush(), EVERY);
  return index;
}

async function follow(token: string, region: string, from: number): Promise<number> {
  const abort = new AbortController();
  const query = new URLSearchParams({ namespace: "*", topic: "*", index: String(from) });
  if (region !== "") query.set("region", region);
  const r = await fetch(`/v1/event/stream?${query.toString()}`, { headers: token === "" ? {} : { "X-Nomad-Token": token }, signal: abort.signal, cache: "no-store" });
  if (!r.ok || r.body === null) throw new Refused(r.status, (await r.text()).slice(0, 500).trim());
  tell({ kind: "status", state: "live", reason: "" });
  const began = Date.now();
  const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest: string[] = [];
  let length = 0;
  let last = from - 1;
  let watchdog: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE);
      const { done, value } = await reader.read();
      if (done) return last;
      const parts = value.split("\n");
      const open = parts.pop() ?? "";
      if (parts.length > 0) {
        parts[0] = rest.join("") + (parts[0] ?? "");
        rest = [];
        length = 0;
      }
      if (open !== "") rest.push(open);
      length += open.length;
      if (length > MAX_LINE) throw new Error("an event is too large");
      for (const p of parts) last = Math.max(last, take(p, from > 1 || Date.now() - began > 2000));
    }
  } catch (e) {
    lastSeen = Math.max(lastSeen, last);
    throw e;
  } finally {
    clearTimeout(watchdog);
    abort.abort();
  }
}

class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message || `status ${status}`);
  }
}

let lastSeen = 0;

async function run(token: string, region: string): Promise<void> {
  let wait = 500;
  for (;;) {
    let reason = "the agent has ended the stream";
    const began = Date.now();
    tell({ kind: "status", state: "connecting", reason: "" });
    try {
      lastSeen = Math.max(lastSeen, await follow(token, region, lastSeen + 1));
    } catch (e) {
      reason = e instanceof Refused ? e.message : "the agent does not answer";
      if (e instanceof Refused && (e.status === 401 || e.status === 403)) return tell({ kind: "status", state: "denied", reason });
    }
    if (Date.now() - began > 10_000) wait = 500;
    tell({ kind: "status", state: "waiting", reason });
    await new Promise((r) => setTimeout(r, wait));
    wait = Math.min(wait * 2, 8000);
  }
}

addEventListener("message", (e: MessageEvent<ToFeed>) => {
  const m = e.data;
  if (m.kind === "open") void run(m.token, m.region);
  if (m.kind === "filter") {
    filter = m.filter;
    flush(true);
  }
  if (m.kind === "read") tell({ kind: "json", seq: m.seq, text: ring.json(m.seq) });
});
