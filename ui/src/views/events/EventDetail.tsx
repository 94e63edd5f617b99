import { useEffect, useState } from "react";
import { Copy, IconButton, Skeleton } from "../../components/Basics";
import { Code } from "../../components/Code";
import { Icon } from "../../components/Icon";
import { download } from "../../lib/export";
import { bytes, visible } from "../../lib/format";
import { KeyLink } from "./Events";
import type { Line } from "./ring";

/** Longer texts in an event are cut where they are shown; the saved file has all of them. */
const MAX_TEXT = 4000;
const MAX_SHOWN = 1_000_000;

/** An event's JSON for people: indented, with very long texts cut, and marks that turn text around made visible. */
export function pretty(json: string): string {
  const cut = (_k: string, v: unknown): unknown => (typeof v === "string" ? visible(v, MAX_TEXT) : v);
  const text = JSON.stringify(JSON.parse(json), cut, 2);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}\n… (${bytes(text.length - MAX_SHOWN)} more: save it to see all)` : text;
}

/** One event with everything that it says. */
export function EventDetail({ line: l, read, onClose, onKey }: { line: Line; read: (seq: number) => Promise<string>; onClose: () => void; onKey: (key: string) => void }) {
  const [json, setJSON] = useState<string>();
  useEffect(() => {
    let gone = false;
    void read(l.seq).then((text) => !gone && setJSON(text));
    return () => {
      gone = true;
    };
  }, [l.seq]); // eslint-disable-line
  return (
    <aside className="event-detail" aria-label="Event">
      <header>
        <b className="cut">{visible(l.type, 80)}</b>
        <span className="mono cut"><KeyLink l={l} /></span>
        <Copy text={l.key} what="key" />
        <span className="grow" />
        <button type="button" className="button plain small" onClick={() => onKey(l.key)}>
          <Icon name="filter" />
          Only this
        </button>
        {json !== undefined && json !== "" && <IconButton icon="download" label={`Save as JSON (${bytes(json.length)})`} onClick={() => download(`serai-event-${l.index}.json`, json, "application/json")} />}
        <IconButton icon="close" label="Close" onClick={onClose} />
      </header>
      {json === undefined ? <Skeleton lines={8} /> : json === "" ? <p className="dim gone">This event is not kept any more.</p> : <div className="event-json" tabIndex={0} role="region" aria-label="JSON of the event"><Code text={pretty(json)} language="json" /></div>}
    </aside>
  );
}
