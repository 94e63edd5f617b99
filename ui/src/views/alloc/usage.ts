// What allocations use, sampled while somebody looks. The API has no stream of
// this: it measures when it is asked.
import { useEffect, useState } from "react";
import { ApiError, call } from "../../api/client";
import { explain } from "../../api/query";
import type { AllocResourceUsage } from "../../api/types.gen";

/** How often it is measured, in milliseconds, and how many measurements are kept. */
const EVERY = 2000;
const KEPT = 300;

export interface Samples {
  times: number[]; // Unix seconds
  tasks: Record<string, { cpu: (number | null)[]; memory: (number | null)[] }>; // MHz, bytes
}

const kept = new Map<string, Samples>();
const MAX_ALLOCATIONS = 20;

function add(s: Samples, u: AllocResourceUsage): Samples {
  const times = [...s.times, u.Timestamp / 1e9].slice(-KEPT);
  const tasks: Samples["tasks"] = {};
  const append = (list: (number | null)[], v: number | undefined): (number | null)[] => [...list, v ?? null].slice(-KEPT);
  for (const name of new Set([...Object.keys(s.tasks), ...Object.keys(u.Tasks ?? {})])) {
    const before = s.tasks[name] ?? { cpu: s.times.map(() => null), memory: s.times.map(() => null) };
    const now = u.Tasks?.[name]?.ResourceUsage;
    const m = now?.MemoryStats;
    const memory = m === null || m === undefined ? undefined : (m.Measured ?? []).includes("Usage") && m.Usage > 0 ? m.Usage : m.RSS;
    tasks[name] = { cpu: append(before.cpu, now?.CpuStats?.TotalTicks), memory: append(before.memory, memory) };
  }
  return { times, tasks };
}

/** Samples an allocation's use while the page is looked at. */
export function useUsage(id: string, active: boolean): { samples: Samples; error: string } {
  const [samples, setSamples] = useState<Samples>(() => kept.get(id) ?? { times: [], tasks: {} });
  const [error, setError] = useState("");
  useEffect(() => {
    let current = kept.get(id) ?? { times: [], tasks: {} };
    setSamples(current);
    if (!active) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const measure = async (): Promise<void> => {
      try {
        if (!document.hidden) {
          const u = await call("Alloc.Stats", { id }, undefined, abort.signal);
          const last = current.times[current.times.length - 1] ?? 0;
          if (u.Timestamp / 1e9 > last) current = add(current, u);
          if (!kept.has(id) && kept.size >= MAX_ALLOCATIONS) kept.delete(kept.keys().next().value ?? "");
          kept.set(id, current);
          setSamples(current);
          setError("");
        }
      } catch (e) {
        if (abort.signal.aborted) return;
        setError(e instanceof ApiError && e.unreachable ? "" : explain(e));
      }
      timer = setTimeout(() => void measure(), EVERY);
    };
    void measure();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [id, active]);
  return { samples, error };
}
