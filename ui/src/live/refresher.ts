// Fetches again what events concern: at once when it has been quiet, and under
// a storm of events no more often than the agent answers with ease.
import type { Query, QueryClient } from "@tanstack/react-query";
import type { OperationName } from "../api/types.gen";
import { call, type Params } from "../api/client";
import type { AllocationListStub } from "../api/types.gen";
import { concerns } from "./affected";
import type { EventBatch, LiveEvent } from "./event";
import { told, withRows } from "./told";

/** The shortest time between two fetches of one read, in milliseconds. */
const LEAST = 150;
/** A read that takes long to answer is asked at most this share of the time. */
const SHARE = 3;
/** In lists from this length on, up to so many rows are read by themselves. */
const LONG = 2000;
const FEW = 12;

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
      if (typeof op !== "string") continue;
      const events = batch.Events.filter((e) => concerns(op, params, e));
      if (events.length > 0 && !this.tell(query, op, params, events)) this.touch(query);
    }
  }

  /** Shows what events tell by themselves. Says whether nothing has to be read for them. */
  private tell(query: Query, op: OperationName, params: unknown, events: LiveEvent[]): boolean {
    if (query.getObserversCount() === 0) return false;
    const t = told(op, params, query.state.data, events);
    if (t === undefined) return false;
    this.client.setQueryData(query.queryKey, t.rows, { updatedAt: query.state.dataUpdatedAt });
    if (query.state.fetchStatus !== "idle" || t.rest === undefined) return false; // what is on its way may be older
    if (t.rest.length === 0) return true;
    if (op !== "Allocations.List" || t.rows.length < LONG || t.rest.length > FEW) return false;
    void this.readRows(query, params as Params<"Allocations.List">, t.rest);
    return true;
  }

  /** Reads a few rows of a long list. */
  private async readRows(query: Query, params: Params<"Allocations.List">, ids: string[]): Promise<void> {
    try {
      const read = await Promise.all(ids.map((prefix) => call("Allocations.List", { ...params, prefix })));
      const data = query.state.data as AllocationListStub[] | undefined;
      if (data !== undefined) this.client.setQueryData(query.queryKey, withRows(data, read.flat()), { updatedAt: query.state.dataUpdatedAt });
    } catch {
      this.touch(query); // the whole list says what is wrong
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
