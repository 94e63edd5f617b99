// The small parts that every view is made of.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { useQueryClient } from "@tanstack/react-query";
import { Link, type LinkProps } from "@tanstack/react-router";
import { ApiError } from "../api/client";
import { explain } from "../api/query";
import { short } from "../lib/format";
import { at, exact, relative, useNow } from "../lib/time";
import { Hint } from "./Hint";
import { Icon, type IconName } from "./Icon";
import { Glyph } from "./Status";
import type { Tone } from "../lib/status";

/** A time, relative; the exact one is in the hint. */
export function Time({ at: t, ms }: { at?: number | string | null | undefined; ms?: number }) {
  const now = useNow();
  const time = ms ?? at(t);
  if (time === undefined) return <span className="faint">–</span>;
  return (
    <time dateTime={new Date(time).toISOString()} title={exact(time)} className="num nowrap">
      {relative(time, now)}
    </time>
  );
}

/** A button that copies a text. */
export function Copy({ text, what = "ID" }: { text: string; what?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 1200);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = (e: React.MouseEvent): void => {
    e.stopPropagation();
    e.preventDefault();
    void copyText(text).then(setDone);
  };
  return (
    <button type="button" className={done ? "copy done" : "copy"} onClick={copy} aria-label={done ? "Copied" : `Copy ${what} ${short(text)}`} title={`Copy ${text}`}>
      <Icon name={done ? "check" : "copy"} />
    </button>
  );
}

/** Copies a text; pages that are not on HTTPS or loopback have no clipboard of their own. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    return ok;
  }
}

/** A UUID or name: short, with a button that copies all of it. */
export function ID({ id, to, full }: { id: string; to?: LinkProps; full?: boolean }) {
  if (id === "") return <span className="faint">–</span>;
  const text = full ? id : short(id);
  return (
    <span className="id" title={id}>
      {to ? (
        <Link {...to} className="link cut">
          {text}
        </Link>
      ) : (
        <span className="cut">{text}</span>
      )}
      <Copy text={id} />
    </span>
  );
}

export function Panel({ title, count, actions, children, flush }: { title?: ReactNode; count?: ReactNode; actions?: ReactNode; children: ReactNode; flush?: boolean }) {
  return (
    <section className={flush ? "panel flush" : "panel"}>
      {(title !== undefined || actions !== undefined) && (
        <header>
          <h2>{title}</h2>
          {count !== undefined && <span className="count">{count}</span>}
          <span className="grow" />
          {actions}
        </header>
      )}
      <div className="body">{children}</div>
    </section>
  );
}

export function Empty({ icon = "overview", title, children, actions }: { icon?: IconName; title: string; children?: ReactNode; actions?: ReactNode }) {
  return (
    <div className="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children !== undefined && <p>{children}</p>}
      {actions !== undefined && <div className="row">{actions}</div>}
    </div>
  );
}

export function Callout({ tone, children, actions }: { tone: Tone; children: ReactNode; actions?: ReactNode }) {
  return (
    <div className={`callout tone-${tone}`} role={tone === "bad" ? "alert" : undefined}>
      <Glyph tone={tone} />
      <div className="grow">{children}</div>
      {actions}
    </div>
  );
}

/** What went wrong, and what to do now. */
export function Failure({ error, what }: { error: unknown; what: string }) {
  const client = useQueryClient();
  if (error instanceof ApiError && error.notFound) {
    return (
      <Empty icon="search" title={`There is no ${what}`}>
        It may have been collected since, or be in another namespace or region.
      </Empty>
    );
  }
  if (error instanceof ApiError && error.denied) {
    return (
      <Empty icon="alert" title="Your token may not see this" actions={<Link to="/settings" className="button">Sign in with another token</Link>}>
        {explain(error)}
      </Empty>
    );
  }
  return (
    <Callout tone="bad" actions={<button type="button" className="button small" onClick={() => void client.refetchQueries({ type: "active", predicate: (q) => q.state.status === "error" })}>Try again</button>}>
      <b>The {what} could not be read.</b> {explain(error)}
    </Callout>
  );
}

/** Grey lines while something is on its way; they come late, so that what is quick does not flicker. */
export function Skeleton({ lines = 4 }: { lines?: number }) {
  return (
    <div className="skeleton loading-late" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, i) => (
        <i key={i} style={{ width: `${92 - ((i * 17) % 40)}%` }} />
      ))}
    </div>
  );
}

/** Shows a read: waiting, failed, or what it gave; an old answer stays while it fails. */
export function Shown<T>({ read, what, lines, children }: { read: { data: T | undefined; error: unknown; isPending: boolean }; what: string; lines?: number; children: (data: T) => ReactNode }) {
  if (read.data !== undefined) return children(read.data);
  if (read.error !== null && read.error !== undefined) return <Failure error={read.error} what={what} />;
  return <Skeleton {...(lines === undefined ? {} : { lines })} />;
}

export function Facts({ children }: { children: [name: string, value: ReactNode][] }) {
  return (
    <dl className="facts">
      {children.map(([name, value]) => (
        <FactRow key={name} name={name} value={value} />
      ))}
    </dl>
  );
}

function FactRow({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}

export function PageHead({ title, badge, sub, actions }: { title: ReactNode; badge?: ReactNode; sub?: ReactNode; actions?: ReactNode }) {
  return (
    <header className="page-head">
      <div>
        <div className="title">
          <h1>{title}</h1>
          {badge}
        </div>
        {sub !== undefined && <div className="sub">{sub}</div>}
      </div>
      {actions !== undefined && <div className="actions">{actions}</div>}
    </header>
  );
}

/** Sets the title of the browser's tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? "serai" : `${title} · serai`;
  }, [title]);
}

/** A number that says for a moment that it has changed. */
export function usePrevious<T>(value: T): T | undefined {
  const ref = useRef<T | undefined>(undefined);
  useEffect(() => {
    ref.current = value;
  }, [value]);
  return ref.current;
}

export function IconButton({ icon, label, onClick, small = true, pressed, disabled }: { icon: IconName; label: string; onClick: () => void; small?: boolean; pressed?: boolean; disabled?: boolean }) {
  return (
    <Hint text={label}>
      <button type="button" className={`button plain icon${small ? " small" : ""}`} aria-label={label} onClick={onClick} aria-pressed={pressed} disabled={disabled}>
        <Icon name={icon} />
      </button>
    </Hint>
  );
}
