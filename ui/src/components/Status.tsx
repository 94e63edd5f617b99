// States by colour, shape and word, so that none of them carries it alone.
import type { Counts, State, Tone } from "../lib/status";
import { parts } from "../lib/status";
import { count, visible } from "../lib/format";

const shapes: Record<Tone, React.ReactNode> = {
  ok: <circle cx="6" cy="6" r="4" fill="currentColor" />,
  busy: <path d="M6 1.8a4.2 4.2 0 1 1-4.2 4.2" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />,
  warn: <path d="M6 1.4 11 10.4H1z" fill="currentColor" />,
  bad: <path d="M6 .9 11.1 6 6 11.1.9 6z" fill="currentColor" />,
  note: <rect x="2" y="2" width="8" height="8" rx="1.5" fill="currentColor" />,
  off: <circle cx="6" cy="6" r="3.4" fill="none" stroke="currentColor" strokeWidth="1.8" />,
};

export function Glyph({ tone }: { tone: Tone }) {
  return (
    <svg className={tone === "busy" ? "glyph spin" : "glyph"} viewBox="0 0 12 12" aria-hidden="true">
      {shapes[tone]}
    </svg>
  );
}

export function Badge({ state, boxed }: { state: State; boxed?: boolean }) {
  return (
    <span className={`badge tone-${state.tone}${boxed ? " boxed" : ""}`}>
      <Glyph tone={state.tone} />
      <span className="cut">{state.text}</span>
    </span>
  );
}

export function Tag({ children, tone }: { children: React.ReactNode; tone?: Tone }) {
  return <span className={tone ? `tag toned tone-${tone}` : "tag"}>{children}</span>;
}

/** A bar of allocations by state. What has ended counts only where nothing is alive. */
export function StatusBar({ counts, past = false, thick }: { counts: Counts; past?: boolean; thick?: boolean }) {
  let shown = parts(counts, past);
  if (shown.length === 0 && !past) shown = parts(counts, true);
  const label = shown.map((p) => `${p.n} ${p.text}`).join(", ") || "no allocations";
  return (
    <span className={thick ? "bar thick" : "bar"} role="img" aria-label={label} title={label}>
      {shown.map((p) => (
        <i key={p.key} className={`tone-${p.tone}`} style={{ flexGrow: p.n }} />
      ))}
    </span>
  );
}

export function Legend({ counts, past = true }: { counts: Counts; past?: boolean }) {
  return (
    <div className="legend">
      {parts(counts, past).map((p) => (
        <span key={p.key} className={`tone-${p.tone}`}>
          <i />
          <b>{count(p.n)}</b> {p.text}
        </span>
      ))}
    </div>
  );
}

/** A part of a whole: "CPU 3 of 8 GHz". */
export function Meter({ name, part, whole, text, tone = "busy" }: { name: string; part: number; whole: number; text: string; tone?: Tone }) {
  const share = whole > 0 ? Math.min(1, part / whole) : 0;
  const t: Tone = share > 0.95 ? "bad" : share > 0.85 ? "warn" : tone;
  return (
    <div className="meter" role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)} aria-valuetext={text}>
      <span className="dim">{name}</span>
      <span className="num">{text}</span>
      <span className="bar">
        <i className={`tone-${t}`} style={{ width: `${share * 100}%` }} />
      </span>
    </div>
  );
}

/** A name of somebody else's, made safe to look at. */
export function Name({ children }: { children: string }) {
  return <bdi>{visible(children, 500)}</bdi>;
}
