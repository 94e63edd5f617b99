import { Suspense, lazy, useMemo } from "react";
import type { AllocationListStub, Attribute, Node } from "../../api/types.gen";
import { Copy, Empty, Facts, Panel, Time } from "../../components/Basics";
import { AllocationLink, JobLink } from "../../components/Links";
import { Badge, Meter, Name, Tag } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { bytes, count, mebibytes, megahertz, plural } from "../../lib/format";
import { allocationState } from "../../lib/status";
import { NodeMeta } from "./NodeMeta";
import { add, capacity, none, promise, type Amounts } from "./usage";

const NodeStats = lazy(() => import("./NodeStats"));

export function NodeOverview({ n, alive }: { n: Node; alive: AllocationListStub[] | undefined }) {
  return (
    <div className="node-columns">
      <div className="stack">
        <Suspense fallback={null}>
          <NodeStats n={n} />
        </Suspense>
        <RunsHere alive={alive} />
        <Drivers n={n} />
        <Devices n={n} />
      </div>
      <div className="stack">
        <Promised n={n} alive={alive} />
        <Machine n={n} />
        <NodeMeta n={n} />
        <HostVolumes n={n} />
        <HostNetworks n={n} />
      </div>
    </div>
  );
}

function Promised({ n, alive }: { n: Node; alive: AllocationListStub[] | undefined }) {
  const has = capacity(n);
  const given = useMemo(() => {
    const sum = none();
    for (const a of alive ?? []) add(sum, promise(a.AllocatedResources));
    return sum;
  }, [alive]);
  return (
    <Panel title="Promised to allocations">
      <div className="stack">
        <Meter name="CPU" part={given.cpu} whole={has.cpu} text={`${megahertz(given.cpu)} of ${megahertz(has.cpu)}`} />
        <Meter name="Memory" part={given.memory} whole={has.memory} text={`${mebibytes(given.memory)} of ${mebibytes(has.memory)}`} />
        <Meter name="Disk" part={given.disk} whole={has.disk} text={`${mebibytes(given.disk)} of ${mebibytes(has.disk)}`} />
        {has.devices > 0 && <Meter name="Devices" part={given.devices} whole={has.devices} text={`${Number(given.devices.toFixed(2))} of ${has.devices}`} />}
      </div>
    </Panel>
  );
}

interface Run {
  a: AllocationListStub;
  given: Amounts;
}

const runs: Column<Run>[] = [
  { id: "id", head: "Allocation", width: "96px", value: (r) => r.a.ID, cell: (r) => <AllocationLink id={r.a.ID} /> },
  { id: "state", head: "State", width: "104px", value: (r) => allocationState(r.a).text, cell: (r) => <Badge state={allocationState(r.a)} /> },
  { id: "job", head: "Job", width: "minmax(80px, 2fr)", value: (r) => r.a.JobID, cell: (r) => <JobLink namespace={r.a.Namespace} id={r.a.JobID} /> },
  { id: "group", head: "Group", width: "minmax(60px, 1fr)", wide: true, value: (r) => r.a.TaskGroup, cell: (r) => <span className="dim"><Name>{r.a.TaskGroup}</Name></span> },
  { id: "cpu", head: "CPU", width: "76px", right: true, wide: true, value: (r) => r.given.cpu, cell: (r) => megahertz(r.given.cpu) },
  { id: "memory", head: "Memory", width: "72px", right: true, wide: true, value: (r) => r.given.memory, cell: (r) => mebibytes(r.given.memory) },
  { id: "since", head: "Since", width: "72px", right: true, wide: true, value: (r) => r.a.CreateTime, cell: (r) => <span className="dim"><Time at={r.a.CreateTime} /></span> },
];

function RunsHere({ alive }: { alive: AllocationListStub[] | undefined }) {
  const rows = useMemo(() => (alive ?? []).map((a) => ({ a, given: promise(a.AllocatedResources) })), [alive]);
  const jobs = new Set(rows.map((r) => `${r.a.Namespace}/${r.a.JobID}`)).size;
  return (
    <Panel title="What runs here" {...(rows.length > 0 ? { count: `${plural(rows.length, "allocation")} of ${plural(jobs, "job")}` } : {})} flush>
      {alive !== undefined && <Table name="running allocations" rows={rows} columns={runs} keys rowKey={(r) => r.a.ID} sort={{ by: "memory", down: true }} empty={<Empty icon="terminal" title="Nothing runs here">What has ended is under Allocations.</Empty>} />}
    </Panel>
  );
}

function Drivers({ n }: { n: Node }) {
  const found = Object.entries(n.Drivers ?? {}).sort(([a, x], [b, y]) => Number(y.Detected) - Number(x.Detected) || (a < b ? -1 : 1));
  return (
    <Panel title="Drivers" count={String(found.filter(([, d]) => d.Detected).length)}>
      {found.length === 0 && <p className="dim">The node has no drivers: it can run nothing.</p>}
      <ul className="list-lines">
        {found.slice(0, 60).map(([name, d]) => (
          <li key={name}>
            <Badge state={!d.Detected ? { tone: "off", text: "not here" } : d.Healthy ? { tone: "ok", text: "healthy" } : { tone: "bad", text: "unhealthy" }} />
            <b className="nowrap"><Name>{name}</Name></b>
            <span className="dim grow break">{d.HealthDescription !== "Healthy" && <Name>{d.HealthDescription}</Name>} {version(d.Attributes)}</span>
            <span className="faint"><Time at={d.UpdateTime} /></span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

const version = (attributes: Record<string, string> | null): string => {
  const found = Object.entries(attributes ?? {}).find(([k]) => k.endsWith(".version"));
  return found === undefined ? "" : found[1];
};

function Devices({ n }: { n: Node }) {
  const devices = n.NodeResources?.Devices ?? [];
  if (devices.length === 0) return null;
  return (
    <Panel title="Devices" count={String(devices.reduce((s, d) => s + (d.Instances?.length ?? 0), 0))}>
      <ul className="list-lines">
        {devices.slice(0, 100).map((d) => {
          const bad = (d.Instances ?? []).filter((i) => !i.Healthy).length;
          return (
            <li key={`${d.Vendor}/${d.Type}/${d.Name}`}>
              <Badge state={bad === 0 ? { tone: "ok", text: "healthy" } : { tone: "bad", text: `${bad} unhealthy` }} />
              <b className="nowrap">{d.Instances?.length ?? 0} × <Name>{`${d.Vendor}/${d.Type}/${d.Name}`}</Name></b>
              <span className="dim grow break"><Name>{Object.entries(d.Attributes ?? {}).map(([k, v]) => `${k} ${attribute(v)}`).join(", ")}</Name></span>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

const attribute = (a: Attribute): string => `${a.Float ?? a.Int ?? a.String ?? a.Bool ?? ""}${a.Unit === "" ? "" : ` ${a.Unit}`}`;

function Machine({ n }: { n: Node }) {
  const a = n.Attributes ?? {};
  const facts: [string, React.ReactNode][] = [
    ["System", [a["os.name"], a["os.version"]].filter(Boolean).join(" ")],
    ["Kernel", [a["kernel.name"], a["kernel.version"]].filter(Boolean).join(" ")],
    ["Processor", [a["cpu.modelname"], a["cpu.arch"]].filter(Boolean).join(", ")],
    ["Cores", a["cpu.numcores"] ?? (n.NodeResources ? count(n.NodeResources.Cpu.TotalCpuCores) : "")],
    ["Memory", a["memory.totalbytes"] === undefined ? "" : bytes(Number(a["memory.totalbytes"]))],
    ["Address", n.HTTPAddr],
    ["Agent", a["serai.version"] ?? a["nomad.version"] ?? ""],
    ["Ports", n.NodeResources ? `${n.NodeResources.MinDynamicPort} to ${n.NodeResources.MaxDynamicPort}` : ""],
    ["Kept back", kept(n)],
  ].filter((f): f is [string, string] => f[1] !== "").map(([k, v]) => [k, <Name key={k}>{v}</Name>]);
  return (
    <Panel title="Machine">
      <Facts>{facts}</Facts>
    </Panel>
  );
}

function kept(n: Node): string {
  const r = n.ReservedResources;
  const parts = [r?.Cpu.CpuShares ? megahertz(r.Cpu.CpuShares) : "", r?.Memory.MemoryMB ? mebibytes(r.Memory.MemoryMB) : "", r?.Disk.DiskMB ? `${mebibytes(r.Disk.DiskMB)} disk` : ""];
  return parts.filter((p) => p !== "").join(", ");
}

function HostVolumes({ n }: { n: Node }) {
  const volumes = Object.entries(n.HostVolumes ?? {});
  if (volumes.length === 0) return null;
  return (
    <Panel title="Host volumes" count={String(volumes.length)}>
      <ul className="list-lines">
        {volumes.slice(0, 100).map(([name, v]) => (
          <li key={name}>
            <b><Name>{name}</Name></b>
            <span className="dim grow mono break"><Name>{v.Path}</Name></span>
            {v.ReadOnly && <Tag>read only</Tag>}
            <Copy text={v.Path} what="path" />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function HostNetworks({ n }: { n: Node }) {
  const networks = Object.entries(n.HostNetworks ?? {});
  if (networks.length === 0) return null;
  return (
    <Panel title="Host networks" count={String(networks.length)}>
      <Facts>
        {networks.slice(0, 100).map(([name, v]): [string, React.ReactNode] => [name, <span key={name} className="mono"><Name>{[v.CIDR, v.Interface].filter((x) => x !== "").join(" on ")}</Name></span>])}
      </Facts>
    </Panel>
  );
}

