import { useNavigate, useSearch } from "@tanstack/react-router";

/** The namespace that lists show, "*" for all, and how to change it. It is in the address: ?ns=. */
export function useNamespace(): [string, (ns: string) => void] {
  const { ns } = useSearch({ strict: false }) as { ns?: string };
  const navigate = useNavigate();
  return [ns ?? "*", (next) => void navigate({ to: ".", search: (s: Record<string, unknown>) => ({ ...s, ns: next === "*" ? undefined : next }) } as never)];
}
