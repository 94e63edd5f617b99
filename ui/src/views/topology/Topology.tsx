import { getRouteApi, useNavigate, type LinkProps } from "@tanstack/react-router";
import { useDeferredValue, useMemo } from "react";
import { useRead } from "../../api/query";
import type { NodeListStub } from "../../api/types.gen";
import { Empty, IconButton, PageHead, Shown, useTitle } from "../../components/Basics";
import { Filter } from "../../components/Filter";
import { Icon } from "../../components/Icon";
import { nodeLink } from "../../components/Links";
import { Menu } from "../../components/Menu";
import { count, plural, visible } from "../../lib/format";
import { nodeState } from "../../lib/status";
import { useUse, type NodeUse } from "../nodes/usage";
import { FleetMap } from "./FleetMap";
import { cellsOf, groupOf, groupings, measures, type Measure } from "./fleet";
import { SIZES, grouped } from "./layout";
import "./topology.css";

const route = getRouteApi("/topology");
const nothing = new Map<string, NodeUse>();

export function Topology() {
  useTitle("Topology");
  const read = useRead("Nodes.List", { resources: true, meta: true });
  return (
    <div className="page topology">
      <Shown read={read} what="nodes" lines={10}>
        {(nodes) => (nodes.length === 0 ? <Empty icon="topology" title="There are no nodes to show">Start an agent with <code>client {"{ enabled = true }"}</code>.</Empty> : <Fleet nodes={nodes} />)}
      </Shown>
    </div>
  );
}

function Fleet({ nodes }: { nodes: NodeListStub[] }) {
  const { by = "datacenter", show = "cpu", zoom = "", q = "" } = route.useSearch();
  const setSearch = route.useNavigate();
  const navigate = useNavigate();
  const { use, denied } = useUse(true);
  const ways = useMemo(() => groupings(nodes), [nodes]);
  const measure = (measures.find((m) => m.id === show) ?? measures[0])?.id as Measure;
  const searched = useDeferredValue(q);
  const groups = useMemo(() => grouped(nodes, groupOf(by)), [nodes, by]);
  const cells = useMemo(() => cellsOf(nodes, use ?? nothing, measure, searched), [nodes, use, measure, searched]);
  const size = SIZES.includes(Number(zoom)) ? Number(zoom) : undefined;
  const set = (change: Partial<Record<"by" | "show" | "zoom" | "q", string | undefined>>): void => void setSearch({ search: (s) => ({ ...s, ...change }), replace: true });
  const found = cells.filter((c) => !c.faded).length;
  return (
    <>
      <PageHead
        title="Topology"
        sub={
          <>
            <span>{plural(nodes.length, "node")} in {plural(groups.length, "group")}</span>
            {q !== "" && <span>{count(found)} found</span>}
            {denied && <span>what is promised needs <code>node:read</code></span>}
          </>
        }
        actions={
          <>
            <Choice text="By" value={by} of={ways} onChange={(v) => set({ by: v })} />
            <div className="segments" role="group" aria-label="What is shown">
              {measures.map((m) => (
                <button key={m.id} type="button" aria-pressed={m.id === measure} onClick={() => set({ show: m.id })}>{m.text}</button>
              ))}
            </div>
          </>
        }
      />
      <div className="map-tools">
        <Filter value={q} onChange={(v) => set({ q: v || undefined })} placeholder="Find nodes by name, or by a job that runs there" />
        <Legend nodes={nodes} />
        <ZoomButtons zoom={size} onZoom={(z) => set({ zoom: z === undefined ? undefined : String(z) })} />
      </div>
      <FleetMap nodes={nodes} cells={cells} groups={groups} use={use ?? nothing} zoom={size} onZoom={(z) => set({ zoom: z === undefined ? undefined : String(z) })} onOpen={(n) => void navigate(nodeLink(n.ID) as LinkProps as Parameters<typeof navigate>[0])} />
    </>
  );
}

function Choice({ text, value, of, onChange }: { text: string; value: string; of: { id: string; text: string }[]; onChange: (id: string) => void }) {
  const chosen = of.find((o) => o.id === value)?.text ?? value.replace(/^meta\./, "");
  return (
    <Menu entries={of.map((o) => ({ label: visible(o.text, 60), checked: o.id === value, act: () => onChange(o.id) }))}>
      <button type="button" className="button">
        <span className="dim">{text}</span> {visible(chosen, 30)}
        <Icon name="down" />
      </button>
    </Menu>
  );
}

/** Zooming is by steps; undefined fits everything into view. */
function ZoomButtons({ zoom, onZoom }: { zoom: number | undefined; onZoom: (z: number | undefined) => void }) {
  return (
    <span className="row">
      <button type="button" className="button small" aria-pressed={zoom === undefined} onClick={() => onZoom(undefined)}>
        Fit
      </button>
      <IconButton icon="plus" label="Larger (+)" onClick={() => document.querySelector<HTMLElement>("[data-map]")?.dispatchEvent(new CustomEvent("zoomby", { detail: 1 }))} />
      <IconButton icon="minus" label="Smaller (-)" onClick={() => document.querySelector<HTMLElement>("[data-map]")?.dispatchEvent(new CustomEvent("zoomby", { detail: -1 }))} />
    </span>
  );
}

function Legend({ nodes }: { nodes: NodeListStub[] }) {
  const odd = useMemo(() => {
    const states = new Map<string, { tone: string; n: number }>();
    for (const n of nodes) {
      const s = nodeState(n);
      if (s.tone === "ok") continue;
      states.set(s.text, { tone: s.tone, n: (states.get(s.text)?.n ?? 0) + 1 });
    }
    return [...states];
  }, [nodes]);
  return (
    <div className="legend map-legend">
      <span className="row">0 % <i className="ramp" /> 100 % promised</span>
      {odd.map(([text, s]) => (
        <span key={text} className={`tone-${s.tone}`}>
          <i /> <b>{count(s.n)}</b> {text}
        </span>
      ))}
    </div>
  );
}
