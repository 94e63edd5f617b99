// The page's end of the feed: lines as they come, and the JSON of one.
import { useEffect, useRef, useState } from "react";
import { useSettings } from "../../api/settings";
import type { EventFilter, Line } from "./ring";
import type { FromFeed, ToFeed } from "./worker";

export interface Feed {
  lines: Line[]; // the oldest first
  total: number;
  rate: number; // events a second, before the filter
  state: "connecting" | "live" | "waiting" | "denied";
  reason: string;
}

const MOST = 20_000;
const nothing: Feed = { lines: [], total: 0, rate: 0, state: "connecting", reason: "" };

/** The lines after a batch: those that are not kept any more go. */
export function joined(before: Line[], m: { anew: boolean; lines: Line[]; first: number }, most = MOST): Line[] {
  if (m.anew) return m.lines.slice(-most);
  if (m.lines.length === 0 && (before.length === 0 || (before[0] as Line).seq >= m.first)) return before;
  let from = Math.max(0, before.length + m.lines.length - most);
  while (from < before.length && (before[from] as Line).seq < m.first) from++;
  return before.slice(from).concat(m.lines.slice(-most));
}

/** Follows all events. read gives the JSON of one, empty when it is not kept any more. */
export function useFeed(filter: EventFilter): Feed & { read: (seq: number) => Promise<string> } {
  const [feed, setFeed] = useState(nothing);
  const worker = useRef<Worker>(undefined);
  const asked = useRef(new Map<number, ((text: string) => void)[]>());
  const { token, region } = useSettings();
  const wanted = useRef(filter);
  wanted.current = filter;
  useEffect(() => {
    const w = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "serai-events" });
    worker.current = w;
    setFeed(nothing);
    w.onmessage = (e: MessageEvent<FromFeed>) => {
      const m = e.data;
      if (m.kind === "lines") setFeed((f) => ({ ...f, lines: joined(f.lines, m), total: m.total, rate: m.rate }));
      else if (m.kind === "status") setFeed((f) => ({ ...f, state: m.state, reason: m.reason }));
      else {
        asked.current.get(m.seq)?.forEach((done) => done(m.text));
        asked.current.delete(m.seq);
      }
    };
    w.onerror = () => setFeed((f) => ({ ...f, state: "waiting", reason: "the feed could not be started: reload the page" }));
    const send = (m: ToFeed): void => w.postMessage(m);
    send({ kind: "filter", filter: wanted.current });
    send({ kind: "open", token, region });
    return () => w.terminate();
  }, [token, region]);
  const key = JSON.stringify(filter);
  useEffect(() => worker.current?.postMessage({ kind: "filter", filter: wanted.current } satisfies ToFeed), [key]);
  const read = (seq: number): Promise<string> =>
    new Promise((done) => {
      asked.current.set(seq, [...(asked.current.get(seq) ?? []), done]);
      worker.current?.postMessage({ kind: "read", seq } satisfies ToFeed);
    });
  return { ...feed, read };
}
