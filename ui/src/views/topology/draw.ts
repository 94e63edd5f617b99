// Draws the part of the map that is in view.
import type { State } from "../../lib/status";
import { HEAD, PAD, treemap, type Block, type Layout, type Rect, type Spot } from "./layout";

/** What is drawn of a node. */
export interface Cell {
  name: string;
  share: number | undefined; // of what is shown, 0 to 1; undefined: there is none
  state: State;
  faded: boolean; // it does not match what is searched
  parts: Part[]; // allocations, the largest first
}

export interface Part {
  id: string;
  job: string;
  share: number; // of the node
  lit: boolean; // it matches what is searched
}

export interface Palette {
  scale: string[]; // from nothing to everything
  empty: string;
  surface: string;
  line: string;
  strong: string;
  text: string;
  faint: string;
  accent: string;
  accentSoft: string;
  lit: string;
  tones: Record<string, string>;
  font: string;
}

export interface View {
  layout: Layout;
  cells: Cell[];
  top: number; // how far the map is scrolled
  height: number; // of what is in view
  hover: Spot | undefined;
  part: string; // ID of the allocation that is pointed at
  chosen: Spot | undefined;
}

/** From this size on, allocations are drawn inside of nodes; from the other, names are. */
export const WITH_PARTS = 28;
export const WITH_NAMES = 90;

export function draw(c: CanvasRenderingContext2D, v: View, p: Palette): void {
  c.clearRect(0, 0, v.layout.width, v.height);
  c.save();
  c.translate(0, -v.top);
  for (const b of v.layout.blocks) {
    if (b.y + b.height < v.top || b.y > v.top + v.height) continue;
    block(c, b, p);
    cells(c, v, b, p);
  }
  for (const [spot, width] of [[v.chosen, 2], [v.hover, 2]] as const) if (spot !== undefined) outline(c, v.layout, spot, width, p);
  c.restore();
}

function block(c: CanvasRenderingContext2D, b: Block, p: Palette): void {
  c.fillStyle = p.surface;
  c.strokeStyle = p.line;
  c.lineWidth = 1;
  c.beginPath();
  c.roundRect(b.x + 0.5, b.y + 0.5, b.width - 1, b.height - 1, 8);
  c.fill();
  c.stroke();
  c.textBaseline = "middle";
  c.font = `500 11px ${p.font}`;
  const count = String(b.group.members.length);
  const room = b.width - 2 * PAD - c.measureText(count).width - 8;
  c.fillStyle = p.text;
  c.fillText(cut(c, b.group.name === "" ? "none" : b.group.name, room), b.x + PAD, b.y + HEAD / 2 + 1);
  c.fillStyle = p.faint;
  c.textAlign = "right";
  c.fillText(count, b.x + b.width - PAD, b.y + HEAD / 2 + 1);
  c.textAlign = "left";
}

const cuts = new Map<string, string>();

/** Text that fits a width. */
function cut(c: CanvasRenderingContext2D, text: string, width: number): string {
  const key = `${c.font}|${Math.round(width)}|${text}`;
  const known = cuts.get(key);
  if (known !== undefined) return known;
  let shown = text.length > 120 ? text.slice(0, 120) : text;
  if (c.measureText(shown).width > width) {
    while (shown.length > 1 && c.measureText(`${shown}…`).width > width) shown = shown.slice(0, -1);
    shown += "…";
  }
  if (cuts.size > 20_000) cuts.clear();
  cuts.set(key, shown);
  return shown;
}

function cells(c: CanvasRenderingContext2D, v: View, b: Block, p: Palette): void {
  const { cell } = v.layout;
  const rows = Math.ceil(b.group.members.length / b.columns);
  const first = Math.max(0, Math.floor((v.top - b.y - HEAD) / cell));
  const last = Math.min(rows, Math.ceil((v.top + v.height - b.y - HEAD) / cell));
  const gap = cell >= WITH_PARTS ? 4 : cell >= 14 ? 2 : 1;
  for (let i = first * b.columns; i < Math.min(last * b.columns, b.group.members.length); i++) {
    const x = b.x + PAD + (i % b.columns) * cell;
    const y = b.y + HEAD + Math.floor(i / b.columns) * cell;
    const node = v.cells[b.group.members[i] as number];
    if (node === undefined) continue;
    c.globalAlpha = node.faded ? 0.18 : 1;
    if (cell < WITH_PARTS) small(c, node, { x, y, w: cell - gap, h: cell - gap }, p);
    else large(c, node, { x, y, w: cell - gap, h: cell - gap }, v.part, p);
  }
  c.globalAlpha = 1;
}

const well = (s: State): boolean => s.tone === "ok";

function small(c: CanvasRenderingContext2D, n: Cell, r: Rect, p: Palette): void {
  const gone = n.state.tone === "bad";
  c.fillStyle = gone ? (p.tones.bad as string) : n.share === undefined ? p.empty : (p.scale[Math.round(n.share * (p.scale.length - 1))] as string);
  c.fillRect(r.x, r.y, r.w, r.h);
  if (!well(n.state) && !gone) mark(c, r, p.tones[n.state.tone] as string);
}

/** A corner that says that something is the matter. */
function mark(c: CanvasRenderingContext2D, r: Rect, colour: string): void {
  const s = Math.max(4, Math.min(12, r.w * 0.6));
  c.fillStyle = colour;
  c.beginPath();
  c.moveTo(r.x + r.w - s, r.y);
  c.lineTo(r.x + r.w, r.y);
  c.lineTo(r.x + r.w, r.y + s);
  c.fill();
}

function large(c: CanvasRenderingContext2D, n: Cell, r: Rect, pointed: string, p: Palette): void {
  c.fillStyle = n.state.tone === "bad" ? (p.tones.badSoft as string) : p.empty;
  c.beginPath();
  c.roundRect(r.x, r.y, r.w, r.h, 3);
  c.fill();
  const named = r.w + 4 >= WITH_NAMES;
  for (const { part, rect } of partsIn(n, r)) {
    c.fillStyle = part.id === pointed ? p.accent : part.lit ? p.lit : (p.scale[Math.round((0.7 + 0.3 * Math.min(1, part.share * 2)) * (p.scale.length - 1))] as string);
    c.fillRect(rect.x, rect.y, Math.max(1, rect.w - 1), Math.max(1, rect.h - 1));
    if (rect.w > 46 && rect.h > 15) {
      c.font = `500 10px ${p.font}`;
      c.fillStyle = "#fff";
      c.fillText(cut(c, part.job, rect.w - 8), rect.x + 4, rect.y + Math.min(rect.h / 2, 9));
    }
  }
  if (named) {
    c.font = `500 11px ${p.font}`;
    c.fillStyle = p.text;
    c.fillText(cut(c, n.name, r.w - 12 - (well(n.state) ? 0 : 10)), r.x + 6, r.y + 10);
  }
  if (!well(n.state)) mark(c, r, p.tones[n.state.tone] as string);
}

/** Where the allocations of a node are in its cell: from its ground up, as far as they fill it. */
export function partsIn(n: Cell, r: Rect): { part: Part; rect: Rect }[] {
  const shown = n.parts.slice(0, 200);
  const sum = shown.reduce((s, a) => s + a.share, 0);
  if (sum <= 0) return [];
  const head = r.w + 4 >= WITH_NAMES ? 20 : 2;
  const room = r.h - head - 2;
  const h = Math.max(3, room * Math.min(1, sum));
  const rects = treemap(shown.map((a) => a.share), { x: r.x + 2, y: r.y + r.h - 2 - h, w: r.w - 4, h });
  return shown.map((part, i) => ({ part, rect: rects[i] as Rect }));
}

function outline(c: CanvasRenderingContext2D, l: Layout, s: Spot, width: number, p: Palette): void {
  const b = l.blocks[s.block];
  if (b === undefined) return;
  const gap = l.cell >= WITH_PARTS ? 4 : l.cell >= 14 ? 2 : 1;
  const x = b.x + PAD + (s.at % b.columns) * l.cell;
  const y = b.y + HEAD + Math.floor(s.at / b.columns) * l.cell;
  c.strokeStyle = p.strong;
  c.lineWidth = width;
  c.strokeRect(x - 1, y - 1, l.cell - gap + 2, l.cell - gap + 2);
}

/** The colours of the style sheet, as a canvas takes them. */
export function palette(place: HTMLElement): Palette {
  const probe = document.createElement("i");
  place.append(probe);
  const of = (value: string): string => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const v = (name: string): string => of(`var(${name})`);
  const scale = Array.from({ length: 21 }, (_, i) => (i === 0 ? v("--off-soft") : of(`color-mix(in oklab, var(--accent-solid) ${Math.round(12 + (i / 20) * 88)}%, var(--surface))`)));
  const p: Palette = {
    scale, empty: v("--off-soft"), surface: v("--surface"), line: v("--line"), strong: v("--fg"), text: v("--fg"), faint: v("--fg-3"), accent: v("--warn-solid"), accentSoft: v("--accent-soft"), lit: v("--ok-solid"),
    tones: { ok: v("--ok-solid"), busy: v("--busy-solid"), warn: v("--warn-solid"), bad: v("--bad-solid"), badSoft: v("--bad-soft"), note: v("--note-solid"), off: v("--off-solid") },
    font: getComputedStyle(document.body).fontFamily,
  };
  probe.remove();
  return p;
}
