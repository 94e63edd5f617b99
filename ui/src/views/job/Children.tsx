// What a periodic or parameterized job has started.
import { useMemo, useState } from "react";
import { useMay } from "../../api/may";
import { useRead } from "../../api/query";
import type { Job, JobListStub } from "../../api/types.gen";
import { Empty, Facts, Panel, Shown, Time } from "../../components/Basics";
import { JobLink, jobLink } from "../../components/Links";
import { Badge, Name, StatusBar } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { plural } from "../../lib/format";
import { jobState, sum } from "../../lib/status";
import { Dispatch } from "./Dispatch";

const columns: Column<JobListStub>[] = [
  { id: "job", head: "Job", width: "minmax(100px, 3fr)", value: (j) => j.ID, cell: (j) => <JobLink namespace={j.Namespace ?? ""} id={j.ID} /> },
  { id: "state", head: "State", width: "116px", value: (j) => jobState(j, sum(j.JobSummary?.Summary)).text, cell: (j) => <Badge state={jobState(j, sum(j.JobSummary?.Summary))} /> },
  { id: "bar", head: "Allocations", width: "minmax(90px, 1fr)", wide: true, cell: (j) => <StatusBar counts={sum(j.JobSummary?.Summary)} /> },
  { id: "submitted", head: "Launched", width: "92px", right: true, value: (j) => j.SubmitTime, cell: (j) => <span className="dim"><Time at={j.SubmitTime} /></span> },
];

export function Children({ job }: { job: Job }) {
  const [open, setOpen] = useState(false);
  // IDs of children begin with their parent's: no other job is sent.
  const read = useRead("Jobs.List", { namespace: job.Namespace, prefix: `${job.ID}/` });
  const rows = useMemo(() => (read.data ?? []).filter((j) => j.ParentID === job.ID), [read.data, job.ID]);
  const p = job.ParameterizedJob;
  const may = useMay();
  return (
    <>
      {job.Periodic !== null && (
        <Panel title="Schedule">
          <Facts>
            {[
              ["Times", <code key="t"><Name>{(job.Periodic.Specs ?? []).concat(job.Periodic.Spec === "" ? [] : [job.Periodic.Spec]).join("  ")}</Name></code>],
              ["Time zone", <Name key="z">{job.Periodic.TimeZone || "UTC"}</Name>],
              ["Overlap", job.Periodic.ProhibitOverlap ? "not while the one before runs" : "allowed"],
              ["Enabled", job.Periodic.Enabled ? "yes" : "no"],
            ]}
          </Facts>
        </Panel>
      )}
      {p !== null && (
        <Panel title="Dispatch" actions={may("Job.Dispatch", { namespace: job.Namespace }) && <button type="button" className="button small primary" onClick={() => setOpen(true)} disabled={job.Stop}>Dispatch…</button>}>
          <Facts>
            {[
              ["Payload", p.Payload || "optional"],
              ["Meta that is needed", <Name key="r">{(p.MetaRequired ?? []).join(", ") || "none"}</Name>],
              ["Meta that may be given", <Name key="o">{(p.MetaOptional ?? []).join(", ") || "none"}</Name>],
            ]}
          </Facts>
        </Panel>
      )}
      <Panel title="Children" flush>
        <Shown read={read} what="children">
          {() => <Table name="children" note={plural(rows.length, "child", "children")} rows={rows} columns={columns} keys rowKey={(j) => j.ID} rowLink={(j) => jobLink(j.Namespace ?? "", j.ID)} sort={{ by: "submitted", down: true }} empty={<Empty icon="jobs" title="Nothing was launched yet" />} />}
        </Shown>
      </Panel>
      {open && <Dispatch job={job} onClose={() => setOpen(false)} />}
    </>
  );
}
