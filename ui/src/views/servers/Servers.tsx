// The servers: who leads, who follows how closely, and how many may fail.
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { ApiError, open } from "../../api/client";
import { useMay } from "../../api/may";
import { explain, useAct, useRead } from "../../api/query";
import type { AgentSelfResponse, AutopilotHealth } from "../../api/types.gen";
import { Callout, Empty, Facts, Failure, ID, PageHead, Panel, Skeleton, Time, useTitle } from "../../components/Basics";
import { Icon } from "../../components/Icon";
import { Badge, Name, Tag } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { download } from "../../lib/export";
import { bytes, count, duration, plural } from "../../lib/format";
import { lastContact, nanoseconds, servers, serverState, tolerance, versions, type Server } from "./cluster";
import "./servers.css";

/** Servers tell of themselves only when they are asked: no event says that one has failed. */
const EVERY = 4000;

function useAskedAgain(): void {
  const client = useQueryClient();
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.hidden) return;
      for (const op of ["Agent.Members", "Operator.RaftConfig", "Operator.AutopilotHealth", "Agent.Self", "Status.Leader"]) void client.refetchQueries({ queryKey: [op], type: "active" });
    }, EVERY);
    return () => clearInterval(timer);
  }, [client]);
}

const columns: Column<Server>[] = [
  { id: "name", head: "Server", width: "minmax(110px, 2fr)", value: (s) => s.name, cell: (s) => <span className="row"><Name>{s.name}</Name></span> },
  { id: "state", head: "State", width: "116px", value: (s) => serverState(s).text, cell: (s) => <Badge state={serverState(s)} /> },
  { id: "address", head: "Address", width: "minmax(120px, 1.2fr)", wide: true, value: (s) => s.address, cell: (s) => <span className="mono dim"><Name>{s.address}</Name></span> },
  { id: "raft", head: "Raft", width: "72px", wide: true, value: (s) => (s.voter === undefined ? "" : s.voter ? "voter" : "no vote"), cell: (s) => (s.voter === undefined ? <span className="faint">–</span> : s.voter ? "voter" : <Tag tone="busy">no vote</Tag>) },
  { id: "contact", head: "Last contact", width: "88px", right: true, value: lastContact, cell: (s) => <Contact s={s} /> },
  { id: "index", head: "Log index", width: "84px", right: true, wide: true, value: (s) => s.health?.LastIndex, cell: (s) => <span className="dim">{s.health && s.gossip !== "failed" ? count(s.health.LastIndex) : "–"}</span> },
  { id: "since", head: "Steady since", width: "88px", right: true, wide: true, value: (s) => s.health?.StableSince, cell: (s) => <span className="dim"><Time at={s.health?.StableSince} /></span> },
  { id: "version", head: "Version", width: "minmax(64px, 110px)", wide: true, value: (s) => s.version, cell: (s) => <Name>{s.version || "–"}</Name> },
  { id: "gossip", head: "Gossip", width: "64px", wide: true, value: (s) => s.gossip, cell: (s) => <span className="dim">{s.gossip || "–"}</span> },
  { id: "id", head: "ID", width: "96px", wide: true, value: (s) => s.id, cell: (s) => <ID id={s.id} /> },
];

function Contact({ s }: { s: Server }) {
  if (s.leader) return <span className="faint">leads</span>;
  const ns = lastContact(s);
  if (ns === undefined) return <span className="faint">–</span>;
  return <span className={ns > 1e9 ? "tone-warn late" : ""}>{ns < 0 ? "never" : duration(ns)}</span>;
}

const missing = (e: unknown): boolean => e instanceof ApiError && (e.status === 404 || e.status === 501);

export function Servers() {
  useTitle("Servers");
  useAskedAgain();
  const members = useRead("Agent.Members", {});
  const raft = useRead("Operator.RaftConfig", {}, { enabled: useMay()("Operator.RaftConfig") });
  const autopilot = useRead("Operator.AutopilotHealth", {});
  const leader = useRead("Status.Leader", {});
  const self = useRead("Agent.Self", {});
  const list = useMemo(() => servers(members.data, raft.data, autopilot.data, leader.data ?? ""), [members.data, raft.data, autopilot.data, leader.data]);
  const nothing = members.data === undefined && raft.data === undefined;
  const error = members.error ?? raft.error;
  return (
    <div className="page">
      <PageHead title="Servers" sub={list.length > 0 && <Summary list={list} leader={leader.data} />} actions={<SaveSnapshot />} />
      {nothing && error !== null ? <Failure error={error} what="list of servers" /> : nothing ? <Skeleton lines={6} /> : (
        <>
          <Health list={list} leader={leader.data} autopilot={autopilot.data} />
          <Panel title="Servers" count={count(list.length)} flush>
            <Table
              name="servers" rows={list} columns={columns} keys rowKey={(s) => s.id || s.address} empty={<Empty icon="servers" title="No server is known">This agent has found none: look at its <code>server_join</code>.</Empty>}
              note={missing(autopilot.error) ? `${plural(list.length, "server")}. Last contact and log index need autopilot’s health, which this version does not tell.` : undefined}
            />
          </Panel>
          <div className="columns">
            <Raft self={self.data} denied={self.error} />
            <div className="stack">
              <Broker self={self.data} />
              <Versions list={list} />
            </div>
            <Autopilot />
          </div>
        </>
      )}
    </div>
  );
}

function Summary({ list, leader }: { list: Server[]; leader: string | undefined }) {
  const name = list.find((s) => s.leader)?.name;
  return (
    <>
      <span>{plural(list.length, "server")}</span>
      {name !== undefined ? <span><b><Name>{name}</Name></b> leads</span> : leader === "" && <span>nobody leads</span>}
      {list[0]?.region !== undefined && list[0].region !== "" && <span>region <Name>{list[0].region}</Name></span>}
    </>
  );
}

/** What an operator must know first. */
function Health({ list, leader, autopilot }: { list: Server[]; leader: string | undefined; autopilot: AutopilotHealth | undefined }) {
  const bad = list.filter((s) => serverState(s).tone === "bad" || serverState(s).tone === "warn");
  const voters = list.filter((s) => s.voter === true).length;
  const left = autopilot?.FailureTolerance ?? tolerance(list);
  if (leader === "") return <Callout tone="bad"><b>There is no leader.</b> Nothing can be changed or scheduled until one is elected: that needs {voters > 0 ? `${Math.floor(voters / 2) + 1} of ${plural(voters, "voting server")}` : "more than half of the voting servers"} to reach each other. What runs goes on.</Callout>;
  if (bad.length > 0) return <Callout tone="bad"><b>{plural(bad.length, "server")} {bad.length === 1 ? "is" : "are"} not well:</b> <Name>{bad.map((s) => `${s.name} (${serverState(s).text})`).join(", ")}</Name>. {left > 0 ? `${left === 1 ? "One more" : `${left} more`} may fail before nothing can be changed.` : "No other may fail, or nothing can be changed."}</Callout>;
  if (voters <= 1) return <Callout tone="off">A single server: right for development. When it is gone, so is the state, unless snapshots of it are kept. Three servers let one fail.</Callout>;
  return <Callout tone="ok">All servers are well. <b>{left === 0 ? "None may" : left === 1 ? "One may" : `${left} may`} fail</b> before nothing can be changed{left === 0 ? ": add one" : ""}.</Callout>;
}

const names: [key: string, text: string][] = [
  ["state", "This agent"], ["term", "Term"], ["commit_index", "Committed"], ["applied_index", "Applied"], ["last_log_index", "Last in log"], ["fsm_pending", "Waiting to be applied"], ["num_peers", "Other peers"], ["last_contact", "Heard of the leader"],
  ["last_snapshot_index", "Snapshot at"], ["last_snapshot_term", "Snapshot’s term"], ["protocol_version", "Protocol"],
];

const number = (v: string): string => (/^\d+$/.test(v) ? count(Number(v)) : v);

function Raft({ self, denied }: { self: AgentSelfResponse | undefined; denied: unknown }) {
  const raft = self?.stats?.raft;
  if (self === undefined) return denied instanceof ApiError && denied.denied ? <Panel title="Raft"><p className="dim">{explain(denied)}</p></Panel> : null;
  if (!raft) return <Panel title="Raft"><p className="dim">The agent that you talk to is no server: it passes requests on.</p></Panel>;
  const facts = names.filter(([k]) => raft[k] !== undefined).map(([k, text]): [string, React.ReactNode] => {
    const v = raft[k] ?? "";
    if (k === "last_contact") return [text, v === "0" ? "it leads, or just now" : v === "never" ? "never" : <Name key={k}>{nanoseconds(v) === undefined ? v : `${duration(nanoseconds(v) ?? 0)} ago`}</Name>];
    if (k === "last_snapshot_index" && v === "0") return [text, <span key={k} className="dim">none yet: the whole log is kept</span>];
    return [text, <span key={k} className="num"><Name>{number(v)}</Name></span>];
  });
  return (
    <Panel title="Raft" count="of the agent that you talk to">
      <Facts>{facts}</Facts>
    </Panel>
  );
}

/** The leader's queue of evaluations. */
function Broker({ self }: { self: AgentSelfResponse | undefined }) {
  const broker = self?.stats?.broker;
  if (!broker) return null;
  const texts: Record<string, string> = { ready: "Ready to be looked at", unacked: "Being looked at", pending: "Behind another of their job", waiting: "Waiting for their time", blocked: "Waiting for room" };
  return (
    <Panel title="Scheduling queue">
      <Facts>{Object.entries(texts).filter(([k]) => broker[k] !== undefined).map(([k, text]): [string, React.ReactNode] => [text, <span key={k} className="num">{number(broker[k] ?? "0")}</span>])}</Facts>
      {self?.stats?.nomad?.leader === "false" && <p className="faint">This agent does not lead: its queue is empty.</p>}
    </Panel>
  );
}

function Versions({ list }: { list: Server[] }) {
  const nodes = useRead("Nodes.List", { resources: true });
  const ofServers = versions(list.map((s) => s.version));
  const ofNodes = versions((nodes.data ?? []).map((n) => n.Version));
  const skew = ofServers.length > 1 || ofNodes.length > 1;
  const lines = (of: [string, number][]): React.ReactNode => (of.length === 0 ? "–" : of.slice(0, 6).map(([v, n]) => <div key={v}><Name>{v}</Name> <span className="dim">× {count(n)}</span></div>));
  return (
    <Panel title="Versions" {...(skew ? { actions: <Tag tone="warn">several</Tag> } : {})}>
      <div className="stack">
        <Facts>{[["Servers", <div key="s">{lines(ofServers)}</div>], ["Nodes speak", <div key="n">{lines(ofNodes)}</div>]]}</Facts>
        {skew && <p className="dim">Several versions run side by side: right during an upgrade. Upgrade servers one at a time, the leader last, then nodes.</p>}
      </div>
    </Panel>
  );
}

function Autopilot() {
  const read = useRead("Operator.AutopilotConfig", {});
  if (read.data === undefined) return null;
  const a = read.data;
  return (
    <Panel title="Autopilot">
      <Facts>
        {[
          ["Dead servers", a.CleanupDeadServers ? "are removed" : "are kept"],
          ["Too far behind", `${count(a.MaxTrailingLogs)} log entries`],
          ["Too long silent", <span key="t">{time(a.LastContactThreshold)}</span>],
          ["New ones vote after", <span key="s">{time(a.ServerStabilizationTime)}</span>],
          ["Fewest servers", a.MinQuorum === 0 ? "no bound" : count(a.MinQuorum)],
        ]}
      </Facts>
    </Panel>
  );
}

/** A duration of the API: text or nanoseconds. */
const time = (v: number | string): string => (typeof v === "number" ? duration(v) : v);

/** Saves the state of the cluster as a file, as `serai operator snapshot save` does. */
function SaveSnapshot() {
  const may = useMay();
  const [got, setGot] = useState(0);
  const save = useAct(
    async () => {
      const r = await open("Operator.SnapshotSave", {});
      const chunks: Uint8Array<ArrayBuffer>[] = [];
      const reader = r.body?.getReader();
      let n = 0;
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
        if (done || value === undefined) break;
        chunks.push(value as Uint8Array<ArrayBuffer>);
        setGot((n += value.length));
      }
      download(`serai-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.snap`, new Blob(chunks), "application/octet-stream");
      return n;
    },
    (n) => `The cluster’s state is saved: ${bytes(n)}. Restore it with: serai operator snapshot restore FILE`,
  );
  if (!may("Operator.SnapshotSave")) return null;
  return (
    <button type="button" className="button" disabled={save.isPending} onClick={() => save.mutate()}>
      <Icon name="download" />
      {save.isPending ? `Saving… ${got > 0 ? bytes(got) : ""}` : "Save a snapshot"}
    </button>
  );
}
