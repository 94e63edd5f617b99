// The one table: only the rows in view are in the page, so that 50,000 scroll
// as well as five. j, k and Enter move through it; what it holds can be saved.
import { useVirtualizer } from "@tanstack/react-virtual";
import { useNavigate, type LinkProps } from "@tanstack/react-router";
import { useCallback, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useHotkeys } from "../app/hotkeys";
import { useScroller } from "../app/scroller";
import { csv, download } from "../lib/export";
import { count } from "../lib/format";
import { Icon } from "./Icon";
import { Menu } from "./Menu";

export interface Column<T> {
  id: string;
  head: string;
  cell: (row: T) => ReactNode;
  /** What the column is sorted by and saved as. Without it, it is neither. */
  value?: (row: T) => string | number | undefined;
  /** What is saved, where that is not what the column is sorted by. */
  saved?: (row: T) => string | number | undefined;
  /** A grid track: "120px", "minmax(120px, 2fr)". */
  width?: string;
  right?: boolean;
  /** Left out on narrow screens. */
  wide?: boolean;
}

export interface Sort {
  by: string;
  down: boolean;
}

export interface TableProps<T> {
  /** What the rows are, in the plural; also the name of saved files. */
  name: string;
  rows: T[];
  columns: Column<T>[];
  rowKey: (row: T) => string;
  rowLink?: (row: T) => LinkProps;
  /** How rows are sorted at first; without it they stay as given. */
  sort?: Sort;
  empty?: ReactNode;
  /** Whether j and k move through this table; at most one of a page. */
  keys?: boolean;
  /** Shown in the foot, at the left. */
  note?: ReactNode;
}

const ROW = 36;

export function Table<T>(p: TableProps<T>) {
  const narrow = useNarrow();
  const columns = narrow ? p.columns.filter((c) => !c.wide) : p.columns;
  const [sort, setSort] = useState(p.sort);
  const rows = useMemo(() => sorted(p.rows, p.columns, sort), [p.rows, p.columns, sort]);
  const lines = useRef<HTMLDivElement>(null);
  const scroller = useScroller();
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    if (lines.current === null || scroller === null) return;
    const top = lines.current.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop;
    if (Math.abs(top - margin) > 1) setMargin(top);
  });
  const keyOf = useRef(p.rowKey);
  keyOf.current = p.rowKey;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller,
    estimateSize: () => ROW,
    overscan: 12,
    scrollMargin: margin,
    initialRect: { width: 1200, height: 900 },
    getItemKey: useCallback((i: number) => keyOf.current(rows[i] as T), [rows]), // a new function would place all rows anew
  });
  const { cursor, open } = useCursor(p, rows, virtual);
  if (p.rows.length === 0) return <>{p.empty ?? <div className="empty">No {p.name}.</div>}</>;
  const template = columns.map((c) => c.width ?? "minmax(80px, 1fr)").join(" ");
  return (
    <div className="table">
      <div role="table" aria-label={p.name} aria-rowcount={rows.length + 1} style={{ "--columns": template } as React.CSSProperties}>
      <div className="head" role="row">
        {columns.map((c) => (
          <Head key={c.id} column={c} sort={sort} onSort={setSort} />
        ))}
      </div>
      <div className="lines" role="rowgroup" ref={lines} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const row = rows[item.index] as T;
          const classes = `line${p.rowLink ? " link-row" : ""}${item.index === cursor ? " cursor" : ""}`;
          return (
            <div key={item.key} className={classes} role="row" aria-rowindex={item.index + 2} style={{ transform: `translateY(${item.start - margin}px)` }} onClick={(e) => open(row, e)}>
              {columns.map((c, i) => (
                <div key={c.id} role="cell" className={`${c.right ? "right" : ""}${i === 0 ? " first" : ""}`}>
                  {c.cell(row)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
      </div>
      <div className="foot">
        <span>{p.note ?? `${count(rows.length)} ${rows.length === 1 ? p.name.replace(/s$/, "") : p.name}`}</span>
        <Save name={p.name} rows={rows} columns={p.columns} />
      </div>
    </div>
  );
}

function Head<T>({ column, sort, onSort }: { column: Column<T>; sort: Sort | undefined; onSort: (s: Sort) => void }) {
  const by = sort?.by === column.id;
  const direction = by ? (sort.down ? "descending" : "ascending") : undefined;
  return (
    <div role="columnheader" className={column.right ? "right" : ""} aria-sort={direction}>
      {column.value === undefined ? (
        column.head
      ) : (
        <button type="button" onClick={() => onSort({ by: column.id, down: by ? !sort.down : false })}>
          {column.head}
          {by && <span aria-hidden="true">{sort.down ? "↓" : "↑"}</span>}
        </button>
      )}
    </div>
  );
}

function sorted<T>(rows: T[], columns: Column<T>[], sort: Sort | undefined): T[] {
  const value = columns.find((c) => c.id === sort?.by)?.value;
  if (value === undefined || sort === undefined) return rows;
  const keyed = rows.map((row) => ({ row, v: value(row) }));
  keyed.sort((a, b) => {
    const x = a.v ?? "";
    const y = b.v ?? "";
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x) < String(y) ? -1 : String(x) > String(y) ? 1 : 0;
    return sort.down ? -order : order;
  });
  return keyed.map((k) => k.row);
}

/** The row that the keyboard is at. */
function useCursor<T>(p: TableProps<T>, rows: T[], virtual: { scrollToIndex: (i: number, o?: { align?: "auto" }) => void }) {
  const navigate = useNavigate();
  const [cursor, setCursor] = useState(-1);
  const go = useCallback(
    (row: T | undefined) => {
      if (row !== undefined && p.rowLink !== undefined) void navigate(p.rowLink(row) as Parameters<typeof navigate>[0]);
    },
    [navigate, p.rowLink],
  );
  const move = (by: number): void => {
    const next = Math.max(0, Math.min(rows.length - 1, cursor + by));
    setCursor(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  useHotkeys(
    p.keys
      ? [
          { keys: "j", text: "Next row", act: () => move(1) },
          { keys: "k", text: "Row before", act: () => move(-1) },
          { keys: "Enter", text: "Open the row", act: () => go(rows[cursor]), when: () => cursor >= 0 && !isControl(document.activeElement) },
        ]
      : [],
  );
  const open = (row: T, e: React.MouseEvent): void => {
    if (p.rowLink === undefined || e.defaultPrevented || e.button !== 0) return;
    if ((e.target as Element).closest("a, button, input") !== null) return;
    if (getSelection()?.toString()) return;
    go(row);
  };
  return { cursor, open };
}

const isControl = (e: Element | null): boolean => e !== null && e.closest("a, button, input, select, textarea, [role^=menuitem]") !== null;

function Save<T>({ name, rows, columns }: { name: string; rows: T[]; columns: Column<T>[] }) {
  const file = `serai-${name.replaceAll(" ", "-")}`;
  const saved = columns.filter((c) => c.value !== undefined);
  return (
    <Menu
      entries={[
        { label: "Save as CSV", act: () => download(`${file}.csv`, csv(saved.map((c) => c.head), rows.map((r) => saved.map((c) => (c.saved ?? c.value)?.(r)))), "text/csv;charset=utf-8") },
        { label: "Save as JSON", act: () => download(`${file}.json`, JSON.stringify(rows, null, 2), "application/json") },
      ]}
    >
      <button type="button" className="button plain small" aria-label={`Save these ${name}`}>
        <Icon name="download" />
        Save
      </button>
    </Menu>
  );
}

const narrowQuery = typeof matchMedia === "undefined" ? undefined : matchMedia("(max-width: 720px)");

/** Whether the screen is as narrow as a phone's. */
export function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(narrowQuery?.matches ?? false);
  useLayoutEffect(() => {
    const change = (): void => setNarrow(narrowQuery?.matches ?? false);
    narrowQuery?.addEventListener("change", change);
    return () => narrowQuery?.removeEventListener("change", change);
  }, []);
  return narrow;
}
