// The page's end of the event stream: its state, and what is done with events.
import { useSyncExternalStore } from "react";
import { settings } from "../api/settings";
import type { EventBatch } from "./event";
import { Stream, type LiveStatus, type StreamTarget } from "./stream";
import type { ToWorker } from "./worker";

type BatchListener = (batch: EventBatch) => void;

let status: LiveStatus = { state: "connecting", since: Date.now(), retryAt: 0, reason: "", generation: 0, asOf: 0 };
const statusListeners = new Set<() => void>();
const batchListeners = new Set<BatchListener>();
const restartListeners = new Set<(asOf: number) => void>();
let generation = "";

function onStatus(next: LiveStatus, source: number): void {
  status = next;
  for (const l of statusListeners) l();
  const now = `${source}.${next.generation}`;
  if (next.state === "live" && now !== generation) {
    generation = now;
    for (const l of restartListeners) l(next.asOf);
  }
}

interface Source {
  retry(): void;
  close(): void;
}

let sources = 0;

function direct(target: StreamTarget): Source {
  const id = ++sources;
  const stream = new Stream(target, {
    batch: (b) => batchListeners.forEach((l) => l(b)),
    status: (s) => onStatus(s, id),
  });
  void stream.run();
  return stream;
}

function shared(target: StreamTarget): Source {
  const id = ++sources;
  const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "serai-live" });
  let fallback: Source | undefined;
  worker.onerror = () => {
    fallback ??= direct(target); // the script could not be loaded
  };
  const send = (m: ToWorker): void => worker.port.postMessage(m);
  worker.port.onmessage = (e: MessageEvent<{ kind: "batch"; batch: EventBatch } | { kind: "status"; status: LiveStatus }>) => {
    if (e.data.kind === "batch") {
      const { batch } = e.data;
      batchListeners.forEach((l) => l(batch));
    } else onStatus(e.data.status, id);
  };
  send({ kind: "hello", target });
  const bye = (): void => send({ kind: "bye" });
  const back = (e: PageTransitionEvent): void => {
    if (e.persisted) send({ kind: "hello", target });
  };
  addEventListener("pagehide", bye);
  addEventListener("pageshow", back);
  return {
    retry: () => (fallback ? fallback.retry() : send({ kind: "retry" })),
    close: () => {
      removeEventListener("pagehide", bye);
      removeEventListener("pageshow", back);
      bye();
      worker.port.close();
      fallback?.close();
    },
  };
}

let source: Source | undefined;
let followed = "";

/** Follows the stream of the chosen region with the chosen token. */
export function startLive(): void {
  const follow = (): void => {
    const { token, region } = settings.get();
    const target = { token, region };
    const key = JSON.stringify(target);
    if (key === followed) return;
    followed = key;
    source?.close();
    source = typeof SharedWorker === "undefined" ? direct(target) : shared(target);
  };
  follow();
  settings.subscribe(follow);
  const retry = (): void => {
    if (document.visibilityState === "visible" && status.state === "waiting") source?.retry();
  };
  addEventListener("online", retry);
  document.addEventListener("visibilitychange", retry);
}

export const live = {
  status: (): LiveStatus => status,
  subscribe(l: () => void): () => void {
    statusListeners.add(l);
    return () => statusListeners.delete(l);
  },
  /** Calls back with the events of each index. */
  onBatch(l: BatchListener): () => void {
    batchListeners.add(l);
    return () => batchListeners.delete(l);
  },
  /** Calls back when the stream has begun, also anew: what was read before asOf may be old. */
  onRestart(l: (asOf: number) => void): () => void {
    restartListeners.add(l);
    return () => restartListeners.delete(l);
  },
  retry: (): void => source?.retry(),
};

export const useLiveStatus = (): LiveStatus => useSyncExternalStore(live.subscribe, live.status);
