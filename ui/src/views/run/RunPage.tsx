// Running a job: write, see what it would do, then send it.
import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { ApiError, call } from "../../api/client";
import { needed, useMay } from "../../api/may";
import { explain, useRead } from "../../api/query";
import type { Job, JobPlanResponse, JobSubmission } from "../../api/types.gen";
import { useNamespace } from "../../app/namespace";
import { Callout, PageHead, Panel, Shown, useTitle } from "../../components/Basics";
import { CodeEditor, type CodeHandle } from "../../components/Code";
import type { Fault } from "../../components/code/editor";
import { jobLink } from "../../components/Links";
import { toast } from "../../components/Toast";
import { visible } from "../../lib/format";
import { example } from "./example";
import { faultsOf, locate } from "./faults";
import { Plan } from "./Plan";
import "./run.css";

const route = getRouteApi("/jobs/run");

export function RunPage() {
  const { edit, version } = route.useSearch();
  useTitle(edit === undefined ? "Run a job" : "Edit a job");
  if (edit === undefined) return <Run text={example} title="Run a job" draft="serai.draft" />;
  const slash = edit.indexOf("/");
  return <Edit key={edit} namespace={edit.slice(0, slash)} id={edit.slice(slash + 1)} version={version} />;
}

/** What was written and not sent yet outlives the page, for this tab. */
const drafts = {
  get: (key: string): string | undefined => sessionStorage.getItem(key) ?? undefined,
  set(key: string, text: string): void {
    try {
      if (text === "") sessionStorage.removeItem(key);
      else sessionStorage.setItem(key, text);
    } catch {
      // Too large to keep; it is still in the editor.
    }
  },
};

function Edit({ namespace, id, version }: { namespace: string; id: string; version: string | undefined }) {
  const job = useRead("Job.Read", { id, namespace });
  // The version that the edit began with: when somebody submits another one, what is being written stays.
  const began = useRef<number>(undefined);
  began.current ??= job.data?.Version;
  const at = version === undefined ? began.current : Number(version);
  const source = useRead("Job.Submission", { id, namespace, version: at ?? 0 }, { enabled: at !== undefined });
  return (
    <Shown read={job} what="job">
      {(j) => {
        if (source.isPending) return null;
        const kept = source.data !== undefined && source.data.Source !== "";
        const text = kept ? source.data.Source : JSON.stringify({ Job: j }, null, 2);
        const newer = began.current !== undefined && j.Version > began.current ? j.Version : undefined;
        return <Run key={`${id}@${at}`} text={text} variables={source.data?.Variables ?? ""} title={`Edit ${j.Name}`} job={j} newer={newer} draft={`serai.draft:${namespace}/${id}@${at}`} />;
      }}
    </Shown>
  );
}

interface Planned {
  job: Job;
  submission: JobSubmission;
  plan: JobPlanResponse;
  warnings: string;
}

interface Wrong {
  text: string;
  faults: Fault[];
}

const isJSON = (text: string): boolean => text.trimStart().startsWith("{");

/** Parses, validates and plans a text. Throws what is wrong with it. */
async function plan(text: string, variables: string, namespace: string): Promise<Planned> {
  const job = isJSON(text) ? fromJSON(text) : await call("Jobs.Parse", { namespace }, { JobHCL: text, Variables: variables, Canonicalize: true });
  const valid = await call("Job.Validate", { namespace: job.Namespace || namespace }, { Job: job });
  const errors = valid.ValidationErrors ?? [];
  if (errors.length > 0 || valid.Error !== "") throw new ApiError(400, errors.length > 0 ? errors.join("\n") : valid.Error, "Job.Validate");
  const submission: JobSubmission = { Source: text, Format: isJSON(text) ? "json" : "hcl2", VariableFlags: null, Variables: variables };
  const where = { id: job.ID, namespace: job.Namespace || namespace };
  const result = await call("Job.Plan", where, { Job: job, Diff: true });
  return { job, submission, plan: result, warnings: [valid.Warnings, result.Warnings].find((w) => w !== "") ?? "" };
}

function fromJSON(text: string): Job {
  try {
    const value = JSON.parse(text) as { Job?: Job } & Job;
    return value.Job ?? value;
  } catch (e) {
    throw new ApiError(400, e instanceof Error ? e.message : "this is not JSON", "Jobs.Parse");
  }
}

function wrongOf(e: unknown, text: string): Wrong {
  const message = explain(e);
  if (!(e instanceof ApiError) || e.status !== 400) return { text: message, faults: [] };
  const placed = faultsOf(message);
  const position = /position (\d+)/.exec(message);
  if (placed.length === 0 && position) {
    const head = text.slice(0, Number(position[1]));
    placed.push({ line: head.split("\n").length, column: head.length - head.lastIndexOf("\n"), text: message });
  }
  const faults = placed.length > 0 ? placed : message.split("\n").map((l) => locate(text, l)).filter((f) => f !== undefined);
  return { text: message, faults };
}

interface RunProps {
  text: string;
  variables?: string;
  title: string;
  job?: Job;
  /** The version that somebody has submitted since the edit began. */
  newer?: number | undefined;
  /** Where what is written is kept until it is sent. */
  draft: string;
}

function Run({ text: original, variables: given = "", title, job, newer, draft }: RunProps) {
  const [begun, setBegun] = useState(() => drafts.get(draft));
  const text = begun ?? original;
  const [namespace] = useNamespace();
  const editor = useRef<CodeHandle>(null);
  const [variables, setVariables] = useState(given);
  const [planned, setPlanned] = useState<Planned>();
  const [wrong, setWrong] = useState<Wrong>();
  const [busy, setBusy] = useState(false);
  const asked = useRef(0);
  const home = job?.Namespace ?? (namespace === "*" ? "default" : namespace);
  const mayPlan = useMay()("Job.Plan");
  const makePlan = async (): Promise<void> => {
    const source = editor.current?.get() ?? text;
    const turn = ++asked.current;
    setBusy(true);
    setWrong(undefined);
    setPlanned(undefined);
    try {
      const p = await plan(source, variables, home);
      if (turn === asked.current) setPlanned(p);
    } catch (e) {
      if (turn === asked.current) setWrong(wrongOf(e, source));
    } finally {
      if (turn === asked.current) setBusy(false);
    }
  };
  const changed = (t: string): void => {
    asked.current++;
    setBusy(false);
    setPlanned(undefined);
    setWrong(undefined);
    drafts.set(draft, t === original ? "" : t);
  };
  const open = (file: File | undefined): void => {
    if (file === undefined) return;
    if (file.size > 4 << 20) toast(`${file.name} is larger than 4 MiB, which no job file is.`, "bad");
    else void file.text().then((t) => editor.current?.set(t));
  };
  return (
    <div className="page run" onDragOver={(e) => e.preventDefault()} onDrop={(e) => { e.preventDefault(); open(e.dataTransfer.files[0]); }}>
      <PageHead
        title={title}
        actions={
          <>
            <label className="button">
              Open file
              <input type="file" className="hidden" accept=".hcl,.nomad,.json,.txt" onChange={(e) => open(e.target.files?.[0])} />
            </label>
            <button type="button" className="button primary" disabled={busy || !mayPlan} onClick={() => void makePlan()}>
              {busy ? "Planning…" : "Plan"}
              <kbd className="kbd on-accent" aria-hidden="true">{/Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl"} ↵</kbd>
            </button>
          </>
        }
      />
      {!mayPlan && <Callout tone="warn">You can write a job here, but neither plan nor run it. {needed("Job.Plan")}</Callout>}
      {newer !== undefined && job !== undefined && (
        <Callout tone="warn" actions={<Link {...jobLink(job.Namespace, job.ID, { tab: "versions" })} className="button small">See what changed</Link>}>
          <b>Version {newer} was submitted since you began.</b> What you have written is kept. If you submit it, it replaces that version: plan it again to see the difference.
        </Callout>
      )}
      {begun !== undefined && job !== undefined && (
        <Callout tone="off" actions={<button type="button" className="button small" onClick={() => { editor.current?.set(original); setBegun(undefined); }}>Discard it</button>}>
          This is what you wrote before and have not sent.
        </Callout>
      )}
      <div className={planned || wrong ? "run-columns" : ""}>
        <div className="stack">
          <Panel flush>
            <CodeEditor ref={editor} text={text} language={isJSON(text) ? "json" : "hcl"} label="Job file" {...(wrong ? { faults: wrong.faults } : {})} onChange={changed} onSubmit={() => void makePlan()} />
          </Panel>
          <details className="variables" open={given !== ""}>
            <summary>Variables</summary>
            <textarea className="field mono" rows={5} aria-label="Values of variables" placeholder={'image = "web:2"'} value={variables} onChange={(e) => { setVariables(e.target.value); setPlanned(undefined); }} />
          </details>
        </div>
        {(planned || wrong) && (
          <div className="stack">
            {wrong && (
              <Callout tone="bad">
                <b>This job would not be taken.</b>
                <pre>{visible(wrong.text, 8000)}</pre>
              </Callout>
            )}
            {planned && <Submit planned={planned} home={home} onSent={() => drafts.set(draft, "")} onAgain={() => void makePlan()} />}
          </div>
        )}
      </div>
    </div>
  );
}

function Submit({ planned: p, home, onSent, onAgain }: { planned: Planned; home: string; onSent: () => void; onAgain: () => void }) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const navigate = useNavigate();
  const namespace = p.job.Namespace || home;
  const may = useMay()("Jobs.Register", { namespace });
  const send = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      // Only what was planned is sent: if the job was changed since, it is refused.
      const r = await call("Jobs.Register", { namespace }, { Job: p.job, Submission: p.submission, EnforceIndex: true, JobModifyIndex: p.plan.JobModifyIndex });
      onSent();
      if (r.Warnings !== "") toast(r.Warnings, "warn");
      void navigate(jobLink(namespace, p.job.ID) as never);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <>
      <div className="row">
        <button type="button" className="button primary" disabled={busy || !may} onClick={() => void send()}>
          {busy ? "Sending…" : p.plan.JobModifyIndex === 0 ? "Run this job" : "Submit this version"}
        </button>
        <span className="faint">{may ? "Nothing has been changed yet." : `You can plan this job, not run it. ${needed("Jobs.Register")}`}</span>
      </div>
      <Plan plan={p.plan} job={p.job} />
      {p.warnings !== "" && <Callout tone="warn"><pre>{visible(p.warnings, 4000)}</pre></Callout>}
      {error !== undefined && <Callout tone="bad" actions={<button type="button" className="button small" onClick={onAgain}>Plan again</button>}>{explain(error)}</Callout>}
    </>
  );
}
