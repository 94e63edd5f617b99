import { Link } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { call } from "../../api/client";
import { useMay } from "../../api/may";
import { queryClient, useRead } from "../../api/query";
import type { Namespace } from "../../api/types.gen";
import { Empty, IconButton, PageHead, Panel, Shown, useTitle } from "../../components/Basics";
import { Confirm } from "../../components/Dialog";
import { Icon } from "../../components/Icon";
import { Name, Tag } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { toast } from "../../components/Toast";
import { count, plural } from "../../lib/format";

interface Row {
  ns: Namespace;
  jobs: number | undefined;
}

type Asked = { act: "edit" | "delete"; ns: Namespace } | undefined;

/** No event tells of namespaces. */
const anew = (): Promise<void> => queryClient.invalidateQueries({ queryKey: ["Namespaces.List"] });

export function Namespaces() {
  useTitle("Namespaces");
  const may = useMay();
  const [asked, setAsked] = useState<Asked>();
  const read = useRead("Namespaces.List", {});
  const jobs = useRead("Jobs.List", { namespace: "*" });
  const rows = useMemo(() => {
    const counts = new Map<string, number>();
    for (const j of jobs.data ?? []) if (!j.Stop) counts.set(j.Namespace ?? "default", (counts.get(j.Namespace ?? "default") ?? 0) + 1);
    return (read.data ?? []).map((ns): Row => ({ ns, jobs: jobs.data === undefined ? undefined : (counts.get(ns.Name) ?? 0) }));
  }, [read.data, jobs.data]);
  const editable = may("Namespace.Upsert");
  const columns: Column<Row>[] = [
    { id: "name", head: "Namespace", width: "minmax(110px, 1.5fr)", value: (r) => r.ns.Name, cell: (r) => <Link to="/jobs" search={{ ns: r.ns.Name } as never}><Name>{r.ns.Name}</Name></Link> },
    { id: "description", head: "Description", width: "minmax(100px, 4fr)", wide: true, value: (r) => r.ns.Description, cell: (r) => <span className="dim"><Name>{r.ns.Description}</Name></span> },
    { id: "jobs", head: "Jobs", width: "56px", right: true, value: (r) => r.jobs, cell: (r) => (r.jobs === undefined ? "–" : count(r.jobs)) },
    { id: "quota", head: "Quota", width: "minmax(60px, 120px)", wide: true, value: (r) => r.ns.Quota, cell: (r) => <span className="dim"><Name>{r.ns.Quota || "none"}</Name></span> },
    { id: "pool", head: "Default pool", width: "minmax(80px, 120px)", wide: true, value: (r) => r.ns.NodePoolConfiguration?.Default, cell: (r) => <span className="dim"><Name>{r.ns.NodePoolConfiguration?.Default || "default"}</Name></span> },
    { id: "limits", head: "Limits", width: "minmax(90px, 2fr)", wide: true, value: (r) => limits(r.ns).join(", "), cell: (r) => <Limits ns={r.ns} /> },
    ...(editable ? [{ id: "act", head: "", width: "64px", right: true, cell: (r: Row) => <Acts ns={r.ns} onAsk={setAsked} /> }] : []),
  ];
  return (
    <div className="page">
      <PageHead
        title="Namespaces" sub="They keep the jobs of different owners apart."
        actions={editable && <button type="button" className="button primary" onClick={() => setAsked({ act: "edit", ns: fresh })}><Icon name="plus" />New namespace</button>}
      />
      <Panel flush>
        <Shown read={read} what="namespaces">{() => <Table name="namespaces" rows={rows} columns={columns} keys rowKey={(r) => r.ns.Name} sort={{ by: "name", down: false }} empty={<Empty icon="folder" title="You may see no namespace" />} />}</Shown>
      </Panel>
      {asked?.act === "edit" && <Edit ns={asked.ns} onClose={() => setAsked(undefined)} />}
      {asked?.act === "delete" && (
        <Confirm title="Delete this namespace?" label="Delete" danger onClose={() => setAsked(undefined)} act={async () => { await call("Namespace.Delete", { name: asked.ns.Name }); toast(`Namespace ${asked.ns.Name} is deleted.`); await anew(); }}>
          <p><b><Name>{asked.ns.Name}</Name></b> and its settings go. That is refused while it holds jobs that run: {plural(rows.find((r) => r.ns.Name === asked.ns.Name)?.jobs ?? 0, "job")} now.</p>
        </Confirm>
      )}
    </div>
  );
}

const fresh: Namespace = { Name: "", Description: "", Quota: "", Capabilities: null, NodePoolConfiguration: null, VaultConfiguration: null, ConsulConfiguration: null, Meta: null, CreateIndex: 0, ModifyIndex: 0 };

/** What jobs of a namespace may not use, in words. */
export function limits(ns: Namespace): string[] {
  const c = ns.Capabilities;
  const p = ns.NodePoolConfiguration;
  const of = (text: string, list: string[] | null | undefined): string[] => ((list ?? []).length > 0 ? [`${text} ${(list ?? []).join(", ")}`] : []);
  return [...of("only drivers", c?.EnabledTaskDrivers), ...of("no drivers", c?.DisabledTaskDrivers), ...of("only networks", c?.EnabledNetworkModes), ...of("no networks", c?.DisabledNetworkModes), ...of("only pools", p?.Allowed), ...of("no pools", p?.Denied)];
}

function Limits({ ns }: { ns: Namespace }) {
  const list = limits(ns);
  return list.length === 0 ? <span className="faint">none</span> : <span className="row" title={list.join("; ")}>{list.map((l) => <Tag key={l}><Name>{l}</Name></Tag>)}</span>;
}

function Acts({ ns, onAsk }: { ns: Namespace; onAsk: (a: Asked) => void }) {
  return (
    <span className="row">
      <IconButton icon="file" label={`Edit ${ns.Name}`} onClick={() => onAsk({ act: "edit", ns })} />
      <IconButton icon="trash" label={`Delete ${ns.Name}`} disabled={ns.Name === "default"} onClick={() => onAsk({ act: "delete", ns })} />
    </span>
  );
}

function Edit({ ns, onClose }: { ns: Namespace; onClose: () => void }) {
  const made = ns.Name === "";
  const [name, setName] = useState(ns.Name);
  const [description, setDescription] = useState(ns.Description);
  const act = async (): Promise<void> => {
    await call("Namespace.Upsert", {}, { ...ns, Name: name.trim(), Description: description.trim() });
    toast(`Namespace ${name.trim()} is saved.`);
    await anew();
  };
  return (
    <Confirm title={made ? "New namespace" : `Namespace ${ns.Name}`} label="Save" act={act} onClose={onClose}>
      {made && (
        <label className="label">
          <span>Name <span className="hint">letters, digits and -</span></span>
          <input className="field mono" value={name} autoFocus maxLength={128} spellCheck={false} onChange={(e) => setName(e.target.value)} />
        </label>
      )}
      <label className="label">
        <span>Description</span>
        <input className="field" value={description} maxLength={256} onChange={(e) => setDescription(e.target.value)} />
      </label>
      <p className="dim">Limits, such as allowed drivers and node pools, are set with <code>serai namespace apply FILE</code>, and stay as they are.</p>
    </Confirm>
  );
}
