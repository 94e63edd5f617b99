import { useMemo } from "react";
import { Chart } from "../../components/chart/Chart";
import { bytes, megahertz } from "../../lib/format";
import type { Samples } from "./usage";

const cpuSeries = [{ label: "used", colour: "--busy-solid" }, { label: "promised", colour: "--fg-3", bound: true }];
const memorySeries = [{ label: "used", colour: "--note-solid" }, { label: "limit", colour: "--bad-solid", bound: true }];

/** CPU and memory of a task over time, against what it has been promised. */
export function TaskCharts({ samples, task, cpu, memory }: { samples: Samples; task: string; cpu: number; memory: number }) {
  const t = samples.tasks[task];
  const data = useMemo(() => {
    const flat = (v: number): number[] => samples.times.map(() => v);
    return { cpu: [samples.times, t?.cpu ?? [], flat(cpu)] as [number[], (number | null)[], number[]], memory: [samples.times, t?.memory ?? [], flat(memory)] as [number[], (number | null)[], number[]] };
  }, [samples, t, cpu, memory]);
  if (t === undefined) return null;
  return (
    <div className="columns">
      <Chart title="CPU" series={cpuSeries} data={data.cpu} format={megahertz} />
      <Chart title="Memory" series={memorySeries} data={data.memory} format={bytes} binary />
    </div>
  );
}
