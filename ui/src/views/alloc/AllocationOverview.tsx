import { Link } from "@tanstack/react-router";
import { call } from "../../api/client";
import { useMay } from "../../api/may";
import { useAct } from "../../api/query";
import type { Allocation, TaskEvent, TaskState } from "../../api/types.gen";
import { Callout, Empty, Facts, Panel, Time } from "../../components/Basics";
import { Icon } from "../../components/Icon";
import { allocationLink } from "../../components/Links";
import { Menu } from "../../components/Menu";
import { Badge, Name } from "../../components/Status";
import { mebibytes, megahertz, plural, visible } from "../../lib/format";
import { taskState, type Tone } from "../../lib/status";
import { TaskCharts } from "./TaskCharts";
import { useUsage, type Samples } from "./usage";

export function AllocationOverview({ a }: { a: Allocation }) {
  const tasks = tasksOf(a);
  const { samples, error } = useUsage(a.ID, a.ClientStatus === "running");
  return (
    <div className="alloc-columns">
      <div className="stack">
        {tasks.map((t) => (
          <Task key={t} a={a} name={t} samples={samples} />
        ))}
      </div>
      <div className="stack">
        {error !== "" && <Callout tone="off">Its use of resources cannot be told: {error}</Callout>}
        <Ports a={a} />
        <Placement a={a} />
      </div>
    </div>
  );
}

/** The tasks of an allocation, in the order of the job. */
export function tasksOf(a: Allocation): string[] {
  const group = (a.Job?.TaskGroups ?? []).find((g) => g.Name === a.TaskGroup);
  const named = (group?.Tasks ?? []).map((t) => t.Name);
  return [...named, ...Object.keys(a.TaskStates ?? {}).filter((t) => !named.includes(t))];
}

function Task({ a, name, samples }: { a: Allocation; name: string; samples: Samples }) {
  const may = useMay();
  const where = { namespace: a.Namespace };
  const state = a.TaskStates?.[name];
  const given = a.AllocatedResources?.Tasks?.[name];
  const task = (a.Job?.TaskGroups ?? []).find((g) => g.Name === a.TaskGroup)?.Tasks?.find((t) => t.Name === name);
  return (
    <Panel
      title={<span className="row wrap">Task <Name>{name}</Name> <Badge state={taskState(state)} boxed /></span>}
      actions={
        <span className="row">
          {may("FS.Logs", where) && <Link {...allocationLink(a.ID, { tab: "logs", task: name })} className="button plain small"><Icon name="logs" />Logs</Link>}
          {state?.State === "running" && may("Alloc.Exec", where) && <Link {...allocationLink(a.ID, { tab: "terminal", task: name })} className="button plain small"><Icon name="terminal" />Terminal</Link>}
          {may("FS.List", where) && <Link {...allocationLink(a.ID, { tab: "files", path: `/${name}` })} className="button plain small"><Icon name="folder" />Files</Link>}
          {state?.State === "running" && may("Alloc.Signal", where) && <TaskMenu a={a} name={name} suspended={state.Suspended === true} />}
        </span>
      }
    >
      <div className="stack">
        <div className="row wrap dim task-facts">
          {task && <span>driver <Name>{task.Driver}</Name></span>}
          {given && <span>{megahertz(given.Cpu.CpuShares)}</span>}
          {given && <span>{mebibytes(given.Memory.MemoryMB)}</span>}
          {state && <span>{state.Restarts === 0 ? "never restarted" : state.Restarts === 1 ? "restarted once" : `restarted ${plural(state.Restarts, "time")}`}</span>}
          {state && state.State === "running" && <span>up since <Time at={state.StartedAt} /></span>}
        </div>
        {given && <TaskCharts samples={samples} task={name} cpu={given.Cpu.CpuShares} memory={(given.Memory.MemoryMaxMB > given.Memory.MemoryMB ? given.Memory.MemoryMaxMB : given.Memory.MemoryMB) * 1024 * 1024} />}
        <Events state={state} />
      </div>
    </Panel>
  );
}

function TaskMenu({ a, name, suspended }: { a: Allocation; name: string; suspended: boolean }) {
  const restart = useAct(() => call("Alloc.Restart", { id: a.ID }, { TaskName: name, AllTasks: false }), () => `Task ${name} is restarted.`);
  const signal = useAct((s: string) => call("Alloc.Signal", { id: a.ID }, { Task: name, Signal: s }), (_, s) => `Task ${name} has got ${s}.`);
  const suspend = useAct(() => call(suspended ? "Alloc.Resume" : "Alloc.Suspend", { id: a.ID }, { Task: name }), () => (suspended ? `Task ${name} goes on.` : `Task ${name} is suspended.`));
  return (
    <Menu
      entries={[
        { label: "Restart", icon: "restart", act: () => restart.mutate() },
        { label: suspended ? "Resume" : "Suspend", icon: suspended ? "play" : "pause", act: () => suspend.mutate() },
        "line",
        { caption: "Send a signal" },
        ...["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGTERM"].map((s) => ({ label: s, act: () => signal.mutate(s) })),
      ]}
    >
      <button type="button" className="button plain small icon" aria-label={`More for task ${visible(name, 60)}`}>
        <Icon name="more" />
      </button>
    </Menu>
  );
}

const toneOf = (e: TaskEvent): Tone => {
  if (e.FailsTask || /fail|unhealthy|exceeded/i.test(e.Type)) return "bad";
  if (e.Type === "Terminated") return e.ExitCode === 0 && e.Signal === 0 ? "off" : "bad";
  if (/kill|restart|stop/i.test(e.Type)) return "warn";
  return e.Type === "Started" || e.Type === "Running" ? "ok" : "off";
};

/** What happened to a task, the latest first. */
function Events({ state }: { state: TaskState | undefined }) {
  const events = (state?.Events ?? []).toReversed();
  if (events.length === 0) return <Empty icon="events" title="Nothing has happened to it yet" />;
  return (
    <ol className="timeline">
      {events.map((e, i) => (
        <li key={`${e.Time}-${i}`} className={`tone-${toneOf(e)}`}>
          <i className="knot" aria-hidden="true" />
          <span className="what">{visible(e.Type, 60)}</span>
          <span className="grow break dim">{visible(e.DisplayMessage || e.Message, 1500)}</span>
          <span className="dim"><Time at={e.Time} /></span>
        </li>
      ))}
    </ol>
  );
}

function Ports({ a }: { a: Allocation }) {
  const ports = a.AllocatedResources?.Shared.Ports ?? [];
  if (ports.length === 0) return null;
  return (
    <Panel title="Ports">
      <Facts>
        {ports.map((p): [string, React.ReactNode] => [
          visible(p.Label, 60),
          <a key={p.Label} className="link mono" href={`http://${host(p.HostIP)}:${p.Value}/`} target="_blank" rel="noopener noreferrer">
            {p.HostIP}:{p.Value}
            {p.To > 0 && p.To !== p.Value ? ` → ${p.To}` : ""}
          </a>,
        ])}
      </Facts>
    </Panel>
  );
}

/** An address for a link: IPv6 goes into brackets. */
const host = (ip: string): string => (ip.includes(":") ? `[${ip}]` : ip);

function Placement({ a }: { a: Allocation }) {
  return (
    <Panel title="Placement">
      <Facts>
        {[
          ["Group", <Name key="g">{a.TaskGroup}</Name>],
          ["Disk", mebibytes(a.AllocatedResources?.Shared.DiskMB)],
          ["Address", <Name key="a">{a.NetworkStatus?.Address || "the host’s"}</Name>],
          ["Wanted", a.DesiredStatus],
          ["Health", a.DeploymentStatus === null ? "–" : a.DeploymentStatus.Healthy === null ? "not known yet" : a.DeploymentStatus.Healthy ? "healthy" : "unhealthy"],
          ["Changed", <Time key="c" at={a.ModifyTime} />],
        ]}
      </Facts>
    </Panel>
  );
}
