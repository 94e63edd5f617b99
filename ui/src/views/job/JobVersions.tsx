import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { useMay } from "../../api/may";
import { useRead } from "../../api/query";
import type { Job, JobDiff } from "../../api/types.gen";
import { Panel, Shown, Time } from "../../components/Basics";
import { Confirm } from "../../components/Dialog";
import { Diff } from "../../components/Diff";
import { Name, Tag } from "../../components/Status";
import { toast } from "../../components/Toast";
import { plural } from "../../lib/format";

const route = getRouteApi("/jobs/$namespace/$job");

export function JobVersions({ job }: { job: Job }) {
  const read = useRead("Job.Versions", { id: job.ID, namespace: job.Namespace, diffs: true });
  return (
    <Shown read={read} what="versions" lines={8}>
      {(r) => <>{(r.Versions ?? []).map((v, i) => <Version key={v.Version} job={job} version={v} diff={r.Diffs?.[i]} newest={i === 0} />)}</>}
    </Shown>
  );
}

function changes(d: JobDiff | undefined): number {
  let n = 0;
  JSON.stringify(d ?? {}, (key, value: unknown) => {
    if (key === "Fields" && Array.isArray(value)) n += value.filter((f: { Type: string }) => f.Type !== "None").length;
    return value;
  });
  return n;
}

function Version({ job, version: v, diff, newest }: { job: Job; version: Job; diff: JobDiff | undefined; newest: boolean }) {
  const { version } = route.useSearch();
  const [asked, setAsked] = useState(false);
  const may = useMay();
  const where = { namespace: job.Namespace };
  const open = version === undefined ? newest : version === String(v.Version);
  const revert = async (): Promise<void> => {
    await call("Job.Revert", { id: job.ID, namespace: job.Namespace }, { JobID: job.ID, JobVersion: v.Version, EnforcePriorVersion: job.Version });
    toast(`Job ${job.Name} is as it was in version ${v.Version}.`);
  };
  return (
    <Panel
      flush
      title={
        <span className="row wrap">
          Version {v.Version}
          {newest && <Tag tone="ok">newest</Tag>}
          {v.Stable && <Tag>stable</Tag>}
          {v.VersionTag && <Tag tone="note"><Name>{v.VersionTag.Name}</Name></Tag>}
          <span className="dim"><Time at={v.SubmitTime} /></span>
        </span>
      }
      actions={
        <>
          {diff && (
            <Link to="." search={((s: Record<string, unknown>) => ({ ...s, version: open ? "-" : String(v.Version) })) as never} replace className="button plain small" aria-expanded={open}>
              {plural(changes(diff), "change")}
            </Link>
          )}
          {may("Jobs.Register", where) && <Link to="/jobs/run" search={{ edit: `${job.Namespace}/${job.ID}`, version: String(v.Version) }} className="button plain small">Edit</Link>}
          {!newest && may("Job.Revert", where) && <button type="button" className="button small" onClick={() => setAsked(true)}>Revert…</button>}
        </>
      }
    >
      {open && (diff ? <Diff diff={diff} /> : <p className="faint diff-none">This is the oldest version that is known.</p>)}
      {asked && (
        <Confirm title={`Go back to version ${v.Version}?`} label="Revert" act={revert} onClose={() => setAsked(false)}>
          <p>
            A new version of <b><Name>{job.Name}</Name></b> is made that says what version {v.Version} says, and is deployed in place of version {job.Version}. It is refused if somebody changes the job before.
          </p>
        </Confirm>
      )}
    </Panel>
  );
}
