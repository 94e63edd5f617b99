// Fetches again what events concern: at once when it has been quiet, and under
// a storm of events no more often than the agent answers with ease.
import type { Query, QueryClient } from "@tanstack/react-query";
import type { OperationName } from "../api/types.gen";
import { concerns } from "./affected";
import type { EventBatch } from "./event";

/** The shortest time between two fetches of one read, in milliseconds. */
const LEAST = 150;
/** A read that takes long to answer is asked at most this share of the time. */
const SHARE = 3;

interface State {
  running: boolean;
  dirty: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
  notBefore: number;
}

export class Refresher {
  private readonly states = new Map<string, State>();

  constructor(private readonly client: QueryClient) {}

  /** Takes the events of one index. */
  take(batch: EventBatch): void {
    for (const query of this.client.getQueryCache().getAll()) {
      const [op, params] = query.queryKey as [OperationName, unknown];
      if (typeof op === "string" && batch.Events.some((e) => concerns(op, params, e))) this.touch(query);
    }
  }

  /** What was read before a time may be old, and what could not be read may be there now. */
  since(asOf: number): void {
    for (const query of this.client.getQueryCache().getAll()) {
      const { dataUpdatedAt, status, fetchStatus } = query.state;
      const first = status === "pending" && fetchStatus === "fetching";
      if (!first && (dataUpdatedAt < asOf || status === "error")) this.touch(query);
    }
  }

  private touch(query: Query): void {
    if (query.getObserversCount() === 0 || query.isDisabled()) {
      query.invalidate();
      return;
    }
    let s = this.states.get(query.queryHash);
    if (s === undefined) {
      s = { running: false, dirty: false, timer: undefined, notBefore: 0 };
      this.states.set(query.queryHash, s);
    }
    if (s.running) s.dirty = true;
    else if (s.timer === undefined) this.schedule(query, s);
  }

  private schedule(query: Query, s: State): void {
    s.timer = setTimeout(() => void this.fetch(query, s), Math.max(0, s.notBefore - Date.now()));
  }

  private async fetch(query: Query, s: State): Promise<void> {
    s.timer = undefined;
    s.running = true;
    s.dirty = false;
    const began = Date.now();
    await this.client.refetchQueries({ queryKey: query.queryKey, exact: true, type: "active" }, { cancelRefetch: true });
    s.running = false;
    s.notBefore = Date.now() + Math.max(LEAST, (Date.now() - began) * SHARE);
    if (s.dirty && query.getObserversCount() > 0) this.schedule(query, s);
    else if (query.getObserversCount() === 0) this.states.delete(query.queryHash);
  }
}
