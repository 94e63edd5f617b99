// The last events, within a bound of number and size. An event's JSON is kept as
// the line that it came in, and is read again when somebody asks for it.
import type { EventBatch, LiveEvent } from "../../live/event";

/** What a list shows of an event. */
export interface Line {
  seq: number;
  index: number;
  topic: string;
  type: string;
  key: string;
  namespace: string;
  what: string;
  time: number | undefined; // Unix milliseconds, where it is known
}

interface Kept extends Line {
  filterKeys: string;
  text: string;
  nth: number; // its place in the line
}

export interface EventFilter {
  topic: string; // empty: all
  namespace: string; // "*": all; what has none, such as nodes, is in all of them
  key: string; // of the object, or one of its filter keys
  text: string; // somewhere in the JSON
}

export const everything: EventFilter = { topic: "", namespace: "*", key: "", text: "" };

/** The longest name that a list is sent. */
const SHORT = 300;

const text = (v: unknown): string => (typeof v === "string" ? v.slice(0, SHORT) : "");

function time(topic: string, o: Record<string, unknown>): number | undefined {
  const ns = o.ModifyTime ?? (topic === "Job" ? o.SubmitTime : topic === "Node" ? Number(o.StatusUpdatedAt ?? 0) * 1e9 : 0);
  return typeof ns === "number" && ns > 0 ? ns / 1e6 : undefined;
}

/** An event in a few words. */
export function summary(e: LiveEvent): { what: string; time: number | undefined } {
  const payload = e.Payload ?? {};
  const o = (payload[e.Topic] ?? Object.values(payload)[0] ?? {}) as Record<string, unknown>;
  const words = (...list: unknown[]): string => list.map(text).filter((w) => w !== "").join(" · ");
  const what = {
    Allocation: () => words(o.Name, o.ClientStatus, o.DesiredStatus === "run" ? "" : o.DesiredDescription || o.DesiredStatus, o.NodeName),
    Evaluation: () => words(o.JobID, o.TriggeredBy, o.Status, o.StatusDescription),
    Job: () => words(o.ID, o.Type, o.Stop === true ? "stopped" : o.Status),
    Deployment: () => words(o.JobID, o.Status, o.StatusDescription),
    Node: () => words(o.Name, o.Status, o.DrainStrategy ? "draining" : o.SchedulingEligibility === "eligible" ? "" : o.SchedulingEligibility),
    Service: () => words(o.ServiceName, o.Address),
  }[e.Topic as "Node"]?.() ?? words(o.Name ?? o.ID);
  return { what, time: time(e.Topic, o) };
}

export class EventRing {
  private list: (Kept | undefined)[] = [];
  private head = 0;
  private next = 1;
  private held = 0;

  constructor(
    private readonly most = 20_000,
    private readonly mostCharacters = 48 << 20,
  ) {}

  get size(): number {
    return this.list.length - this.head;
  }

  /** How many events there have been. */
  get total(): number {
    return this.next - 1;
  }

  /** The number of the oldest one that is kept. */
  get first(): number {
    return this.size === 0 ? this.next : (this.list[this.head] as Kept).seq;
  }

  get characters(): number {
    return this.held;
  }

  /** Takes a line of the stream. A line that is no events throws. */
  push(line: string, arrived?: number): { added: Line[]; index: number } {
    const batch = JSON.parse(line) as EventBatch & { Error?: string };
    if (batch.Error !== undefined) throw new Error(String(batch.Error).slice(0, 500));
    const added: Line[] = [];
    const events = batch.Events ?? [];
    events.forEach((e, nth) => {
      const s = summary(e);
      const kept: Kept = {
        seq: this.next++, index: batch.Index, topic: text(e.Topic), type: text(e.Type), key: text(e.Key), namespace: text(e.Namespace), what: s.what, time: s.time ?? arrived,
        filterKeys: (e.FilterKeys ?? []).join("\n"), text: line, nth,
      };
      this.list.push(kept);
      added.push(kept);
    });
    if (events.length > 0) this.held += line.length;
    this.trim();
    return { added, index: batch.Index ?? 0 };
  }

  private trim(): void {
    while (this.size > this.most || (this.held > this.mostCharacters && this.size > 1)) {
      const gone = this.list[this.head] as Kept;
      this.list[this.head++] = undefined;
      const next = this.list[this.head];
      if (next === undefined || next.text !== gone.text) this.held -= gone.text.length;
    }
    if (this.head > this.most) {
      this.list = this.list.slice(this.head);
      this.head = 0;
    }
  }

  private at(seq: number): Kept | undefined {
    return seq < this.first ? undefined : this.list[this.head + seq - this.first];
  }

  /** Whether an event that is kept passes a filter. */
  passes(seq: number, f: EventFilter): boolean {
    const e = this.at(seq);
    if (e === undefined) return false;
    if (f.topic !== "" && e.topic !== f.topic) return false;
    if (f.namespace !== "*" && e.namespace !== "" && e.namespace !== f.namespace) return false;
    if (f.key !== "" && e.key !== f.key && !e.filterKeys.split("\n").includes(f.key)) return false;
    if (f.text === "") return true;
    const wanted = f.text.toLowerCase();
    if (`${e.type} ${e.key} ${e.what}`.toLowerCase().includes(wanted)) return true;
    // The line may hold other events too: only where it has the text is this one looked at alone.
    return e.text.toLowerCase().includes(wanted) && this.json(seq).toLowerCase().includes(wanted);
  }

  /** The events that pass, the oldest first; at most the last so many. */
  lines(f: EventFilter, most = Infinity): Line[] {
    const out: Line[] = [];
    for (let seq = this.next - 1; seq >= this.first && out.length < most; seq--) if (this.passes(seq, f)) out.push(line(this.at(seq) as Kept));
    return out.reverse();
  }

  /** An event as the stream gave it; empty when it is not kept any more. */
  json(seq: number): string {
    const e = this.at(seq);
    return e === undefined ? "" : JSON.stringify((JSON.parse(e.text) as EventBatch).Events[e.nth]);
  }
}

const line = ({ seq, index, topic, type, key, namespace, what, time }: Line): Line => ({ seq, index, topic, type, key, namespace, what, time });
export { line as bare };
