import { count } from "../../lib/format";
import type { Tone } from "../../lib/status";
import { share } from "./usage";

export const fullness = (of: number): Tone => (of > 0.95 ? "bad" : of > 0.85 ? "warn" : "busy");

/** A small bar with its percentage; what it stands for is in the hint. */
export function Use({ part, whole, text, what }: { part: number | undefined; whole: number; text: (n: number) => string; what: string }) {
  if (part === undefined || whole <= 0) return <span className="faint">–</span>;
  const of = share(part, whole);
  const label = `${what}: ${text(part)} of ${text(whole)} promised`;
  return (
    <span className="use" title={label} role="img" aria-label={label}>
      <span className="bar">{of > 0 && <i className={`tone-${fullness(of)}`} style={{ width: `${of * 100}%` }} />}</span>
      <span className="num">{count(Math.round(of * 100))}%</span>
    </span>
  );
}
