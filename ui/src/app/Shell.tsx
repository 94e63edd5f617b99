// What stands around every view: places, search, whether what is seen is live.
import { Link, Outlet, useLocation, useNavigate } from "@tanstack/react-router";
import { Suspense, lazy, useEffect, useRef, useState, type ReactNode } from "react";
import { explain, useClusterFacts, useRead } from "../api/query";
import { Empty, Skeleton } from "../components/Basics";
import { Hint } from "../components/Hint";
import { Icon } from "../components/Icon";
import { Menu } from "../components/Menu";
import { Glyph } from "../components/Status";
import { Toasts } from "../components/Toast";
import { span, visible } from "../lib/format";
import { clock, useNow } from "../lib/time";
import { live, useLiveStatus } from "../live/live";
import { useHotkeys, type Hotkey } from "./hotkeys";
import { useNamespace } from "./namespace";
import { places } from "./nav";
import { clusterLabel } from "./page";
import { ScrollerContext } from "./scroller";

const Palette = lazy(() => import("./Palette"));
const Shortcuts = lazy(() => import("./Shortcuts"));

export function Shell() {
  const [scroller, setScroller] = useState<HTMLElement | null>(null);
  const [open, setOpen] = useState<"palette" | "shortcuts" | undefined>();
  const navigate = useNavigate();
  const goTo: Hotkey[] = places.flat().map((p) => ({ keys: `g ${p.key}`, text: `Go to ${p.text}`, act: () => void navigate({ to: p.to } as never) }));
  useHotkeys([
    { keys: "?", text: "Show these shortcuts", act: () => setOpen("shortcuts") },
    { keys: "/", text: "Filter this list, or search everything", act: () => focusFilter() || setOpen("palette") },
    ...goTo,
  ]);
  return (
    <ScrollerContext value={scroller}>
      <a href="#main" className="button skip">
        Skip to content
      </a>
      <div className="shell">
        <Side />
        <Top onSearch={() => setOpen("palette")} />
        <main className="main" id="main" tabIndex={-1} ref={setScroller}>
          <Stale />
          {scroller && (
            <Suspense fallback={<Skeleton lines={6} />}>
              <Outlet />
            </Suspense>
          )}
        </main>
        <Bottom />
      </div>
      <PaletteKey onOpen={() => setOpen((o) => (o === "palette" ? undefined : "palette"))} />
      <Suspense fallback={null}>
        {open === "palette" && <Palette onClose={() => setOpen(undefined)} onShortcuts={() => setOpen("shortcuts")} />}
        {open === "shortcuts" && <Shortcuts onClose={() => setOpen(undefined)} />}
      </Suspense>
      <Toasts />
    </ScrollerContext>
  );
}

function focusFilter(): boolean {
  const filter = document.querySelector<HTMLInputElement>("input[data-filter]");
  filter?.focus();
  filter?.select();
  return filter !== null;
}

/** ⌘K and Ctrl-K work everywhere, also in fields. */
function PaletteKey({ onOpen }: { onOpen: () => void }) {
  useWindowKey((e) => {
    if ((e.metaKey || e.ctrlKey) && !e.shiftKey && !e.altKey && e.key.toLowerCase() === "k") {
      e.preventDefault();
      onOpen();
    }
  });
  return null;
}

function useWindowKey(handle: (e: KeyboardEvent) => void): void {
  const ref = useRef(handle);
  ref.current = handle;
  useEffect(() => {
    const listener = (e: KeyboardEvent): void => ref.current(e);
    addEventListener("keydown", listener, true);
    return () => removeEventListener("keydown", listener, true);
  }, []);
}

export function Mark() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" fill="var(--accent-solid)" />
      <path d="M7 25V14.5a9 9 0 0 1 18 0V25h-4.4V14.8a4.6 4.6 0 0 0-9.2 0V25z" fill="#fff" />
      <rect x="13.9" y="18.4" width="4.2" height="6.6" rx="1" fill="#f7b955" />
    </svg>
  );
}

function Side() {
  return (
    <aside className="side">
      <Link to="/" className="brand" aria-label="serai, overview">
        <Mark />
        serai
      </Link>
      {places.map((group, i) => (
        <nav key={i} aria-label={i === 0 ? "Main" : "More"}>
          {group.map((p) => (
            <Link key={p.to} to={p.to} activeOptions={{ exact: p.to === "/", includeSearch: false }} activeProps={{ "aria-current": "page" }}>
              <Icon name={p.icon} />
              {p.text}
            </Link>
          ))}
        </nav>
      ))}
      <div className="grow" />
      <Label />
    </aside>
  );
}

function Bottom() {
  const flat = places.flat();
  const main = flat.filter((p) => p.main);
  const rest = flat.filter((p) => !p.main);
  const navigate = useNavigate();
  return (
    <nav className="bottom" aria-label="Places">
      {main.map((p) => (
        <Link key={p.to} to={p.to} activeOptions={{ exact: p.to === "/", includeSearch: false }} activeProps={{ "aria-current": "page" }}>
          <Icon name={p.icon} />
          {p.text}
        </Link>
      ))}
      {rest.length > 0 && (
        <Menu entries={rest.map((p) => ({ label: p.text, icon: p.icon, act: () => void navigate({ to: p.to } as never) }))}>
          <button type="button">
            <Icon name="menu" />
            More
          </button>
        </Menu>
      )}
    </nav>
  );
}

function Label() {
  const label = clusterLabel();
  if (label === undefined) return null;
  return (
    <span className="cluster-label" style={{ background: label.background || undefined, color: label.color || undefined }}>
      {visible(label.text, 60)}
    </span>
  );
}

function Top({ onSearch }: { onSearch: () => void }) {
  return (
    <header className="top">
      <Crumbs />
      <NamespaceMenu />
      <button type="button" className="search-button" onClick={onSearch}>
        <Icon name="search" />
        <span className="word">Search</span>
        <span className="hidden">everything</span>
        <kbd className="kbd" aria-hidden="true">{/Mac|iPhone|iPad/.test(navigator.platform) ? "⌘" : "Ctrl"} K</kbd>
      </button>
      <LiveDot />
    </header>
  );
}

function Crumbs() {
  const { pathname } = useLocation();
  const parts = pathname.split("/").filter((p) => p !== "").map(decode);
  const place = places.flat().find((p) => p.to !== "/" && p.to === `/${parts[0] ?? ""}`);
  const rest = parts.slice(1);
  const first = place?.text ?? (parts.length === 0 ? "Overview" : (parts[0] ?? ""));
  return (
    <nav className="crumbs" aria-label="Where you are">
      {rest.length === 0 ? <span aria-current="page">{visible(first, 60)}</span> : <Link to={(place?.to ?? "/") as "/"}>{visible(first, 60)}</Link>}
      {rest.map((p, i) => (
        <Crumb key={i} text={p} last={i === rest.length - 1} />
      ))}
    </nav>
  );
}

function Crumb({ text, last }: { text: string; last: boolean }) {
  return (
    <>
      <span className="sep" aria-hidden="true">/</span>
      <span className={last ? "" : "faint"} aria-current={last ? "page" : undefined}>
        <bdi>{visible(/^[0-9a-f]{8}-[0-9a-f]{4}/.test(text) ? text.slice(0, 8) : text, 80)}</bdi>
      </span>
    </>
  );
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function NamespaceMenu() {
  const [namespace, setNamespace] = useNamespace();
  const list = useRead("Namespaces.List", {});
  if ((list.data?.length ?? 0) < 2 && namespace === "*") return null;
  const entries = ["*", ...(list.data ?? []).map((n) => n.Name)];
  return (
    <Menu entries={entries.map((n) => ({ label: n === "*" ? "All namespaces" : visible(n, 60), checked: n === namespace, act: () => setNamespace(n) }))}>
      <button type="button" className="button plain small" aria-label="Namespace">
        {namespace === "*" ? "All namespaces" : visible(namespace, 30)}
        <Icon name="down" />
      </button>
    </Menu>
  );
}

function LiveDot() {
  const s = useLiveStatus();
  const tone = s.state === "live" ? "ok" : s.state === "connecting" ? "off" : "warn";
  const text = { live: "Live", connecting: "Connecting", waiting: "Not live", denied: "Not live", unavailable: "Not live" }[s.state];
  return (
    <Hint text={s.state === "live" ? "Changes are shown as they happen." : `Changes are not shown. ${s.reason}`}>
      <span className={`live tone-${tone}`} tabIndex={0} data-live={s.state}>
        <i className="dot" aria-hidden="true" />
        <span>{text}</span>
      </span>
    </Hint>
  );
}

/** Says that what is seen may be old, and why. */
function Stale() {
  const s = useLiveStatus();
  const { knownLeader } = useClusterFacts();
  const now = useNow();
  if (s.state === "waiting" || (s.state === "connecting" && s.generation > 0)) {
    const left = Math.max(0, s.retryAt - now);
    return (
      <div className="banner tone-warn" role="status">
        <Glyph tone="warn" />
        <span className="grow">
          <b>Connection lost.</b> You see what was known at {clock(s.since)}. {s.reason ? `${s.reason[0]?.toUpperCase() ?? ""}${s.reason.slice(1)}. ` : ""}
          {left > 1500 ? `Trying again in ${span(left)}.` : "Trying again…"}
        </span>
        <button type="button" className="button small" onClick={live.retry}>
          Try now
        </button>
      </div>
    );
  }
  if (s.state === "denied" || s.state === "unavailable") {
    return (
      <div className="banner tone-warn" role="status">
        <Glyph tone="warn" />
        <span className="grow">
          <b>Not live:</b> {visible(s.reason.replace(/\.?$/, "."), 300)} Reload the page to see changes.
        </span>
        {s.state === "denied" && (
          <Link to="/settings" className="button small">
            Sign in
          </Link>
        )}
      </div>
    );
  }
  if (!knownLeader) {
    return (
      <div className="banner tone-warn" role="status">
        <Glyph tone="warn" />
        <span className="grow">
          <b>The cluster has no leader.</b> What you see may be old, and changes are refused until one is elected.
        </span>
      </div>
    );
  }
  return null;
}

export function NotFound() {
  return (
    <div className="page">
      <Empty icon="search" title="There is no such page" actions={<Link to="/" className="button">Go to the overview</Link>}>
        The address is wrong, or of another version of serai.
      </Empty>
    </div>
  );
}

/** A view that has failed; the rest of the page goes on. */
export function Crashed({ error }: { error: unknown }): ReactNode {
  const stale = error instanceof TypeError && /import|fetch/i.test(error.message);
  return (
    <div className="page">
      <Empty icon="alert" title={stale ? "This page could not be loaded" : "This view has a fault"} actions={<button type="button" className="button" onClick={() => location.reload()}>Reload</button>}>
        {stale ? "The agent does not answer, or it was upgraded since you opened this page." : visible(explain(error), 500)}
      </Empty>
    </div>
  );
}
