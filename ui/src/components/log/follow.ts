// Reads a source of a log into a buffer until it ends or is no longer wanted.
import { ApiError, open, type Params } from "../../api/client";
import { explain } from "../../api/query";
import type { LogBuffer } from "./buffer";

export type LogSource =
  | { kind: "task"; alloc: string; task: string; stream: "stdout" | "stderr"; label: string }
  | { kind: "file"; alloc: string; path: string; label: string };

/** How much of the end is shown at first, in bytes. */
const TAIL = 128 << 10;

function request(s: LogSource, whole: boolean, signal: AbortSignal): Promise<Response> {
  const where = whole ? { origin: "start", offset: 0 } : { origin: "end", offset: TAIL };
  if (s.kind === "file") return open("FS.Stream", { id: s.alloc, path: s.path, follow: true, plain: true, ...where } as Params<"FS.Stream">, signal);
  return open("FS.Logs", { id: s.alloc, task: s.task, type: s.stream, follow: true, plain: true, ...where }, signal);
}

/** Follows a source; changed is called when there is more. Gives why it ended, "" when it was no longer wanted. */
export async function follow(source: LogSource, index: number, buffer: LogBuffer, whole: boolean, signal: AbortSignal, changed: () => void): Promise<string> {
  try {
    const r = await request(source, whole, signal);
    const reader = r.body?.getReader();
    if (reader === undefined) return "";
    const decoder = new TextDecoder();
    let first = !whole;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      let text = decoder.decode(value, { stream: true });
      if (first && value.length >= TAIL / 2) text = text.slice(text.indexOf("\n") + 1); // the tail begins within a line
      first = false;
      buffer.push(index, text);
      changed();
    }
    buffer.finish(index);
    changed();
    return "The log has ended.";
  } catch (e) {
    if (signal.aborted) return "";
    buffer.finish(index);
    return e instanceof ApiError && !e.unreachable ? explain(e) : "The connection was lost.";
  }
}
