import type { Allocation, TaskEvent, TaskState } from "../../api/types.gen";
import { Empty, Facts, Panel, Time } from "../../components/Basics";
import { Badge, Name } from "../../components/Status";
import { mebibytes, megahertz, visible } from "../../lib/format";
import { taskState, type Tone } from "../../lib/status";

export function AllocationOverview({ a }: { a: Allocation }) {
  const tasks = tasksOf(a);
  return (
    <div className="alloc-columns">
      <div className="stack">
        {tasks.map((t) => (
          <Task key={t} a={a} name={t} />
        ))}
      </div>
      <div className="stack">
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

function Task({ a, name }: { a: Allocation; name: string }) {
  const state = a.TaskStates?.[name];
  const given = a.AllocatedResources?.Tasks?.[name];
  const task = (a.Job?.TaskGroups ?? []).find((g) => g.Name === a.TaskGroup)?.Tasks?.find((t) => t.Name === name);
  return (
    <Panel title={<span className="row wrap">Task <Name>{name}</Name> <Badge state={taskState(state)} boxed /></span>}>
      <div className="stack">
        <div className="row wrap dim task-facts">
          {task && <span>driver <Name>{task.Driver}</Name></span>}
          {given && <span>{megahertz(given.Cpu.CpuShares)}</span>}
          {given && <span>{mebibytes(given.Memory.MemoryMB)}</span>}
          {state && <span>{state.Restarts === 0 ? "never restarted" : `restarted ${state.Restarts} times`}</span>}
          {state && state.State === "running" && <span>up since <Time at={state.StartedAt} /></span>}
        </div>
        <Events state={state} />
      </div>
    </Panel>
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
