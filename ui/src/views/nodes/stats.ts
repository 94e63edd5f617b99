// What a node uses, sampled while somebody looks. The API has no stream of
// this: it measures when it is asked.
import { useEffect, useState } from "react";
import { ApiError, call } from "../../api/client";
import { explain } from "../../api/query";
import type { HostStats } from "../../api/types.gen";

/** How often it is measured, in milliseconds, and how many measurements are kept. */
const EVERY = 2000;
const KEPT = 300;

export interface HostSamples {
  times: number[]; // Unix seconds
  cpu: number[]; // percent of all cores
  memory: number[]; // bytes
  disk: number[]; // bytes of the disk that allocations are on
  totals: { memory: number; disk: number };
  latest: HostStats | undefined;
}

export const noSamples = (): HostSamples => ({ times: [], cpu: [], memory: [], disk: [], totals: { memory: 0, disk: 0 }, latest: undefined });

/** Adds a measurement and forgets the oldest. One that is not newer than the last changes nothing. */
export function added(s: HostSamples, m: HostStats, kept = KEPT): HostSamples {
  const time = m.Timestamp / 1e9;
  if (time <= (s.times[s.times.length - 1] ?? 0)) return s;
  const cores = m.CPU ?? [];
  const cpu = cores.length === 0 ? 0 : cores.reduce((sum, c) => sum + c.TotalPercent, 0) / cores.length;
  const append = (list: number[], v: number): number[] => [...list, v].slice(-kept);
  return {
    times: append(s.times, time),
    cpu: append(s.cpu, cpu),
    memory: append(s.memory, m.Memory?.Used ?? 0),
    disk: append(s.disk, m.AllocDirStats?.Used ?? 0),
    totals: { memory: m.Memory?.Total ?? 0, disk: m.AllocDirStats?.Size ?? 0 },
    latest: m,
  };
}

const remembered = new Map<string, HostSamples>();
const MAX_NODES = 20;

/** Samples a node's use while the page is looked at. */
export function useStats(id: string, active: boolean): { samples: HostSamples; error: string } {
  const [samples, setSamples] = useState<HostSamples>(() => remembered.get(id) ?? noSamples());
  const [error, setError] = useState("");
  useEffect(() => {
    let current = remembered.get(id) ?? noSamples();
    setSamples(current);
    setError("");
    if (!active) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const measure = async (): Promise<void> => {
      try {
        if (!document.hidden) {
          current = added(current, await call("Client.Stats", { node_id: id }, undefined, abort.signal));
          if (!remembered.has(id) && remembered.size >= MAX_NODES) remembered.delete(remembered.keys().next().value ?? "");
          remembered.set(id, current);
          setSamples(current);
          setError("");
        }
      } catch (e) {
        if (abort.signal.aborted) return;
        setError(explain(e));
        if (e instanceof ApiError && e.denied) return;
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
