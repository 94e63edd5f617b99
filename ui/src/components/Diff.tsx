// The difference between two versions of a job, as the agent gives it.
import type { FieldDiff, JobDiff, ObjectDiff, TaskDiff, TaskGroupDiff } from "../api/types.gen";
import { duration, visible } from "../lib/format";

interface Line {
  type: string;
  depth: number;
  name: string;
  old?: string;
  new?: string;
  why?: string;
}

/** At most so many lines are shown; a larger difference says how much is missing. */
const MAX_LINES = 2000;

/** Values that are longer together stand below each other. */
const LONG = 80;

export function Diff({ diff }: { diff: JobDiff }) {
  const lines: Line[] = [];
  fieldLines(diff.Fields, 0, lines);
  objectLines(diff.Objects, 0, lines);
  for (const g of diff.TaskGroups ?? []) groupLines(g, lines);
  const changed = lines.filter((l) => l.type !== "None");
  if (changed.length === 0) return <p className="faint diff-none">Nothing differs.</p>;
  return (
    <div className="diff" role="list" aria-label="Differences">
      {lines.slice(0, MAX_LINES).map((l, i) => (
        <DiffLine key={i} line={l} />
      ))}
      {lines.length > MAX_LINES && <div className="d">… and {lines.length - MAX_LINES} more lines</div>}
    </div>
  );
}

const marks: Record<string, string> = { Added: "+", Deleted: "−", Edited: "~", None: " " };

function DiffLine({ line: l }: { line: Line }) {
  const edited = l.type === "Edited" && l.new !== undefined;
  if (edited && (l.old ?? "").length + (l.new ?? "").length > LONG) {
    return (
      <>
        <DiffLine line={{ type: "Deleted", depth: l.depth, name: l.name, old: l.old ?? "" }} />
        <DiffLine line={{ type: "Added", depth: l.depth, name: l.name, new: l.new ?? "", why: l.why ?? "" }} />
      </>
    );
  }
  return (
    <div className={`d ${l.type.toLowerCase()}`} role="listitem" style={{ paddingLeft: 14 + l.depth * 18 }}>
      <span>{marks[l.type] ?? " "}</span>
      <span>
        {visible(l.name, 300)}
        {edited ? (
          <>
            : <del>{value(l.old, l.name)}</del> → <ins>{value(l.new, l.name)}</ins>
          </>
        ) : (
          (l.new !== undefined || l.old !== undefined) && <>: {value(l.type === "Deleted" ? l.old : l.new, l.name)}</>
        )}
        {l.why && <span className="why"> ({visible(l.why, 300)})</span>}
      </span>
    </div>
  );
}

/** Fields that are nanoseconds are written as times. */
const spans = /(Deadline|Time|Stagger|Delay|Interval|Duration|Timeout|After|Splay|Wait|Disconnect)$/;

const value = (v: string | undefined, name: string): string => {
  if (v === undefined || v === "") return '""';
  return /^\d{6,}$/.test(v) && spans.test(name) ? duration(Number(v)) : visible(v, 2000);
};

function fieldLines(fields: FieldDiff[] | null, depth: number, out: Line[]): void {
  for (const f of fields ?? []) {
    if (f.Type === "None") continue;
    out.push({ type: f.Type, depth, name: f.Name, old: f.Old, new: f.New, why: (f.Annotations ?? []).join(", ") });
  }
}

function objectLines(objects: ObjectDiff[] | null, depth: number, out: Line[]): void {
  for (const o of objects ?? []) {
    if (o.Type === "None") continue;
    out.push({ type: o.Type, depth, name: o.Name });
    fieldLines(o.Fields, depth + 1, out);
    objectLines(o.Objects, depth + 1, out);
  }
}

function groupLines(g: TaskGroupDiff, out: Line[]): void {
  const updates = Object.entries(g.Updates ?? {}).filter(([, n]) => n > 0).map(([what, n]) => `${n} ${what}`);
  if (g.Type === "None" && updates.length === 0) return;
  out.push({ type: g.Type, depth: 0, name: `group ${g.Name}`, why: updates.join(", ") });
  fieldLines(g.Fields, 1, out);
  objectLines(g.Objects, 1, out);
  for (const t of g.Tasks ?? []) taskLines(t, out);
}

function taskLines(t: TaskDiff, out: Line[]): void {
  const annotations = (t.Annotations ?? []).join(", ");
  if (t.Type === "None" && annotations === "") return;
  out.push({ type: t.Type, depth: 1, name: `task ${t.Name}`, why: annotations });
  fieldLines(t.Fields, 2, out);
  objectLines(t.Objects, 2, out);
}
