// Where nodes are on the map: groups as blocks, placed in rows, with cells in them.
// Nothing is kept for a cell: its place follows from its number.

export interface Group {
  name: string;
  members: number[]; // numbers of nodes
}

export interface Block {
  group: Group;
  x: number;
  y: number;
  width: number;
  height: number;
  columns: number;
}

export interface Layout {
  blocks: Block[];
  cell: number;
  height: number;
  width: number;
}

export interface Spot {
  block: number;
  at: number; // place in the block
}

export const PAD = 10;
export const HEAD = 28;
const GAP = 14;
const LEAST_WIDTH = 112;

/** Sizes of cells, from a map of thousands to one that shows what runs. */
export const SIZES = [7, 10, 14, 20, 28, 40, 60, 90, 130, 190];

const natural = new Intl.Collator("en", { numeric: true });

/** Nodes by the name of their group, in natural order. Those without one come last. */
export function grouped<T>(nodes: T[], by: (n: T) => string): Group[] {
  const groups = new Map<string, number[]>();
  nodes.forEach((n, i) => {
    const name = by(n);
    const members = groups.get(name);
    if (members === undefined) groups.set(name, [i]);
    else members.push(i);
  });
  return [...groups].map(([name, members]) => ({ name, members })).sort((a, b) => Number(a.name === "") - Number(b.name === "") || natural.compare(a.name, b.name));
}

/** Places groups in rows on a map of a width. */
export function layout(groups: Group[], width: number, cell: number): Layout {
  const blocks: Block[] = [];
  const most = Math.max(1, Math.floor((width - 2 * PAD) / cell));
  let x = 0;
  let y = 0;
  let row = 0;
  for (const group of groups) {
    const n = group.members.length;
    const wanted = groups.length === 1 ? most : Math.ceil(Math.sqrt(n * 1.8));
    const room = Math.max(1, Math.min(most, n, Math.max(wanted, Math.floor((LEAST_WIDTH - 2 * PAD) / cell))));
    const columns = groups.length === 1 ? room : Math.ceil(n / Math.ceil(n / room)); // rows of one length
    const w = Math.min(width, Math.max(LEAST_WIDTH, columns * cell + 2 * PAD));
    const h = HEAD + Math.ceil(n / columns) * cell + PAD;
    if (x > 0 && x + w > width) {
      x = 0;
      y += row + GAP;
      row = 0;
    }
    blocks.push({ group, x, y, width: w, height: h, columns });
    x += w + GAP;
    row = Math.max(row, h);
  }
  return { blocks, cell, height: y + row, width };
}

/** The size of cell with which everything is in view, or the smallest. */
export function fitting(groups: Group[], width: number, height: number, most = 190): number {
  for (const cell of SIZES.toReversed()) if (cell <= most && layout(groups, width, cell).height <= height) return cell;
  return SIZES[0] as number;
}

/** The left upper corner of a cell. */
export function corner(l: Layout, s: Spot): [x: number, y: number] {
  const b = l.blocks[s.block] as Block;
  return [b.x + PAD + (s.at % b.columns) * l.cell, b.y + HEAD + Math.floor(s.at / b.columns) * l.cell];
}

/** The cell at a point. */
export function hit(l: Layout, x: number, y: number): Spot | undefined {
  for (let i = 0; i < l.blocks.length; i++) {
    const b = l.blocks[i] as Block;
    if (x < b.x || x >= b.x + b.width || y < b.y || y >= b.y + b.height) continue;
    const column = Math.floor((x - b.x - PAD) / l.cell);
    const row = Math.floor((y - b.y - HEAD) / l.cell);
    const at = row * b.columns + column;
    return column >= 0 && column < b.columns && row >= 0 && at < b.group.members.length ? { block: i, at } : undefined;
  }
  return undefined;
}

export type Direction = "left" | "right" | "up" | "down";

/** The next cell in a direction: along the row of cells, or the nearest one above or below. */
export function neighbour(l: Layout, s: Spot, d: Direction): Spot {
  if (d === "left" || d === "right") return along(l, s, d === "left" ? -1 : 1);
  const [x, y] = corner(l, s);
  const step = d === "up" ? -1 : 1;
  const half = l.cell / 2;
  for (let probe = y + half + step * l.cell; probe > 0 && probe < l.height; probe += step * half) {
    const found = nearest(l, x + half, probe);
    if (found !== undefined) return found;
  }
  return s;
}

function along(l: Layout, s: Spot, step: number): Spot {
  const at = s.at + step;
  const members = l.blocks[s.block]?.group.members.length ?? 0;
  if (at >= 0 && at < members) return { block: s.block, at };
  const block = l.blocks[s.block + step];
  return block === undefined ? s : { block: s.block + step, at: step > 0 ? 0 : block.group.members.length - 1 };
}

/** The cell of a row that is nearest to a point of it. */
function nearest(l: Layout, x: number, y: number): Spot | undefined {
  let best: { spot: Spot; distance: number } | undefined;
  for (let i = 0; i < l.blocks.length; i++) {
    const b = l.blocks[i] as Block;
    const row = Math.floor((y - b.y - HEAD) / l.cell);
    const first = row * b.columns;
    const n = Math.min(b.columns, b.group.members.length - first);
    if (row < 0 || n <= 0 || y >= b.y + b.height) continue;
    const column = Math.max(0, Math.min(n - 1, Math.floor((x - b.x - PAD) / l.cell)));
    const distance = Math.abs(b.x + PAD + (column + 0.5) * l.cell - x);
    if (best === undefined || distance < best.distance) best = { spot: { block: i, at: first + column }, distance };
  }
  return best?.spot;
}

export interface Rect {
  x: number;
  y: number;
  w: number;
  h: number;
}

/**
 * Fills a rectangle with parts, each with the area of its share, as square as can
 * be (squarified treemap: Bruls, Huizing, van Wijk, 2000). Parts should be sorted,
 * the largest first; those of nothing get no area.
 */
export function treemap(values: number[], into: Rect): Rect[] {
  const total = values.reduce((s, v) => s + v, 0);
  const out: Rect[] = [];
  if (total <= 0) return values.map(() => ({ x: into.x, y: into.y, w: 0, h: 0 }));
  const scale = (into.w * into.h) / total;
  let { x, y, w, h } = into;
  let row: number[] = [];
  const worst = (r: number[], side: number): number => {
    const s = r.reduce((sum, v) => sum + v, 0);
    return Math.max(...r.map((v) => Math.max((side * side * v) / (s * s), (s * s) / (side * side * v))));
  };
  const place = (): void => {
    const s = row.reduce((sum, v) => sum + v, 0);
    const wide = w >= h;
    const depth = s / (wide ? h : w);
    let along = 0;
    for (const v of row) {
      const length = depth > 0 ? v / depth : 0;
      out.push(wide ? { x, y: y + along, w: depth, h: length } : { x: x + along, y, w: length, h: depth });
      along += length;
    }
    if (wide) {
      x += depth;
      w -= depth;
    } else {
      y += depth;
      h -= depth;
    }
    row = [];
  };
  for (const v of values) {
    const area = Math.max(v * scale, 1e-9);
    const side = Math.min(w, h);
    if (row.length > 0 && worst([...row, area], side) > worst(row, side)) place();
    row.push(area);
  }
  if (row.length > 0) place();
  return out;
}
