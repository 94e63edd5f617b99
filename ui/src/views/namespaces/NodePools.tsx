import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { call } from "../../api/client";
import { useMay } from "../../api/may";
import { useRead } from "../../api/query";
import type { NodeListStub, NodePool } from "../../api/types.gen";
import { Empty, IconButton, PageHead, Panel, Shown, useTitle } from "../../components/Basics";
import { Confirm } from "../../components/Dialog";
import { Icon } from "../../components/Icon";
import { Name, Tag } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { toast } from "../../components/Toast";
import { count, mebibytes, megahertz, plural } from "../../lib/format";
import { Use } from "../nodes/Use";
import { add, capacity, none, useUse, type Amounts, type NodeUse } from "../nodes/usage";
import "../nodes/nodes.css";

interface Row {
  pool: NodePool;
  nodes: number;
  ready: number;
  jobs: number | undefined;
  has: Amounts;
  promised: Amounts | undefined;
}

type Asked = { act: "edit" | "delete"; pool: NodePool } | undefined;

const builtIn = (name: string): boolean => name === "default" || name === "all";

export function NodePools() {
  useTitle("Node pools");
  const may = useMay();
  const [asked, setAsked] = useState<Asked>();
  const read = useRead("NodePools.List", {});
  const nodes = useRead("Nodes.List", { resources: true });
  const jobs = useRead("Jobs.List", { namespace: "*" });
  const { use } = useUse();
  const rows = useMemo(() => {
    const byPool = new Map<string, number>();
    for (const j of jobs.data ?? []) if (!j.Stop) byPool.set(j.NodePool, (byPool.get(j.NodePool) ?? 0) + 1);
    return (read.data ?? []).map((pool) => row(pool, nodes.data ?? [], use, jobs.data === undefined ? undefined : (byPool.get(pool.Name) ?? 0)));
  }, [read.data, nodes.data, jobs.data, use]);
  const columns: Column<Row>[] = [
    { id: "name", head: "Pool", width: "minmax(100px, 1.2fr)", value: (r) => r.pool.Name, cell: (r) => <Link to="/nodes" search={(r.pool.Name === "all" ? {} : { pool: r.pool.Name }) as never}><Name>{r.pool.Name}</Name></Link> },
    { id: "description", head: "Description", width: "minmax(100px, 2fr)", wide: true, value: (r) => r.pool.Description, cell: (r) => <span className="dim"><Name>{r.pool.Description}</Name></span> },
    { id: "nodes", head: "Nodes", width: "96px", right: true, value: (r) => r.nodes, cell: (r) => (r.ready === r.nodes ? count(r.nodes) : `${count(r.ready)} of ${count(r.nodes)} ready`) },
    { id: "jobs", head: "Jobs", width: "52px", right: true, value: (r) => r.jobs, cell: (r) => (r.jobs === undefined ? "–" : count(r.jobs)) },
    { id: "cpu", head: "CPU", width: "minmax(84px, 1fr)", wide: true, value: (r) => r.promised?.cpu, cell: (r) => <Use part={r.promised?.cpu} whole={r.has.cpu} text={megahertz} what="CPU" /> },
    { id: "memory", head: "Memory", width: "minmax(84px, 1fr)", wide: true, value: (r) => r.promised?.memory, cell: (r) => <Use part={r.promised?.memory} whole={r.has.memory} text={mebibytes} what="Memory" /> },
    { id: "scheduler", head: "Scheduler", width: "minmax(80px, 110px)", wide: true, value: (r) => r.pool.SchedulerConfiguration?.SchedulerAlgorithm, cell: (r) => (r.pool.SchedulerConfiguration?.SchedulerAlgorithm ? <Tag>{r.pool.SchedulerConfiguration.SchedulerAlgorithm}</Tag> : <span className="faint">as the cluster</span>) },
    ...(may("NodePool.Upsert") ? [{ id: "act", head: "", width: "64px", right: true, cell: (r: Row) => !builtIn(r.pool.Name) && <Acts pool={r.pool} onAsk={setAsked} /> }] : []),
  ];
  return (
    <div className="page">
      <PageHead
        title="Node pools" sub="Parts of the nodes that jobs choose by node_pool. An agent joins one with client { node_pool }."
        actions={may("NodePool.Upsert") && <button type="button" className="button primary" onClick={() => setAsked({ act: "edit", pool: fresh })}><Icon name="plus" />New pool</button>}
      />
      <Panel flush>
        <Shown read={read} what="node pools">{() => <Table name="node pools" rows={rows} columns={columns} keys rowKey={(r) => r.pool.Name} sort={{ by: "name", down: false }} empty={<Empty icon="nodes" title="You may see no node pool" />} />}</Shown>
      </Panel>
      {asked?.act === "edit" && <Edit pool={asked.pool} onClose={() => setAsked(undefined)} />}
      {asked?.act === "delete" && (
        <Confirm title="Delete this node pool?" label="Delete" danger onClose={() => setAsked(undefined)} act={async () => { await call("NodePool.Delete", { name: asked.pool.Name }); toast(`Node pool ${asked.pool.Name} is deleted.`); }}>
          <p>The pool <b><Name>{asked.pool.Name}</Name></b> goes. That is refused while it has nodes or jobs: {plural(rows.find((r) => r.pool.Name === asked.pool.Name)?.nodes ?? 0, "node")} now.</p>
        </Confirm>
      )}
    </div>
  );
}

const fresh: NodePool = { Name: "", Description: "", Meta: null, NodeIdentityTTL: 0, SchedulerConfiguration: null, CreateIndex: 0, ModifyIndex: 0 };

/** A pool with what its nodes have together. The pool "all" has every node. */
export function row(pool: NodePool, nodes: NodeListStub[], use: Map<string, NodeUse> | undefined, jobs: number | undefined): Row {
  const of = nodes.filter((n) => pool.Name === "all" || n.NodePool === pool.Name);
  const has = none();
  const promised = none();
  for (const n of of) {
    add(has, capacity(n));
    const u = use?.get(n.ID);
    if (u !== undefined) add(promised, u.promised);
  }
  return { pool, nodes: of.length, ready: of.filter((n) => n.Status === "ready").length, jobs, has, promised: use === undefined ? undefined : promised };
}

function Acts({ pool, onAsk }: { pool: NodePool; onAsk: (a: Asked) => void }) {
  return (
    <span className="row">
      <IconButton icon="file" label={`Edit ${pool.Name}`} onClick={() => onAsk({ act: "edit", pool })} />
      <IconButton icon="trash" label={`Delete ${pool.Name}`} onClick={() => onAsk({ act: "delete", pool })} />
    </span>
  );
}

function Edit({ pool, onClose }: { pool: NodePool; onClose: () => void }) {
  const made = pool.Name === "";
  const [name, setName] = useState(pool.Name);
  const [description, setDescription] = useState(pool.Description);
  const [algorithm, setAlgorithm] = useState(pool.SchedulerConfiguration?.SchedulerAlgorithm ?? "");
  const act = async (): Promise<void> => {
    const before = pool.SchedulerConfiguration;
    const SchedulerConfiguration = algorithm === "" && (before === null || before.MemoryOversubscriptionEnabled === null) ? null : { ...(before ?? { MemoryOversubscriptionEnabled: null }), SchedulerAlgorithm: algorithm };
    await call("NodePool.Upsert", {}, { ...pool, Name: name.trim(), Description: description.trim(), SchedulerConfiguration });
    toast(`Node pool ${name.trim()} is saved.`);
  };
  return (
    <Confirm title={made ? "New node pool" : `Node pool ${pool.Name}`} label="Save" act={act} onClose={onClose}>
      {made && (
        <label className="label">
          <span>Name <span className="hint">letters, digits, - and _</span></span>
          <input className="field mono" value={name} autoFocus maxLength={128} spellCheck={false} onChange={(e) => setName(e.target.value)} />
        </label>
      )}
      <label className="label">
        <span>Description</span>
        <input className="field" value={description} maxLength={256} onChange={(e) => setDescription(e.target.value)} />
      </label>
      <label className="label">
        <span>Placement</span>
        <select className="field" value={algorithm} onChange={(e) => setAlgorithm(e.target.value)}>
          <option value="">as the cluster does</option>
          <option value="binpack">binpack: fill nodes up</option>
          <option value="spread">spread: even over nodes</option>
        </select>
      </label>
    </Confirm>
  );
}
