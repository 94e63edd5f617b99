// The graph of an evaluation: boxes that are links, arrow keys along the lines.
import { useRouter, type LinkProps } from "@tanstack/react-router";
import { useEffect, useMemo, useRef } from "react";
import type { AllocationListStub, Evaluation } from "../../api/types.gen";
import { evaluationLink, jobLink, nodeLink } from "../../components/Links";
import { visible } from "../../lib/format";
import { BOX, drawing, graphOf, step, type Placed } from "./graph";

export function EvaluationGraph({ e, allocations }: { e: Evaluation; allocations: AllocationListStub[] }) {
  const graph = useMemo(() => graphOf(e, allocations), [e, allocations]);
  const d = useMemo(() => drawing(graph), [graph]);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const current = d.placed.find((p) => p.current);
    const box = place.current;
    if (current !== undefined && box !== null && current.x + BOX.w > box.scrollLeft + box.clientWidth) box.scrollLeft = current.x - (box.clientWidth - BOX.w) / 2;
  }, [e.ID]); // eslint-disable-line
  const key = (event: React.KeyboardEvent, from: string): void => {
    const to = step(graph, from, event.key);
    if (to === undefined) return;
    event.preventDefault();
    place.current?.querySelector<SVGElement>(`[data-vertex="${CSS.escape(to)}"]`)?.focus();
  };
  return (
    <div className="graph" ref={place} tabIndex={-1}>
      <svg width={d.width} height={d.height} viewBox={`0 0 ${d.width} ${d.height}`} role="group" aria-label="Cause and effect: arrow keys follow the lines">
        <defs>
          <marker id="arrow" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M1 1l5 3-5 3" fill="none" stroke="var(--off)" strokeWidth="1.4" />
          </marker>
        </defs>
        {d.lines.map((l, i) => (
          <g key={i} aria-hidden="true">
            <path d={l.path} className="edge" markerEnd="url(#arrow)" />
            {l.text !== "" && <text x={l.x} y={l.y} className="edge-text" textAnchor="middle">{l.text}</text>}
          </g>
        ))}
        {d.placed.map((p) => (
          <Box key={p.id} p={p} e={e} leads={graph.edges.filter((x) => x.from === p.id).map((x) => d.placed.find((o) => o.id === x.to)?.title ?? "")} onKey={(event) => key(event, p.id)} />
        ))}
      </svg>
    </div>
  );
}

function linkOf(p: Placed, e: Evaluation): LinkProps | undefined {
  switch (p.to?.kind) {
    case "evaluation":
      return p.current ? undefined : evaluationLink(p.to.id);
    case "job":
      return jobLink(e.Namespace, p.to.id);
    case "node":
      return nodeLink(p.to.id);
  }
  return undefined;
}

const cut = (text: string, most: number): string => {
  const t = visible(text, 200);
  return t.length > most ? `${t.slice(0, most - 1)}…` : t;
};

function Box({ p, e, leads, onKey }: { p: Placed; e: Evaluation; leads: string[]; onKey: (e: React.KeyboardEvent) => void }) {
  const router = useRouter();
  const to = linkOf(p, e);
  const href = to === undefined ? undefined : router.buildLocation(to as never).href;
  const label = `${p.title}, ${p.note}${p.current ? ", this evaluation" : ""}${leads.length > 0 ? `; leads to ${leads.join(", ")}` : ""}`;
  const go = (event: React.MouseEvent): void => {
    if (to === undefined || event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    void router.navigate(to as never);
  };
  return (
    <a href={href === undefined ? undefined : router.history.createHref(href)} data-vertex={p.id} tabIndex={0} role={href === undefined ? "img" : "link"} aria-label={label} aria-current={p.current ? "true" : undefined} className={`vertex ${p.kind} tone-${p.tone}`} onClick={go} onKeyDown={onKey}>
      <g transform={`translate(${p.x} ${p.y})`}>
      <rect width={BOX.w} height={BOX.h} rx="8" />
      <rect width="4" height={BOX.h - 16} x="8" y="8" rx="2" className="stripe" />
      <text x="22" y="23" className="vertex-title">{cut(p.title, 26)}</text>
      <text x="22" y="40" className="vertex-note">{cut(p.note, 29)}</text>
      </g>
    </a>
  );
}
