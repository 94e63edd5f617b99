// A log to read while it is written: follow, search, wrap, save. Several sources
// are interleaved as they come.
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useMemo, useReducer, useRef, useState, type ReactNode } from "react";
import { useHotkeys } from "../../app/hotkeys";
import { count, visible } from "../../lib/format";
import { clock } from "../../lib/time";
import { download } from "../../lib/export";
import { live } from "../../live/live";
import { IconButton } from "../Basics";
import { Icon } from "../Icon";
import { LogBuffer, matcher, type Line } from "./buffer";
import { follow, type LogSource } from "./follow";
import "./log.css";

const ROW = 19;

/** How far apart the sources of a log begin, in milliseconds. */
const STAGGER = 120;

/** How long new lines wait for others, in milliseconds: with many lines, placing them anew is the dearer part. */
const FRAME = 16;
const UNHURRIED = 60;
const MANY = 5_000;

export interface LogViewProps {
  sources: LogSource[];
  /** Search text, which is in the address. */
  find: string;
  onFind: (text: string) => void;
  /** What is left of the tools: choices of the view. */
  children?: ReactNode;
  name: string;
}

export function LogView({ sources, find, onFind, children, name }: LogViewProps) {
  const [whole, setWhole] = useState(false);
  const { buffer, version } = useLog(sources, whole);
  const [following, setFollowing] = useState(true);
  const [wrap, setWrap] = useState(true);
  const [only, setOnly] = useState(false);
  const [at, setAt] = useState(-1);
  const box = useRef<HTMLDivElement>(null);
  const pattern = useMemo(() => (find === "" ? undefined : matcher(find)), [find]);
  const matches = useMatches(buffer, version, pattern);
  const lines = only && pattern ? matches.map((i) => buffer.lines[i]).filter((l) => l !== undefined) : buffer.lines;
  const virtual = useVirtualizer({ count: lines.length, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 24, getItemKey: useCallback((i: number) => lines[i]?.n ?? i, [lines]), initialRect: { width: 1000, height: 600 } });
  useEffect(() => {
    if (following && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [version, following, lines.length, virtual, wrap, only]);

  const jump = (by: number): void => {
    if (matches.length === 0) return;
    const next = ((at < 0 && by < 0 ? 0 : at) + by + matches.length) % matches.length;
    setAt(next);
    setFollowing(false);
    virtual.scrollToIndex(only ? next : (matches[next] ?? 0), { align: "center" });
  };
  // Who looks for errors is led to the last one, once it is found.
  const hunting = useRef(false);
  const hunt = (): void => {
    hunting.current = true;
    setAt(-1);
    onFind(errors);
  };
  useEffect(() => {
    if (!hunting.current || find !== errors || matches.length === 0) return;
    hunting.current = false;
    setFollowing(false);
    setTimeout(() => jump(-1), 50); // when what followed the end has come to rest
  });
  const search = useRef<HTMLInputElement>(null);
  useHotkeys([
    { keys: "f", text: "Follow the log", act: () => setFollowing((f) => !f) },
    { keys: "w", text: "Wrap lines", act: () => setWrap((w) => !w) },
    { keys: "n", text: "Next match", act: () => jump(1) },
    { keys: "N", text: "Match before", act: () => jump(-1) },
    { keys: "e", text: "The last error, and those before", act: () => (find === errors ? jump(-1) : hunt()) },
  ]);
  const wheel = (e: React.WheelEvent): void => {
    if (e.deltaY < 0) setFollowing(false);
  };
  const scrolled = (): void => {
    const b = box.current;
    if (b !== null && !following && b.scrollHeight > b.clientHeight + ROW && b.scrollHeight - b.scrollTop - b.clientHeight < 4) setFollowing(true);
  };
  const current = matches[at] === undefined ? undefined : buffer.lines[matches[at]]?.n;
  const save = (): void => download(`${name}.log`, buffer.lines.map((l) => l.text).join("\n") + "\n", "text/plain;charset=utf-8");
  return (
    <div className="log">
      <div className="log-tools">
        {children}
        <div className="log-search">
          <Icon name="search" />
          <input
            ref={search} className="field" data-filter placeholder="Search, or /expression/" aria-label="Search the log" value={find} spellCheck={false} maxLength={500}
            aria-invalid={find !== "" && pattern === undefined}
            onChange={(e) => { onFind(e.target.value); setAt(-1); }}
            onKeyDown={(e) => { if (e.key === "Enter") jump(e.shiftKey ? -1 : 1); if (e.key === "Escape") { onFind(""); search.current?.blur(); } }}
          />
          {pattern && <span className="num faint log-count">{matches.length === 0 ? "none" : `${at < 0 ? "" : `${count(at + 1)} of `}${count(matches.length)}`}</span>}
        </div>
        <button type="button" className="button small" aria-pressed={only} disabled={!pattern} onClick={() => setOnly(!only)}>Only matches</button>
        <button type="button" className="button small" aria-pressed={find === errors} onClick={() => (find === errors ? onFind("") : hunt())}>Errors</button>
        <span className="grow" />
        <button type="button" className="button small" aria-pressed={following} onClick={() => setFollowing(!following)}>Follow</button>
        <IconButton icon="wrap" label="Wrap lines (w)" pressed={wrap} onClick={() => setWrap(!wrap)} />
        <IconButton icon="trash" label="Clear what is shown" onClick={() => buffer.clear()} />
        <IconButton icon="download" label="Save what is shown" onClick={save} />
      </div>
      <div className={wrap ? "log-lines wrap" : "log-lines"} ref={box} tabIndex={0} role="log" aria-label={name} aria-live="off" onWheel={wheel} onScroll={scrolled}>
        {lines.length === 0 ? (
          <p className="faint log-empty">{only && pattern ? "No line matches." : "Nothing was written yet."}</p>
        ) : (
          <div className="log-inner" style={{ height: virtual.getTotalSize() }}>
            {virtual.getVirtualItems().map((item) => {
              const line = lines[item.index];
              if (line === undefined) return null;
              const source = sources[line.source];
              return (
                <div key={item.key} data-index={item.index} ref={wrap ? virtual.measureElement : undefined} className="log-line" style={{ transform: `translateY(${item.start}px)` }}>
                  <LineView line={line} pattern={pattern} current={line.n === current} stream={source?.kind === "task" ? source.stream : ""} label={sources.some((x) => x.label !== "stdout" && x.label !== "stderr") && sources.length > 1 ? (source?.label ?? "") : ""} colour={line.source} />
                </div>
              );
            })}
          </div>
        )}
      </div>
      <div className="log-foot">
        <span>
          {count(buffer.lines.length)} lines{buffer.dropped > 0 && `; the ${count(buffer.dropped)} before them are no longer kept here`}
        </span>
        {!whole && <button type="button" className="button plain small" onClick={() => { setWhole(true); setFollowing(false); }}>Read from the beginning</button>}
      </div>
    </div>
  );
}

/** What “Errors” looks for. */
const errors = "/\\b(error|fatal|panic|exception|fail(ed|ure)?|critical|traceback)\\b/i";

/** Long lines are shown up to here until somebody asks for the rest. */
const SHOWN = 2000;
const MAX_MARKS = 200;

const LineView = memo(function LineView({ line, pattern, current, stream, label, colour }: { line: Line; pattern: RegExp | undefined; current: boolean; stream: string; label: string; colour: number }) {
  const [all, setAll] = useState(false);
  if (line.mark) return <span className="log-mark">{line.text}</span>;
  const text = all ? line.text : line.text.slice(0, SHOWN);
  return (
    <span className={`log-text ${stream}${current ? " current" : ""}`}>
      {label !== "" && <span className={`log-label c${colour % 6}`}>{visible(label, 40)}</span>}
      {pattern ? <Marked text={visible(text, 20_000)} pattern={pattern} /> : visible(text, 20_000)}
      {!all && line.text.length > SHOWN && (
        <button type="button" className="log-more" onClick={() => setAll(true)}>
          {count(line.text.length - SHOWN)} more characters
        </button>
      )}
      {"\n"}
    </span>
  );
});

function Marked({ text, pattern }: { text: string; pattern: RegExp }) {
  const out: ReactNode[] = [];
  let from = 0;
  pattern.lastIndex = 0; // matchAll begins there
  for (const m of text.matchAll(pattern)) {
    if (m[0] === "" || out.length > MAX_MARKS) break;
    out.push(text.slice(from, m.index), <mark key={m.index}>{m[0]}</mark>);
    from = m.index + m[0].length;
  }
  return (
    <>
      {out}
      {text.slice(from)}
    </>
  );
}

/** Follows the sources into a buffer. version moves once a frame at most, and less often when there is much. */
function useLog(sources: LogSource[], whole: boolean): { buffer: LogBuffer; version: number } {
  const [version, bump] = useReducer((n: number) => n + 1, 0);
  const key = JSON.stringify([sources, whole]);
  const buffer = useMemo(() => new LogBuffer(), [key]); // eslint-disable-line
  const list = useRef(sources);
  list.current = sources;
  useEffect(() => {
    const abort = new AbortController();
    let pending: ReturnType<typeof setTimeout> | undefined;
    const shown = (): void => {
      pending = undefined;
      bump();
    };
    const changed = (): void => {
      pending ??= setTimeout(shown, document.hidden ? 500 : buffer.lines.length > MANY ? UNHURRIED : FRAME);
    };
    const broken = new Set<number>();
    const start = (i: number, from: boolean): void => {
      const s = list.current[i];
      if (s === undefined) return;
      void follow(s, i, buffer, from, abort.signal, changed).then((why) => {
        if (why === "" || abort.signal.aborted) return;
        broken.add(i);
        buffer.mark(`${why}${list.current.length > 1 ? ` (${s.label})` : ""} ${clock(Date.now())}`);
        changed();
      });
    };
    // What was written before comes in blocks, one for each source. The last
    // ones begin first, so that what the first has written ends up at the end.
    let delay = 0;
    const timers = list.current.map((_, i) => i).reverse().map((i) => setTimeout(() => start(i, whole), STAGGER * delay++));
    // When the agent is there again, what was broken off goes on.
    const stop = live.onRestart(() => {
      for (const i of broken) {
        buffer.mark(`Going on with ${list.current[i]?.label ?? ""}; lines in between may be missing or twice. ${clock(Date.now())}`);
        start(i, false);
      }
      broken.clear();
    });
    bump();
    return () => {
      stop();
      timers.forEach(clearTimeout);
      abort.abort();
      clearTimeout(pending);
    };
  }, [key, buffer, whole]);
  return { buffer, version };
}

/** The places of the lines that match, found only once for each line. */
function useMatches(buffer: LogBuffer, version: number, pattern: RegExp | undefined): number[] {
  const seen = useRef<{ buffer: LogBuffer; pattern: RegExp | undefined; upTo: number; numbers: number[] }>({ buffer, pattern, upTo: -1, numbers: [] });
  return useMemo(() => {
    void version;
    let s = seen.current;
    if (s.buffer !== buffer || s.pattern !== pattern) s = seen.current = { buffer, pattern, upTo: -1, numbers: [] };
    if (pattern === undefined || buffer.lines.length === 0) return [];
    const first = buffer.lines[0]?.n ?? 0;
    for (let i = Math.max(0, s.upTo + 1 - first); i < buffer.lines.length; i++) {
      const l = buffer.lines[i] as Line;
      pattern.lastIndex = 0;
      if (!l.mark && pattern.test(l.text)) s.numbers.push(l.n);
    }
    s.upTo = buffer.lines[buffer.lines.length - 1]?.n ?? -1;
    let gone = 0;
    while (gone < s.numbers.length && (s.numbers[gone] ?? 0) < first) gone++;
    if (gone > 0) s.numbers = s.numbers.slice(gone);
    return s.numbers.map((n) => n - first);
  }, [buffer, version, pattern]);
}
