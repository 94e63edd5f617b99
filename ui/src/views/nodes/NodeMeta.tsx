// Meta of a node: what its file says, and what was set since.
import { useState } from "react";
import { call } from "../../api/client";
import { useMay } from "../../api/may";
import type { Node } from "../../api/types.gen";
import { Facts, IconButton, Panel } from "../../components/Basics";
import { Confirm } from "../../components/Dialog";
import { Icon } from "../../components/Icon";
import { Name } from "../../components/Status";
import { toast } from "../../components/Toast";
import { plural, visible } from "../../lib/format";

const MAX_SHOWN = 50;

export function NodeMeta({ n }: { n: Node }) {
  const [editing, setEditing] = useState(false);
  const may = useMay();
  const meta = Object.entries(n.Meta ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const editable = may("Client.MetaApply") && n.Status === "ready";
  return (
    <Panel title="Meta" {...(meta.length > 0 ? { count: String(meta.length) } : {})} actions={editable && <button type="button" className="button plain small" onClick={() => setEditing(true)}>Edit</button>}>
      {meta.length === 0 ? (
        <p className="dim">None. Jobs can ask for meta by constraints: <code>{"${meta.rack}"}</code></p>
      ) : (
        <Facts>{meta.slice(0, MAX_SHOWN).map(([k, v]): [string, React.ReactNode] => [visible(k, 80), <span key={k} className="mono"><Name>{v}</Name></span>])}</Facts>
      )}
      {meta.length > MAX_SHOWN && <p className="faint">and {plural(meta.length - MAX_SHOWN, "more")}, under Attributes.</p>}
      {editing && <Edit n={n} onClose={() => setEditing(false)} />}
    </Panel>
  );
}

interface Line {
  key: string;
  value: string;
}

/** What has to be sent to come from one to the other; null removes a key. */
export function changes(before: Record<string, string>, lines: Line[]): Record<string, string | null> {
  const after = new Map(lines.filter((l) => l.key.trim() !== "").map((l) => [l.key.trim(), l.value]));
  const out: Record<string, string | null> = {};
  for (const [k, v] of after) if (before[k] !== v) out[k] = v;
  for (const k of Object.keys(before)) if (!after.has(k)) out[k] = null;
  return out;
}

function Edit({ n, onClose }: { n: Node; onClose: () => void }) {
  const before = n.Meta ?? {};
  const [lines, setLines] = useState<Line[]>(() => [...Object.entries(before).map(([key, value]) => ({ key, value })), { key: "", value: "" }]);
  const set = (i: number, change: Partial<Line>): void => setLines((l) => l.map((x, at) => (at === i ? { ...x, ...change } : x)));
  const act = async (): Promise<void> => {
    const Meta = changes(before, lines);
    if (Object.keys(Meta).length === 0) return;
    await call("Client.MetaApply", { region: "" }, { NodeID: n.ID, Meta });
    toast(`${plural(Object.keys(Meta).length, "key")} of ${n.Name} changed.`);
  };
  return (
    <Confirm title={`Meta of ${n.Name}`} label="Save" act={act} onClose={onClose}>
      <div className="pairs-edit">
        {lines.map((l, i) => (
          <div key={i} className="row">
            <input className="field mono" aria-label={`Key ${i + 1}`} placeholder="key" value={l.key} maxLength={256} onChange={(e) => set(i, { key: e.target.value })} />
            <input className="field mono" aria-label={`Value ${i + 1}`} placeholder="value" value={l.value} maxLength={4096} onChange={(e) => set(i, { value: e.target.value })} />
            <IconButton icon="close" label={`Remove ${l.key || "the line"}`} onClick={() => setLines((all) => all.filter((_, at) => at !== i))} />
          </div>
        ))}
      </div>
      <div className="row">
        <button type="button" className="button small" onClick={() => setLines((l) => [...l, { key: "", value: "" }])}>
          <Icon name="plus" />
          Add a key
        </button>
      </div>
      <p className="dim">Jobs whose constraints ask for meta are looked at again. What the node’s configuration file says comes back when its key is removed here.</p>
    </Confirm>
  );
}
