// Attributes, meta and links of a node, to search in. There may be very many.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useMemo, useRef, useState } from "react";
import type { Node } from "../../api/types.gen";
import { Copy, Empty, Panel } from "../../components/Basics";
import { Icon } from "../../components/Icon";
import { csv, download } from "../../lib/export";
import { count, visible } from "../../lib/format";

export interface Pair {
  name: string; // as a constraint has it: attr.kernel.name, meta.rack
  value: string;
}

/** Everything that constraints can ask of a node. */
export function pairs(n: Pick<Node, "Attributes" | "Meta" | "Links" | "ID" | "Name" | "Datacenter" | "NodeClass" | "NodePool">): Pair[] {
  const of = (prefix: string, map: Record<string, string> | null): Pair[] => Object.entries(map ?? {}).map(([k, value]) => ({ name: `${prefix}.${k}`, value })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const own: Pair[] = [["id", n.ID], ["name", n.Name], ["datacenter", n.Datacenter], ["class", n.NodeClass], ["pool", n.NodePool]].map(([k, value]) => ({ name: `node.${k}`, value: value ?? "" }));
  return [...own, ...of("meta", n.Meta), ...of("attr", n.Attributes), ...of("link", n.Links)];
}

/** Pairs that contain all words, in name or value. */
export function matching(list: Pair[], text: string): Pair[] {
  const words = text.toLowerCase().split(/\s+/).filter((w) => w !== "");
  if (words.length === 0) return list;
  return list.filter((p) => {
    const all = `${p.name} ${p.value}`.toLowerCase();
    return words.every((w) => all.includes(w));
  });
}

export function Attributes({ n }: { n: Node }) {
  const [text, setText] = useState("");
  const asked = useDeferredValue(text);
  const all = useMemo(() => pairs(n), [n]);
  const shown = useMemo(() => matching(all, asked), [all, asked]);
  const place = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: shown.length, getScrollElement: () => place.current, estimateSize: () => 30, overscan: 20, initialRect: { width: 800, height: 560 } });
  return (
    <Panel
      title="Attributes" count={shown.length === all.length ? count(all.length) : `${count(shown.length)} of ${count(all.length)}`} flush
      actions={
        <button type="button" className="button plain small" onClick={() => download("serai-attributes.csv", csv(["name", "value"], shown.map((p) => [p.name, p.value])), "text/csv;charset=utf-8")}>
          <Icon name="download" />
          Save
        </button>
      }
    >
      <div className="search-field filter-input">
        <input className="field" data-filter aria-label="Search attributes" placeholder="Search names and values" value={text} spellCheck={false} autoComplete="off" maxLength={200} onChange={(e) => setText(e.target.value)} onKeyDown={(e) => e.key === "Escape" && setText("")} />
      </div>
      {shown.length === 0 ? (
        <Empty icon="search" title="No attribute is like that" />
      ) : (
        <div className="attributes" ref={place} tabIndex={0} role="list" aria-label="Attributes">
          <div role="presentation" style={{ height: virtual.getTotalSize(), position: "relative" }}>
            {virtual.getVirtualItems().map((item) => {
              const p = shown[item.index] as Pair;
              return (
                <div key={item.key} role="listitem" ref={virtual.measureElement} data-index={item.index} className="pair" style={{ position: "absolute", top: 0, left: 0, right: 0, transform: `translateY(${item.start}px)` }}>
                  <span className="key">{visible(p.name, 200)}</span>
                  <span>
                    {p.value === "" ? <span className="faint">empty</span> : visible(p.value, 1000)} <Copy text={`\${${p.name}}`} what="reference" />
                  </span>
                </div>
              );
            })}
          </div>
        </div>
      )}
    </Panel>
  );
}
