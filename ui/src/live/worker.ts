// A SharedWorker that follows the event stream once for all tabs: a browser
// opens only six connections to an agent, however many tabs there are.
import { Stream, type StreamTarget } from "./stream";

declare const self: { onconnect: ((e: MessageEvent) => void) | null };

export type ToWorker = { kind: "hello"; target: StreamTarget } | { kind: "retry" } | { kind: "bye" };

interface Shared {
  stream: Stream;
  ports: Set<MessagePort>;
}

const streams = new Map<string, Shared>();

function join(key: string, target: StreamTarget, port: MessagePort): void {
  let shared = streams.get(key);
  if (shared === undefined) {
    const ports = new Set<MessagePort>();
    const tell = (message: unknown): void => ports.forEach((p) => p.postMessage(message));
    const stream = new Stream(target, {
      batch: (batch) => tell({ kind: "batch", batch }),
      status: (status) => tell({ kind: "status", status }),
    });
    shared = { stream, ports };
    streams.set(key, shared);
    void stream.run();
  }
  shared.ports.add(port);
  port.postMessage({ kind: "status", status: shared.stream.status });
}

function leave(key: string, port: MessagePort): void {
  const shared = streams.get(key);
  if (shared === undefined) return;
  shared.ports.delete(port);
  if (shared.ports.size === 0) {
    shared.stream.close();
    streams.delete(key);
  }
}

self.onconnect = (e) => {
  const port = e.ports[0];
  if (port === undefined) return;
  let key = "";
  port.onmessage = (message: MessageEvent<ToWorker>) => {
    const m = message.data;
    if (m.kind !== "retry") leave(key, port);
    if (m.kind === "hello") {
      key = JSON.stringify(m.target);
      join(key, m.target, port);
    }
    if (m.kind === "retry") streams.get(key)?.stream.retry();
  };
};
