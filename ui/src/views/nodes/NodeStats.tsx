import { useMemo } from "react";
import type { HostStats, Node } from "../../api/types.gen";
import { Panel, Skeleton } from "../../components/Basics";
import { Chart } from "../../components/chart/Chart";
import { Name } from "../../components/Status";
import { bytes, span } from "../../lib/format";
import { useStats } from "./stats";

const cpuSeries = [{ label: "used", colour: "--busy-solid" }];
const memorySeries = [{ label: "used", colour: "--note-solid" }, { label: "installed", colour: "--bad-solid", bound: true }];
const diskSeries = [{ label: "used", colour: "--ok-solid" }, { label: "size", colour: "--bad-solid", bound: true }];
const percentage = (n: number): string => `${Number(n.toFixed(n < 10 ? 1 : 0))} %`;

/** What the machine uses right now, all of it: allocations and everything else. */
export default function NodeStats({ n }: { n: Node }) {
  const ready = n.Status === "ready";
  const { samples: s, error } = useStats(n.ID, ready);
  const data = useMemo(() => {
    const flat = (v: number): number[] => s.times.map(() => v);
    return {
      cpu: [s.times, s.cpu] as [number[], number[]],
      memory: [s.times, s.memory, flat(s.totals.memory)] as [number[], number[], number[]],
      disk: [s.times, s.disk, flat(s.totals.disk)] as [number[], number[], number[]],
    };
  }, [s]);
  if (!ready && s.times.length === 0) return null;
  return (
    <Panel title="Use of the machine" {...(s.latest ? { count: <Uptime stats={s.latest} /> } : {})}>
      {s.times.length === 0 ? (
        error === "" ? <Skeleton lines={4} /> : <p className="dim">It cannot be measured: <Name>{error}</Name></p>
      ) : (
        <>
          <div className="stats">
            <Chart title="CPU" series={cpuSeries} data={data.cpu} format={percentage} />
            <Chart title="Memory" series={memorySeries} data={data.memory} format={bytes} />
            <Chart title="Disk of allocations" series={diskSeries} data={data.disk} format={bytes} />
          </div>
          {error !== "" && <p className="faint">The last measurement failed: <Name>{error}</Name></p>}
          {s.latest && <Disks stats={s.latest} />}
        </>
      )}
    </Panel>
  );
}

function Uptime({ stats }: { stats: HostStats }) {
  return <>up for {span(stats.Uptime * 1000)}</>;
}

function Disks({ stats }: { stats: HostStats }) {
  const disks = (stats.DiskStats ?? []).filter((d) => d.Size > 0);
  if (disks.length < 2) return null;
  return (
    <ul className="list-lines dim">
      {disks.slice(0, 20).map((d) => (
        <li key={`${d.Device}${d.Mountpoint}`}>
          <span className="mono"><Name>{d.Mountpoint}</Name></span>
          <span className="grow"><Name>{d.Device}</Name></span>
          <span className="num">{bytes(d.Used)} of {bytes(d.Size)}</span>
          {d.InodesUsedPercent > 80 && <span>{Math.round(d.InodesUsedPercent)} % of inodes</span>}
        </li>
      ))}
    </ul>
  );
}
