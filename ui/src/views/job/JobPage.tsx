import { getRouteApi, Link } from "@tanstack/react-router";
import { useMay } from "../../api/may";
import { useRead } from "../../api/query";
import type { Job, JobSummary } from "../../api/types.gen";
import { Shown, Time, PageHead, useTitle } from "../../components/Basics";
import { JobLink } from "../../components/Links";
import { Badge, Name } from "../../components/Status";
import { Tabs } from "../../components/Tabs";
import { jobState, sum } from "../../lib/status";
import { WhyOfJob } from "../why/WhyOfJob";
import { Actions } from "./Actions";
import { JobAllocations } from "./JobAllocations";
import { JobDefinition } from "./JobDefinition";
import { JobDeployments } from "./JobDeployments";
import { JobEvaluations } from "./JobEvaluations";
import { JobLogs } from "./JobLogs";
import { JobOverview } from "./JobOverview";
import { JobVersions } from "./JobVersions";
import "./job.css";

const route = getRouteApi("/jobs/$namespace/$job");

const tabs = [
  { id: "overview", text: "Overview" },
  { id: "allocations", text: "Allocations" },
  { id: "logs", text: "Logs" },
  { id: "deployments", text: "Deployments" },
  { id: "versions", text: "Versions" },
  { id: "evaluations", text: "Evaluations" },
  { id: "why", text: "Why" },
  { id: "definition", text: "Definition" },
];

export function JobPage() {
  const { namespace, job: id } = route.useParams();
  const { tab = "overview" } = route.useSearch();
  const job = useRead("Job.Read", { id, namespace });
  const summary = useRead("Job.Summary", { id, namespace });
  const may = useMay();
  useTitle(job.data?.Name ?? id);
  return (
    <div className="page">
      <Shown read={job} what="job">
        {(j) => (
          <>
            <Head job={j} summary={summary.data} />
            <Tabs tabs={tabs.filter((t) => (t.id !== "deployments" || j.Type === "service" || j.Type === "system") && (t.id !== "logs" || may("FS.Logs", { namespace: j.Namespace })))} at={tab} label="Parts of the job" />
            <Part tab={tab} job={j} summary={summary.data} />
          </>
        )}
      </Shown>
    </div>
  );
}

function Head({ job, summary }: { job: Job; summary: JobSummary | undefined }) {
  const may = useMay();
  const like = { Status: job.Status, Stop: job.Stop, Type: job.Type, Periodic: job.Periodic !== null, ParameterizedJob: job.ParameterizedJob !== null && !job.Dispatched };
  return (
    <PageHead
      title={<Name>{job.Name}</Name>}
      badge={<Badge state={jobState(like, sum(summary?.Summary))} boxed />}
      sub={
        <>
          <span>{job.Type}</span>
          <span>version {job.Version}</span>
          <span>priority {job.Priority}</span>
          <span>namespace <Name>{job.Namespace}</Name></span>
          <span>submitted <Time at={job.SubmitTime} /></span>
          {job.ParentID !== "" && <span>child of <span className="link"><JobLink namespace={job.Namespace} id={job.ParentID} /></span></span>}
        </>
      }
      actions={
        <>
          {may("Jobs.Register", { namespace: job.Namespace }) && (
            <Link to="/jobs/run" search={{ edit: `${job.Namespace}/${job.ID}` }} className="button">
              Edit
            </Link>
          )}
          <Actions job={job} summary={summary} />
        </>
      }
    />
  );
}

function Part({ tab, job, summary }: { tab: string; job: Job; summary: JobSummary | undefined }) {
  switch (tab) {
    case "allocations":
      return <JobAllocations job={job} />;
    case "logs":
      return <JobLogs job={job} />;
    case "deployments":
      return <JobDeployments job={job} />;
    case "versions":
      return <JobVersions job={job} />;
    case "evaluations":
      return <JobEvaluations job={job} />;
    case "why":
      return <WhyOfJob namespace={job.Namespace} id={job.ID} />;
    case "definition":
      return <JobDefinition job={job} />;
  }
  return <JobOverview job={job} summary={summary} />;
}
