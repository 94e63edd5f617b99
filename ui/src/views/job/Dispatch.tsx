import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { call } from "../../api/client";
import { explain } from "../../api/query";
import type { Job } from "../../api/types.gen";
import { Callout } from "../../components/Basics";
import { Dialog } from "../../components/Dialog";
import { jobLink } from "../../components/Links";
import { Name } from "../../components/Status";
import { bytes } from "../../lib/format";

/** The largest payload that an agent takes. */
const MAX_PAYLOAD = 16 << 10;

export function Dispatch({ job, onClose }: { job: Job; onClose: () => void }) {
  const p = job.ParameterizedJob;
  const [payload, setPayload] = useState("");
  const [meta, setMeta] = useState<Record<string, string>>({});
  const [error, setError] = useState<unknown>();
  const navigate = useNavigate();
  const required = p?.MetaRequired ?? [];
  const size = new TextEncoder().encode(payload).length;
  const ready = required.every((k) => (meta[k] ?? "") !== "") && size <= MAX_PAYLOAD && !(p?.Payload === "required" && payload === "");
  const send = async (): Promise<void> => {
    try {
      const data = btoa(String.fromCharCode(...new TextEncoder().encode(payload)));
      const r = await call("Job.Dispatch", { id: job.ID, namespace: job.Namespace }, { Payload: payload === "" ? null : data, Meta: meta });
      onClose();
      void navigate(jobLink(job.Namespace, r.DispatchedJobID) as never);
    } catch (e) {
      setError(e);
    }
  };
  return (
    <Dialog
      title={`Dispatch ${job.Name}`} open onClose={onClose}
      footer={
        <>
          <button type="button" className="button" onClick={onClose}>Cancel</button>
          <button type="button" className="button primary" disabled={!ready} onClick={() => void send()}>Dispatch</button>
        </>
      }
    >
      {[...required, ...(p?.MetaOptional ?? [])].map((k, i) => (
        <label key={k} className="label">
          <span><Name>{k}</Name> {i < required.length ? "" : <span className="faint">(optional)</span>}</span>
          <input className="field" value={meta[k] ?? ""} onChange={(e) => setMeta({ ...meta, [k]: e.target.value })} />
        </label>
      ))}
      {p?.Payload !== "forbidden" && (
        <label className="label">
          <span>Payload {p?.Payload === "required" ? "" : <span className="faint">(optional)</span>}</span>
          <textarea className="field mono" rows={6} value={payload} aria-invalid={size > MAX_PAYLOAD} onChange={(e) => setPayload(e.target.value)} />
          <span className="hint">{bytes(size)} of {bytes(MAX_PAYLOAD)}</span>
        </label>
      )}
      {error !== undefined && <Callout tone="bad">{explain(error)}</Callout>}
    </Dialog>
  );
}
