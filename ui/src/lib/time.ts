// Times as the API gives them, and a clock that all relative times share.
import { useSyncExternalStore } from "react";
import { agentNow } from "../api/client";
import { span } from "./format";

/** A time of the API in Unix milliseconds: nanoseconds or RFC 3339. Undefined where there is none. */
export function at(t: number | string | undefined | null): number | undefined {
  if (t === undefined || t === null || t === 0 || t === "") return undefined;
  const ms = typeof t === "number" ? t / 1e6 : Date.parse(t);
  return Number.isNaN(ms) || ms < 0 ? undefined : ms; // Go's zero time is in the year 1
}

/** "4m ago", "in 12s", "now". */
export function relative(ms: number, now: number): string {
  const diff = now - ms;
  if (Math.abs(diff) < 1500) return "now";
  return diff > 0 ? `${span(diff)} ago` : `in ${span(-diff)}`;
}

const exactFormat = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, timeZoneName: "short",
});

export const exact = (ms: number): string => exactFormat.format(ms);

const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/** The time of day. */
export const clock = (ms: number): string => clockFormat.format(ms);

const listeners = new Set<() => void>();
let now = agentNow();
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(l: () => void): () => void {
  listeners.add(l);
  timer ??= setInterval(() => {
    if (document.hidden) return;
    now = agentNow();
    for (const each of listeners) each();
  }, 1000);
  return () => {
    listeners.delete(l);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** The agent's time, which moves on every second while it is looked at. */
export const useNow = (): number => useSyncExternalStore(subscribe, () => (timer === undefined ? (now = Math.abs(agentNow() - now) > 1000 ? agentNow() : now) : now));
