import { useRead } from "../../api/query";
import type { ACLGrants } from "../../api/types.gen";
import { Callout, Facts, Panel, Shown } from "../../components/Basics";
import { Name } from "../../components/Status";
import { visible } from "../../lib/format";

/** What the token in use may do, as the agent has worked it out from its policies. */
export function Grants() {
  const read = useRead("ACLToken.Grants", {});
  return (
    <Panel title="What you may do">
      <Shown read={read} what="permissions">
        {(g) => <Granted g={g} />}
      </Shown>
    </Panel>
  );
}

function Granted({ g }: { g: ACLGrants }) {
  if (!g.Enabled) return <Callout tone="warn">Everything: access control is off, and whoever reaches the agent may do anything.</Callout>;
  if (g.Management) return <p>Everything: the token is a management token.</p>;
  const facts: [string, React.ReactNode][] = [
    ...of("Namespace", g.Namespaces),
    ...of("Node pool", g.NodePools),
    ...((g.Scopes ?? []).length > 0 ? [["Cluster", words(g.Scopes ?? [])] as [string, React.ReactNode]] : []),
  ];
  if (facts.length === 0) return <p>Nothing: no policy grants you anything.</p>;
  return <Facts>{facts}</Facts>;
}

/** A line for each place where something is granted. */
function of(kind: string, places: Record<string, string[] | null> | null): [string, React.ReactNode][] {
  return Object.entries(places ?? {})
    .filter(([, c]) => (c ?? []).length > 0)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, c]) => [name === "*" ? `Every other ${kind.toLowerCase()}` : `${kind} ${visible(name, 60)}`, words(c ?? [])]);
}

const words = (list: string[]): React.ReactNode => <Name>{list.join(", ")}</Name>;
