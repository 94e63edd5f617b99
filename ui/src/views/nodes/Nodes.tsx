import { Link, getRouteApi } from "@tanstack/react-router";
import { useMemo } from "react";
import { useRead } from "../../api/query";
import type { NodeListStub } from "../../api/types.gen";
import { Callout, Empty, Failure, PageHead, Panel, Skeleton, useTitle } from "../../components/Basics";
import { Filter, isExpression } from "../../components/Filter";
import { Icon } from "../../components/Icon";
import { NodeLink, nodeLink } from "../../components/Links";
import { Badge, Name, Tag } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { count, mebibytes, megahertz, plural } from "../../lib/format";
import { nodeState } from "../../lib/status";
import { capacity, drivers, none, share, useUse, type Amounts, type NodeUse } from "./usage";
import { Use } from "./Use";
import "./nodes.css";

const route = getRouteApi("/nodes");

interface Row {
  node: NodeListStub;
  has: Amounts;
  promised: Amounts | undefined; // undefined: not known
  allocations: number | undefined;
}

const columns: Column<Row>[] = [
  { id: "name", head: "Node", width: "minmax(110px, 2fr)", value: (r) => r.node.Name, cell: (r) => <NodeLink id={r.node.ID} name={r.node.Name} /> },
  { id: "state", head: "State", width: "108px", value: (r) => nodeState(r.node).text, cell: (r) => <Badge state={nodeState(r.node)} /> },
  { id: "allocations", head: "Allocations", width: "76px", right: true, wide: true, value: (r) => r.allocations, cell: (r) => <span className={r.allocations === 0 ? "faint" : ""}>{r.allocations === undefined ? "–" : count(r.allocations)}</span> },
  { id: "cpu", head: "CPU", width: "minmax(84px, 1.2fr)", value: (r) => part(r, "cpu"), cell: (r) => <Use part={r.promised?.cpu} whole={r.has.cpu} text={megahertz} what="CPU" /> },
  { id: "memory", head: "Memory", width: "minmax(84px, 1.2fr)", wide: true, value: (r) => part(r, "memory"), cell: (r) => <Use part={r.promised?.memory} whole={r.has.memory} text={mebibytes} what="Memory" /> },
  { id: "drivers", head: "Drivers", width: "minmax(60px, 84px)", wide: true, value: (r) => drivers(r.node).healthy.join(" "), cell: (r) => <Drivers node={r.node} /> },
  { id: "datacenter", head: "Datacenter", width: "minmax(60px, 110px)", wide: true, value: (r) => r.node.Datacenter, cell: (r) => <span className="dim"><Name>{r.node.Datacenter}</Name></span> },
  { id: "pool", head: "Pool", width: "minmax(60px, 110px)", wide: true, value: (r) => r.node.NodePool, cell: (r) => <span className="dim"><Name>{r.node.NodePool}</Name></span> },
  { id: "class", head: "Class", width: "minmax(50px, 100px)", wide: true, value: (r) => r.node.NodeClass, cell: (r) => <span className="dim"><Name>{r.node.NodeClass || "–"}</Name></span> },
  { id: "address", head: "Address", width: "minmax(70px, 120px)", wide: true, value: (r) => r.node.Address, cell: (r) => <span className="dim mono"><Name>{r.node.Address}</Name></span> },
];

const part = (r: Row, of: "cpu" | "memory"): number | undefined => (r.promised === undefined ? undefined : Number(share(r.promised[of], r.has[of]).toFixed(3)));

function Drivers({ node }: { node: NodeListStub }) {
  const { healthy, unhealthy } = drivers(node);
  const title = [...healthy, ...unhealthy.map((d) => `${d} (unhealthy)`)].join(", ");
  return (
    <span className="row" title={title}>
      <span className="dim num">{healthy.length}</span>
      {unhealthy.length > 0 && <Tag tone="bad">{unhealthy.length} bad</Tag>}
    </span>
  );
}

const distinct = (nodes: NodeListStub[], of: (n: NodeListStub) => string): string[] => [...new Set(nodes.map(of))].filter((v) => v !== "").sort();

export function Nodes() {
  const { q = "", state = "", pool = "", dc = "", class: nodeClass = "" } = route.useSearch();
  const navigate = route.useNavigate();
  useTitle("Nodes");
  const expression = isExpression(q);
  const read = useRead("Nodes.List", { resources: true, ...(expression ? { filter: q } : {}) }, { keep: true });
  const { use, denied } = useUse();
  const all = read.data;
  const rows = useMemo(() => narrowed(all ?? [], { text: expression ? "" : q, state, pool, dc, nodeClass }).map((n) => row(n, use)), [all, use, expression, q, state, pool, dc, nodeClass]);
  const set = (change: Partial<Record<"q" | "state" | "pool" | "dc" | "class", string>>): void => void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  const clear = (): void => set({ q: "", state: "", pool: "", dc: "", class: "" });
  const facets = [
    { name: "State", value: state, values: ["ready", "draining", "ineligible", "initializing", "disconnected", "down"], onChange: (v: string) => set({ state: v }) },
    { name: "Pool", value: pool, values: distinct(all ?? [], (n) => n.NodePool), onChange: (v: string) => set({ pool: v }) },
    { name: "Datacenter", value: dc, values: distinct(all ?? [], (n) => n.Datacenter), onChange: (v: string) => set({ dc: v }) },
    { name: "Class", value: nodeClass, values: distinct(all ?? [], (n) => n.NodeClass), onChange: (v: string) => set({ class: v }) },
  ].filter((f) => f.value !== "" || f.name === "State" || f.values.length > 1);
  return (
    <div className="page">
      <PageHead
        title="Nodes"
        {...(all === undefined ? {} : { sub: <Summary nodes={all} /> })}
        actions={
          <Link to={"/topology" as "/"} className="button">
            <Icon name="topology" />
            Topology
          </Link>
        }
      />
      <Panel flush>
        <Filter value={q} onChange={(v) => set({ q: v })} placeholder="Filter by name, address or ID, or by expression" help={help} error={expression ? read.error : null} facets={facets} />
        {all === undefined ? (
          read.error ? <div className="body"><Failure error={read.error} what="list of nodes" /></div> : <Skeleton lines={8} />
        ) : (
          <>
            {read.error !== null && !expression && <Callout tone="warn">This list could not be read anew: it is as it was before.</Callout>}
            <Table
              name="nodes" rows={rows} columns={columns} keys rowKey={(r) => r.node.ID} rowLink={(r) => nodeLink(r.node.ID)} sort={{ by: "name", down: false }}
              note={denied ? `${plural(rows.length, "node")}; your token may not see what they have promised (node:read)` : undefined}
              empty={<None filtered={all.length > 0 || q !== ""} onClear={clear} />}
            />
          </>
        )}
      </Panel>
    </div>
  );
}

function row(node: NodeListStub, use: Map<string, NodeUse> | undefined): Row {
  const of = use?.get(node.ID);
  return { node, has: capacity(node), promised: use === undefined ? undefined : (of?.promised ?? none()), allocations: use === undefined ? undefined : (of?.count ?? 0) };
}

function Summary({ nodes }: { nodes: NodeListStub[] }) {
  const states = new Map<string, number>();
  for (const n of nodes) states.set(nodeState(n).text, (states.get(nodeState(n).text) ?? 0) + 1);
  return (
    <>
      {[...states].sort((a, b) => b[1] - a[1]).map(([text, n]) => (
        <span key={text}>{count(n)} {text}</span>
      ))}
    </>
  );
}

function None({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  if (filtered) return <Empty icon="filter" title="No node is like that" actions={<button type="button" className="button" onClick={onClear}>Clear the filter</button>} />;
  return (
    <Empty icon="nodes" title="There are no nodes">
      Start an agent with <code>client {"{ enabled = true }"}</code> that knows a server: <code>serai agent -config client.hcl</code>
    </Empty>
  );
}

interface Wanted {
  text: string;
  state: string;
  pool: string;
  dc: string;
  nodeClass: string;
}

/** The nodes that a word and the chosen facets leave. */
export function narrowed(nodes: NodeListStub[], w: Wanted): NodeListStub[] {
  const t = w.text.trim().toLowerCase();
  return nodes.filter(
    (n) =>
      (t === "" || n.Name.toLowerCase().includes(t) || n.ID.startsWith(t) || n.Address.includes(t)) &&
      (w.state === "" || nodeState(n).text === w.state) &&
      (w.pool === "" || n.NodePool === w.pool) &&
      (w.dc === "" || n.Datacenter === w.dc) &&
      (w.nodeClass === "" || n.NodeClass === w.nodeClass),
  );
}

const help = {
  fields: ["ID", "Name", "Datacenter", "NodeClass", "NodePool", "Status", "SchedulingEligibility", "Attributes", "Meta", "Drivers"],
  examples: [
    ['Status == "ready" and NodeClass == "gpu"', "both must hold"],
    ['Attributes["kernel.name"] == "linux"', "an attribute"],
    ['Meta.rack matches "^r1"', "meta, by a regular expression"],
    ['SchedulingEligibility == "ineligible"', "nodes that take no new allocations"],
    ['"docker" in Drivers', "nodes with a driver"],
  ] as [string, string][],
};
