// The map itself: one canvas as large as what is in view, drawn anew when
// something moves. What is pointed at is told in a card, and in words.
import { Link } from "@tanstack/react-router";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { NodeListStub } from "../../api/types.gen";
import { useSettings } from "../../api/settings";
import { useScroller } from "../../app/scroller";
import { nodeLink } from "../../components/Links";
import { Badge, Meter, Name } from "../../components/Status";
import { mebibytes, megahertz, plural } from "../../lib/format";
import { nodeState } from "../../lib/status";
import { capacity, none, type NodeUse } from "../nodes/usage";
import { WITH_PARTS, draw, palette, partsIn, type Cell, type Palette } from "./draw";
import { SIZES, corner, fitting, hit, layout, neighbour, type Direction, type Group, type Layout, type Spot } from "./layout";

interface Props {
  nodes: NodeListStub[];
  cells: Cell[];
  groups: Group[];
  use: Map<string, NodeUse>;
  zoom: number | undefined;
  onZoom: (z: number | undefined) => void;
  onOpen: (n: NodeListStub) => void;
}

interface Pointed {
  spot: Spot;
  part: string; // ID of an allocation, or empty
}

export function FleetMap(p: Props) {
  const place = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const scroller = useScroller();
  const [room, setRoom] = useState({ width: 900, height: 600 });
  const [pointed, setPointed] = useState<Pointed>();
  const [chosen, setChosen] = useState<Spot>();
  const cell = p.zoom ?? fitting(p.groups, room.width, room.height);
  const map = useMemo(() => layout(p.groups, room.width, cell), [p.groups, room.width, cell]);
  const view = Math.min(room.height, map.height);
  const repaint = usePainter(place, canvas, scroller, { map, cells: p.cells, view, pointed, chosen });
  useRoom(place, scroller, setRoom);
  useEffect(() => setChosen(undefined), [p.groups]);

  const nodeAt = useCallback((s: Spot | undefined): number | undefined => (s === undefined ? undefined : map.blocks[s.block]?.group.members[s.at]), [map]);
  const locate = (e: { clientX: number; clientY: number }): Pointed | undefined => {
    const box = place.current?.getBoundingClientRect();
    if (box === undefined) return undefined;
    const x = e.clientX - box.left;
    const y = e.clientY - box.top;
    const spot = hit(map, x, y);
    const at = nodeAt(spot);
    if (spot === undefined || at === undefined) return undefined;
    return { spot, part: cell < WITH_PARTS ? "" : partAt(map, spot, p.cells[at], x, y) };
  };
  const zoomBy = useCallback(
    (step: number): void => {
      const at = SIZES.indexOf(cell);
      const next = SIZES[Math.max(0, Math.min(SIZES.length - 1, at + step))];
      if (next !== undefined && next !== cell) p.onZoom(next);
    },
    [cell, p.onZoom],
  );
  useZoomEvents(place, zoomBy);
  useKeptInView(map, chosen ?? pointed?.spot, place, scroller);
  const move = (e: React.PointerEvent): void => {
    const next = locate(e);
    if (next?.spot.block !== pointed?.spot.block || next?.spot.at !== pointed?.spot.at || next?.part !== pointed?.part) setPointed(next);
  };
  const press = (e: React.PointerEvent): void => {
    const at = locate(e);
    if (at === undefined || (e.pointerType === "mouse" && e.button !== 0)) return;
    const node = p.nodes[nodeAt(at.spot) ?? -1];
    if (e.pointerType === "mouse" && node !== undefined) p.onOpen(node);
    else {
      setChosen(at.spot);
      setPointed(at);
    }
  };
  const key = (e: React.KeyboardEvent): void => {
    if (e.metaKey || e.ctrlKey || e.altKey) return;
    const directions: Record<string, Direction> = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };
    const d = directions[e.key];
    const node = p.nodes[nodeAt(chosen) ?? -1];
    if (d !== undefined) setChosen(chosen === undefined ? { block: 0, at: 0 } : neighbour(map, chosen, d));
    else if (e.key === "Home") setChosen({ block: 0, at: 0 });
    else if (e.key === "End") setChosen({ block: map.blocks.length - 1, at: (map.blocks[map.blocks.length - 1]?.group.members.length ?? 1) - 1 });
    else if (e.key === "Enter" && node !== undefined) p.onOpen(node);
    else if (e.key === "Escape") setChosen(undefined);
    else if (e.key === "+" || e.key === "=") zoomBy(1);
    else if (e.key === "-") zoomBy(-1);
    else if (e.key === "0") p.onZoom(undefined);
    else return;
    e.preventDefault();
  };
  const shown = pointed ?? (chosen === undefined ? undefined : { spot: chosen, part: "" });
  const node = p.nodes[nodeAt(shown?.spot) ?? -1];
  useEffect(repaint);
  return (
    <div
      className="map" data-map data-cell={cell} ref={place} style={{ height: map.height }} tabIndex={0} role="application" aria-roledescription="map of nodes"
      aria-label="Map of nodes: arrow keys move, Enter opens a node, plus and minus change the size, 0 fits all" onKeyDown={key} onFocus={() => chosen === undefined && pointed === undefined && setChosen({ block: 0, at: 0 })} onBlur={() => setChosen(undefined)}
      onPointerMove={(e) => e.pointerType === "mouse" && move(e)} onPointerLeave={() => setPointed(undefined)} onPointerUp={press}
    >
      <canvas ref={canvas} style={{ height: view }} aria-hidden="true" />
      {node !== undefined && shown !== undefined && <Card node={node} use={p.use.get(node.ID)} part={shown.part} map={map} spot={shown.spot} open={pointed === undefined || chosen !== undefined} />}
      <span className="hidden" role="status">{chosen !== undefined && node !== undefined ? `${node.Name}, ${nodeState(node).text}, ${plural(p.use.get(node.ID)?.count ?? 0, "allocation")}` : ""}</span>
    </div>
  );
}

function partAt(map: Layout, spot: Spot, cell: Cell | undefined, x: number, y: number): string {
  if (cell === undefined) return "";
  const [left, top] = corner(map, spot);
  const found = partsIn(cell, { x: left, y: top, w: map.cell - 4, h: map.cell - 4 }).find(({ rect: r }) => x >= r.x && x < r.x + r.w && y >= r.y && y < r.y + r.h);
  return found?.part.id ?? "";
}

interface Scene {
  map: Layout;
  cells: Cell[];
  view: number;
  pointed: Pointed | undefined;
  chosen: Spot | undefined;
}

/** Draws at most once a frame, what is in view. */
function usePainter(place: React.RefObject<HTMLDivElement | null>, canvas: React.RefObject<HTMLCanvasElement | null>, scroller: HTMLElement | null, scene: Scene): () => void {
  const latest = useRef(scene);
  latest.current = scene;
  const colours = useRef<Palette>(undefined);
  const frame = useRef(0);
  const { theme } = useSettings();
  const paint = useCallback(() => {
    if (frame.current !== 0) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      const { map, cells, view, pointed, chosen } = latest.current;
      const c = canvas.current?.getContext("2d");
      if (!c || canvas.current === null || place.current === null || scroller === null) return;
      colours.current ??= palette(place.current);
      const ratio = devicePixelRatio;
      const [w, h] = [Math.round(map.width * ratio), Math.round(view * ratio)];
      if (canvas.current.width !== w || canvas.current.height !== h) [canvas.current.width, canvas.current.height] = [w, h];
      const hidden = scroller.getBoundingClientRect().top - place.current.getBoundingClientRect().top;
      const top = Math.max(0, Math.min(map.height - view, hidden));
      c.setTransform(ratio, 0, 0, ratio, 0, 0);
      performance.mark("map-begin");
      draw(c, { layout: map, cells, top, height: view, hover: pointed?.spot, part: pointed?.part ?? "", chosen }, colours.current);
      performance.measure("map-draw", "map-begin");
      performance.clearMarks("map-begin");
      if (performance.getEntriesByName("map-draw").length > 500) performance.clearMeasures("map-draw");
    });
  }, [place, canvas, scroller]);
  useEffect(() => {
    scroller?.addEventListener("scroll", paint, { passive: true });
    return () => {
      scroller?.removeEventListener("scroll", paint);
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, [scroller, paint]);
  useEffect(() => {
    const change = (): void => {
      colours.current = undefined;
      paint();
    };
    change();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", change);
    void document.fonts?.ready.then(change);
    return () => dark.removeEventListener("change", change);
  }, [theme, paint]);
  return paint;
}

/** How much room the map has: the width of its place, and what is left of the screen below the tools. */
function useRoom(place: React.RefObject<HTMLDivElement | null>, scroller: HTMLElement | null, set: (r: { width: number; height: number }) => void): void {
  useLayoutEffect(() => {
    const element = place.current;
    if (element === null || scroller === null) return;
    let last = "";
    const measure = (): void => {
      const width = Math.max(160, Math.floor(element.clientWidth));
      const height = Math.max(240, Math.floor(scroller.clientHeight - 8 - Math.min(300, element.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop)));
      const next = `${width} ${height}`;
      if (next !== last) set({ width, height });
      last = next;
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    observer.observe(scroller);
    return () => observer.disconnect();
  }, [place, scroller, set]);
}

/** Ctrl and the wheel, pinches, and the buttons of the tools change the size. */
function useZoomEvents(place: React.RefObject<HTMLDivElement | null>, zoomBy: (step: number) => void): void {
  useEffect(() => {
    const element = place.current;
    let gathered = 0;
    const wheel = (e: WheelEvent): void => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      gathered += e.deltaY;
      if (Math.abs(gathered) < 30) return;
      zoomBy(gathered < 0 ? 1 : -1);
      gathered = 0;
    };
    const by = (e: Event): void => zoomBy((e as CustomEvent<number>).detail);
    element?.addEventListener("wheel", wheel, { passive: false });
    element?.addEventListener("zoomby", by);
    return () => {
      element?.removeEventListener("wheel", wheel);
      element?.removeEventListener("zoomby", by);
    };
  }, [place, zoomBy]);
}

/** What was looked at stays in view when the size changes or the keyboard moves on. */
function useKeptInView(map: Layout, spot: Spot | undefined, place: React.RefObject<HTMLDivElement | null>, scroller: HTMLElement | null): void {
  const last = useRef({ cell: map.cell, spot });
  useLayoutEffect(() => {
    const zoomed = last.current.cell !== map.cell;
    const moved = spot !== undefined && (last.current.spot?.at !== spot.at || last.current.spot.block !== spot.block);
    const of = spot ?? (zoomed ? last.current.spot : undefined);
    last.current = { cell: map.cell, spot };
    if (of === undefined || map.blocks[of.block] === undefined || (!zoomed && !moved) || place.current === null || scroller === null) return;
    if (!zoomed && !place.current.matches(":focus-visible")) return; // the pointer needs no help
    const top = corner(map, of)[1] + place.current.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop;
    if (top < scroller.scrollTop + 20) scroller.scrollTop = top - 40;
    else if (top + map.cell > scroller.scrollTop + scroller.clientHeight - 20) scroller.scrollTop = top + map.cell - scroller.clientHeight + 40;
  }, [map, spot, place, scroller]);
}

function Card({ node: n, use, part, map, spot, open }: { node: NodeListStub; use: NodeUse | undefined; part: string; map: Layout; spot: Spot; open: boolean }) {
  const has = capacity(n);
  const given = use?.promised ?? none();
  const [x, y] = corner(map, spot);
  const right = x + map.cell + 300 < map.width;
  const a = use?.allocations.find((each) => each.ID === part);
  const style = { top: Math.max(0, Math.min(y, map.height - 200)), ...(right ? { left: x + map.cell + 6 } : { left: Math.max(0, x - 286) }) };
  return (
    <div className={open ? "map-card open" : "map-card"} style={style}>
      <div className="spread">
        <b className="cut"><Link {...nodeLink(n.ID)} tabIndex={-1}><Name>{n.Name}</Name></Link></b>
        <Badge state={nodeState(n)} />
      </div>
      <p className="dim cut"><Name>{[n.Datacenter, n.NodePool, n.NodeClass].filter((v) => v !== "").join(" · ")}</Name></p>
      <Meter name="CPU" part={given.cpu} whole={has.cpu} text={`${megahertz(given.cpu)} of ${megahertz(has.cpu)}`} />
      <Meter name="Memory" part={given.memory} whole={has.memory} text={`${mebibytes(given.memory)} of ${mebibytes(has.memory)}`} />
      {has.devices > 0 && <Meter name="Devices" part={given.devices} whole={has.devices} text={`${Number(given.devices.toFixed(2))} of ${has.devices}`} />}
      {a !== undefined ? (
        <p className="map-part cut"><Name>{a.JobID}</Name> <span className="dim"><Name>{a.TaskGroup}</Name> · {megahertz(a.CPU)} · {mebibytes(a.MemoryMB)}</span></p>
      ) : (
        <p className="dim">{plural(use?.count ?? 0, "allocation")}{jobsOf(use)}</p>
      )}
    </div>
  );
}

function jobsOf(use: NodeUse | undefined): string {
  const jobs = [...new Set((use?.allocations ?? []).map((a) => a.JobID))];
  if (jobs.length === 0) return "";
  return `: ${jobs.slice(0, 3).map((j) => (j.length > 30 ? `${j.slice(0, 30)}…` : j)).join(", ")}${jobs.length > 3 ? ` and ${jobs.length - 3} more` : ""}`;
}
