// uPlot, loaded when there is something to draw.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Series {
  label: string;
  /** A variable of the style sheet: "--busy-solid". */
  colour: string;
  /** A line that is a bound: dashed, not filled. */
  bound?: boolean;
}

export interface Plot {
  set(data: [number[], ...(number | null)[][]]): void;
  dispose(): void;
}

const variable = (name: string, of: Element): string => {
  // light-dark() is resolved only where it is used.
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  of.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
};

/** At least so many seconds are shown. */
const LEAST = 60;

/** The times that a chart spans. Before there is a sample, that is the last minute. */
function spanOf(u: uPlot, min: number | null, max: number | null): [number, number] {
  const times = u.data[0] ?? [];
  const end = (times.length < 2 ? times[0] : max) ?? Date.now() / 1000; // of one sample, uPlot makes a day
  return [Math.min(min ?? end, end - LEAST), end];
}

/** While nothing is pointed at, the legend has the newest values. */
function newest(u: uPlot): void {
  const last = (u.data[0]?.length ?? 0) - 1;
  if (last >= 0 && (u.cursor.left ?? -1) < 0) u.setLegend({ idx: last }, false);
}

/** binary marks values that count bytes: their grid is of powers of two. */
export function mountPlot(place: HTMLElement, series: Series[], format: (n: number) => string, binary: boolean): Plot {
  const line = variable("--line", place);
  const text = variable("--fg-3", place);
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const plot = new uPlot(
    {
      width: place.clientWidth || 400,
      height: 150,
      cursor: { y: false, points: { size: 6 } },
      legend: { show: true, live: true },
      hooks: { setCursor: [newest] },
      padding: [8, 8, 0, 0],
      scales: { x: { time: true, range: spanOf }, y: { range: (_u, _min, max) => [0, Math.max(max * 1.08, 1e-9)] } },
      axes: [
        { stroke: text, font, grid: { show: false }, ticks: { show: false }, size: 24, values: (_u, ts) => ts.map((t) => new Date(t * 1000).toLocaleTimeString("en-GB")), space: 80 },
        { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 64, values: (_u, vs) => vs.map(format), space: 34, ...(binary ? { incrs: Array.from({ length: 50 }, (_, i) => 2 ** i) } : {}) },
      ],
      series: [
        { value: (_u, t) => (t === null ? "" : new Date(t * 1000).toLocaleTimeString("en-GB")) },
        ...series.map((s): uPlot.Series => {
          const stroke = variable(s.colour, place);
          return {
            label: s.label, stroke, width: s.bound ? 1 : 1.5, points: { show: (u) => (u.data[0]?.length ?? 0) < 2, size: 5 }, // one sample is no line
            ...(s.bound ? { dash: [4, 4] } : { fill: stroke.replace(/^rgb\((.*)\)$/, "rgba($1, 0.12)") }),
            value: (_u, v) => (v === null || v === undefined ? "–" : format(v)),
          };
        }),
      ],
    },
    [[], ...series.map(() => [])] as unknown as uPlot.AlignedData,
    place,
  );
  const observer = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 150 }));
  observer.observe(place);
  return {
    set: (data) => {
      plot.setData(data as uPlot.AlignedData);
      newest(plot);
    },
    dispose: () => {
      observer.disconnect();
      plot.destroy();
    },
  };
}
