import type { Node, NodeEvent } from "../../api/types.gen";
import { Empty, Panel, Time } from "../../components/Basics";
import { visible } from "../../lib/format";
import type { Tone } from "../../lib/status";
import "../alloc/alloc.css";

const toneOf = (e: NodeEvent): Tone => {
  if (/unhealthy|missed|down|lost|fail/i.test(e.Message)) return "bad";
  if (/drain|ineligible|disconnect/i.test(e.Message)) return "warn";
  return /regist|healthy|eligible|ready/i.test(e.Message) ? "ok" : "off";
};

/** What has happened to the node, the latest first. */
export function NodeEvents({ n }: { n: Node }) {
  const events = (n.Events ?? []).toReversed();
  return (
    <Panel>
      {events.length === 0 ? (
        <Empty icon="events" title="Nothing has happened to it yet" />
      ) : (
        <ol className="timeline">
          {events.map((e, i) => (
            <li key={i} className={`tone-${toneOf(e)}`}>
              <i className="knot" aria-hidden="true" />
              <span className="what">{visible(e.Subsystem, 60)}</span>
              <span className="grow break dim">
                {visible(e.Message, 1500)}
                {Object.entries(e.Details ?? {}).map(([k, v]) => (
                  <span key={k} className="faint"> {visible(k, 60)}: {visible(v, 300)}</span>
                ))}
              </span>
              <span className="dim"><Time at={e.Timestamp} /></span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}
