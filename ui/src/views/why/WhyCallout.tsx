import { Link } from "@tanstack/react-router";
import { useRead } from "../../api/query";
import { Callout } from "../../components/Basics";
import { jobLink } from "../../components/Links";
import { Name } from "../../components/Status";

/** The reason in a sentence, on the page of a job that does not run as asked. */
export function WhyCallout({ namespace, id }: { namespace: string; id: string }) {
  const read = useRead("Job.Why", { namespace, id });
  if (read.data === undefined) return null;
  const first = (read.data.Groups ?? []).flatMap((g) => g.Suggestions ?? [])[0];
  const unplaced = (read.data.Groups ?? []).some((g) => g.Unplaced > 0);
  if (!unplaced && first === undefined) return null;
  return (
    <Callout tone="warn" actions={<Link {...jobLink(namespace, id, { tab: "why" })} className="button small">Why?</Link>}>
      <b><Name>{read.data.Summary}</Name></b>
      {first && <div className="dim">What would help: <Name>{first.Text}</Name></div>}
    </Callout>
  );
}
