// Links to objects, each written in one place.
import { Link, type LinkProps } from "@tanstack/react-router";
import { Copy } from "./Basics";
import { Name } from "./Status";
import { short } from "../lib/format";

export const jobLink = (namespace: string, id: string, search: Record<string, string | undefined> = {}): LinkProps =>
  ({ to: "/jobs/$namespace/$job", params: { namespace: namespace || "default", job: id }, search }) as unknown as LinkProps;

export function JobLink({ namespace, id }: { namespace: string; id: string }) {
  return (
    <Link {...jobLink(namespace, id)}>
      <Name>{id}</Name>
    </Link>
  );
}

export const allocationLink = (id: string, search: Record<string, string | undefined> = {}): LinkProps =>
  ({ to: "/allocations/$alloc", params: { alloc: id }, search }) as unknown as LinkProps;

export function AllocationLink({ id }: { id: string }) {
  if (id === "") return <span className="faint">–</span>;
  return (
    <span className="id" title={id}>
      <Link {...allocationLink(id)}>{short(id)}</Link>
      <Copy text={id} what="allocation ID" />
    </span>
  );
}

export const nodeLink = (id: string): LinkProps => ({ to: "/nodes/$node", params: { node: id } }) as unknown as LinkProps;

export function NodeLink({ id, name }: { id: string; name?: string }) {
  if (id === "") return <span className="faint">–</span>;
  return (
    <Link {...nodeLink(id)} title={id}>
      <Name>{name || short(id)}</Name>
    </Link>
  );
}

export const evaluationLink = (id: string): LinkProps => ({ to: "/evaluations/$eval", params: { eval: id } }) as unknown as LinkProps;

export function EvaluationLink({ id }: { id: string }) {
  if (id === "") return <span className="faint">–</span>;
  return (
    <span className="id" title={id}>
      <Link {...evaluationLink(id)}>{short(id)}</Link>
      <Copy text={id} what="evaluation ID" />
    </span>
  );
}
