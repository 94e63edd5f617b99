import { useEffect, useRef } from "react";
import { useSettings } from "../../api/settings";
import type { Plot, Series } from "./plot";
import "./chart.css";

export type { Series } from "./plot";

/** Lines over time. data[0] are Unix seconds; the others are the series' values. */
export function Chart({ title, series, data, format, binary = false }: { binary?: boolean; title: string; series: Series[]; data: [number[], ...(number | null)[][]]; format: (n: number) => string }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot>(undefined);
  const { theme } = useSettings();
  const latest = useRef(data);
  latest.current = data;
  const key = JSON.stringify([series, theme]);
  useEffect(() => {
    let gone = false;
    void import("./plot").then(({ mountPlot }) => {
      if (gone || place.current === null) return;
      plot.current = mountPlot(place.current, series, format, binary);
      plot.current.set(latest.current);
    });
    return () => {
      gone = true;
      plot.current?.dispose();
      plot.current = undefined;
    };
  }, [key]); // eslint-disable-line
  useEffect(() => plot.current?.set(data), [data]);
  return (
    <figure className="chart">
      <figcaption>{title}</figcaption>
      <div ref={place} className="chart-place" role="img" aria-label={title} />
    </figure>
  );
}
