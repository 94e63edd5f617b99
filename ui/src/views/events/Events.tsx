// Everything that happens in the cluster, as it happens.
import { Link, getRouteApi, type LinkProps } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useNamespace } from "../../app/namespace";
import { useHotkeys } from "../../app/hotkeys";
import { Empty, PageHead, useTitle } from "../../components/Basics";
import { Filter } from "../../components/Filter";
import { Icon } from "../../components/Icon";
import { allocationLink, evaluationLink, jobLink, nodeLink } from "../../components/Links";
import { Menu } from "../../components/Menu";
import { Tag } from "../../components/Status";
import { csv, download } from "../../lib/export";
import { count, plural, short, visible } from "../../lib/format";
import type { Tone } from "../../lib/status";
import { clock } from "../../lib/time";
import { EventDetail } from "./EventDetail";
import { useFeed, type Feed } from "./feed";
import type { Line } from "./ring";
import "./events.css";

const route = getRouteApi("/events");
const topics = ["Allocation", "Evaluation", "Job", "Deployment", "Node", "NodePool", "Service"];
const tones: Record<string, Tone> = { Allocation: "ok", Evaluation: "note", Job: "busy", Deployment: "warn", Node: "off", NodePool: "off", Service: "off" };

export function Events() {
  const { q = "", topic = "", key = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const [namespace] = useNamespace();
  useTitle("Events");
  const filter = useMemo(() => ({ topic, namespace, key, text: q }), [topic, namespace, key, q]);
  const feed = useFeed(filter);
  const [held, setHeld] = useState<Line[]>(); // what is shown while it is paused
  const [away, setAway] = useState<number>(); // scrolled away: up to which event is shown
  const [open, setOpen] = useState<Line>();
  const set = (change: { q?: string; topic?: string; key?: string }): void => {
    setHeld(undefined);
    setAway(undefined);
    void navigate({ search: (s) => ({ ...s, ...change }), replace: true });
  };
  const paused = held !== undefined;
  const pause = (): void => setHeld(paused ? undefined : feed.lines);
  useHotkeys([{ keys: "p", text: "Pause the feed, or let it go on", act: pause }, { keys: "Escape", text: "Close the event", act: () => setOpen(undefined), when: () => open !== undefined }]);
  useEffect(() => {
    setHeld(undefined);
    setAway(undefined);
  }, [namespace]);
  const lines = held ?? upTo(feed.lines, away);
  const last = feed.lines[feed.lines.length - 1]?.seq ?? 0;
  const waiting = away === undefined && held === undefined ? 0 : feed.lines.filter((l) => l.seq > (held !== undefined ? (held[held.length - 1]?.seq ?? 0) : (away as number))).length;
  return (
    <div className="page events-page">
      <PageHead
        title="Events"
        sub={<State feed={feed} />}
        actions={
          <>
            <Menu entries={[{ label: "Save as CSV", act: () => save(lines, "csv") }, { label: "Save as JSON", act: () => save(lines, "json") }]}>
              <button type="button" className="button" disabled={lines.length === 0}>
                <Icon name="download" />
                Save
              </button>
            </Menu>
            <button type="button" className="button" aria-pressed={paused} onClick={pause}>
              <Icon name={paused ? "play" : "pause"} />
              {paused ? "Go on" : "Pause"}
            </button>
          </>
        }
      />
      <section className="panel flush feed">
        <Filter
          value={q} onChange={(v) => set({ q: v })} placeholder="Search in events: a job, an ID, a word of the JSON"
          facets={[{ name: "Topic", value: topic, values: topics, onChange: (v) => set({ topic: v }) }, ...(key === "" ? [] : [{ name: "Key", value: key, values: [key], onChange: (v: string) => set({ key: v }) }])]}
        />
        <div className={open ? "feed-split" : ""}>
          <Rows
            lines={lines} open={open} onOpen={(l) => setOpen(open?.seq === l.seq ? undefined : l)} waiting={waiting}
            onAway={(is) => setAway(is ? (away ?? last) : undefined)} onLatest={() => { setHeld(undefined); setAway(undefined); }} empty={<None feed={feed} filtered={q !== "" || topic !== "" || key !== ""} />}
          />
          {open && <EventDetail key={open.seq} line={open} read={feed.read} onClose={() => setOpen(undefined)} onKey={(k) => set({ key: k, q: "" })} />}
        </div>
        <div className="table"><div className="foot">
          <span>{count(lines.length)} shown{feed.total > 0 ? ` of ${plural(feed.total, "event")}` : ""}</span>
          <span>{paused ? "Paused. " : ""}The last 20,000 are kept.</span>
        </div></div>
      </section>
    </div>
  );
}

function upTo(lines: Line[], seq: number | undefined): Line[] {
  if (seq === undefined) return lines;
  let n = lines.length;
  while (n > 0 && (lines[n - 1] as Line).seq > seq) n--;
  return n === lines.length ? lines : lines.slice(0, n);
}

function State({ feed }: { feed: Feed }) {
  const text = { connecting: "connecting", live: "following", waiting: `not following: ${visible(feed.reason, 200)}`, denied: `your token may not see events: ${visible(feed.reason, 200)}` }[feed.state];
  return (
    <>
      <span role="status">{text}</span>
      {feed.state === "live" && <span className="num">{feed.rate === 0 ? "quiet" : `${feed.rate < 10 ? Number(feed.rate.toFixed(1)) : count(Math.round(feed.rate))} a second`}</span>}
    </>
  );
}

function None({ feed, filtered }: { feed: Feed; filtered: boolean }) {
  if (feed.state === "denied") return <Empty icon="alert" title="Your token may not see events" actions={<Link to="/settings" className="button">Sign in with another token</Link>}>{visible(feed.reason, 300)}</Empty>;
  if (filtered && feed.total > 0) return <Empty icon="filter" title="No event is like that">Of {plural(feed.total, "event")}, none has it. New ones appear here.</Empty>;
  return <Empty icon="events" title="Nothing has happened yet">Events appear here as jobs, allocations and nodes change.</Empty>;
}

function save(lines: Line[], as: "csv" | "json"): void {
  const at = (l: Line): string => (l.time === undefined ? "" : new Date(l.time).toISOString());
  if (as === "json") download("serai-events.json", JSON.stringify(lines.map((l) => ({ ...l, time: at(l) })), null, 2), "application/json");
  else download("serai-events.csv", csv(["time", "index", "topic", "type", "key", "namespace", "what"], lines.map((l) => [at(l), l.index, l.topic, l.type, l.key, l.namespace, l.what])), "text/csv;charset=utf-8");
}

const ROW = 34;

interface RowsProps {
  lines: Line[];
  open: Line | undefined;
  onOpen: (l: Line) => void;
  waiting: number;
  onAway: (away: boolean) => void;
  onLatest: () => void;
  empty: React.ReactNode;
}

/** The newest event is at the top; while it is not in view, the list stands still. */
function Rows({ lines, open, onOpen, waiting, onAway, onLatest, empty }: RowsProps) {
  const place = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => place.current, estimateSize: () => ROW, overscan: 8, initialRect: { width: 1000, height: 600 } });
  const away = useRef(false);
  const scrolled = (): void => {
    const is = (place.current?.scrollTop ?? 0) > ROW / 2;
    if (is !== away.current) {
      away.current = is;
      onAway(is);
    }
  };
  const latest = (): void => {
    place.current?.scrollTo({ top: 0 });
    away.current = false;
    onLatest();
  };
  const move = (e: React.KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[e.key];
    if (step === undefined || open === undefined) return;
    const at = lines.findIndex((l) => l.seq === open.seq);
    const next = lines[at - step];
    if (at < 0 || next === undefined) return;
    e.preventDefault();
    onOpen(next);
    virtual.scrollToIndex(lines.length - 1 - (at - step), { align: "auto" });
  };
  return (
    <div className="feed-list">
      {waiting > 0 && (
        <button type="button" className="button small primary feed-new" onClick={latest}>
          {plural(waiting, "new event")}
        </button>
      )}
      <div className="feed-scroll" ref={place} onScroll={scrolled} onKeyDown={move} tabIndex={0} role="feed" aria-label="Events, the newest first" aria-busy="false">
        {lines.length === 0 ? (
          empty
        ) : (
          <div style={{ height: virtual.getTotalSize(), position: "relative" }}>
            {virtual.getVirtualItems().map((item) => {
              const l = lines[lines.length - 1 - item.index] as Line;
              return <Row key={l.seq} l={l} at={item.start} of={lines.length} nth={item.index} open={l.seq === open?.seq} onOpen={onOpen} />;
            })}
          </div>
        )}
      </div>
    </div>
  );
}

function Row({ l, at, nth, of, open, onOpen }: { l: Line; at: number; nth: number; of: number; open: boolean; onOpen: (l: Line) => void }) {
  return (
    <article className={open ? "event open" : "event"} style={{ transform: `translateY(${at}px)` }} aria-posinset={nth + 1} aria-setsize={of} aria-label={`${l.type} ${l.what}`.slice(0, 200)} onClick={(e) => (e.target as Element).closest("a") === null && onOpen(l)}>
      <span className="num faint event-time">{l.time === undefined ? "–" : clock(l.time)}</span>
      <span className="event-topic"><Tag tone={tones[l.topic] ?? "off"}>{visible(l.topic, 20)}</Tag></span>
      <button type="button" className="event-type cut" aria-expanded={open}>{visible(l.type, 60)}</button>
      <span className="event-what cut"><bdi>{visible(l.what, 240)}</bdi></span>
      <span className="event-key cut mono"><KeyLink l={l} /></span>
      <span className="event-ns cut faint"><bdi>{visible(l.namespace, 40)}</bdi></span>
      <span className="event-index num faint">{l.index}</span>
    </article>
  );
}

/** The object that an event is about. */
export function KeyLink({ l }: { l: Line }) {
  const to: LinkProps | undefined = { Allocation: allocationLink(l.key), Evaluation: evaluationLink(l.key), Job: jobLink(l.namespace, l.key), Node: nodeLink(l.key) }[l.topic];
  const shown = <bdi>{visible(short(l.key), 60)}</bdi>;
  return to === undefined || l.type.endsWith("Deregistered") || l.type.endsWith("Deregistration") ? <span className="dim">{shown}</span> : <Link {...to} className="link">{shown}</Link>;
}
