import { useState } from "react";
import { useRead } from "../../api/query";
import type { Job } from "../../api/types.gen";
import { Callout, Panel, Skeleton } from "../../components/Basics";
import { Code } from "../../components/Code";

export function JobDefinition({ job }: { job: Job }) {
  const [json, setJSON] = useState(false);
  const source = useRead("Job.Submission", { id: job.ID, namespace: job.Namespace, version: job.Version });
  const has = source.data !== undefined && source.data.Source !== "";
  const show = json || (!has && !source.isPending);
  return (
    <Panel
      flush
      title="Definition"
      actions={
        <div className="segments" role="group" aria-label="Form">
          <button type="button" aria-pressed={!show} disabled={!has} onClick={() => setJSON(false)}>As submitted</button>
          <button type="button" aria-pressed={show} onClick={() => setJSON(true)}>As JSON</button>
        </div>
      }
    >
      {source.isPending ? (
        <Skeleton lines={10} />
      ) : (
        <>
          {!has && <div className="note"><Callout tone="off">The text that this version was made from is not kept; this is what the servers hold.</Callout></div>}
          {show || source.data === undefined ? (
            <Code key="json" text={JSON.stringify(job, null, 2)} language="json" />
          ) : (
            <>
              <Code key="source" text={source.data.Source} language={source.data.Format === "json" ? "json" : "hcl"} />
              {source.data.Variables !== "" && (
                <>
                  <h3 className="code-title">Variables</h3>
                  <Code text={source.data.Variables} language="hcl" />
                </>
              )}
            </>
          )}
        </>
      )}
    </Panel>
  );
}
