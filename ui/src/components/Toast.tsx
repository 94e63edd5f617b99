// What an action has done, told in the corner for a while.
import { useEffect, useSyncExternalStore } from "react";
import type { Tone } from "../lib/status";
import { Icon } from "./Icon";
import { Glyph } from "./Status";

interface Message {
  id: number;
  text: string;
  tone: Tone;
}

let messages: Message[] = [];
let last = 0;
const listeners = new Set<() => void>();

function change(next: Message[]): void {
  messages = next;
  for (const l of listeners) l();
}

/** Shows a message. Those of tone bad stay until they are closed. */
export function toast(text: string, tone: Tone = "ok"): void {
  change([...messages.slice(-4), { id: ++last, text, tone }]);
}

const subscribe = (l: () => void): (() => void) => {
  listeners.add(l);
  return () => listeners.delete(l);
};

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => messages);
  return (
    <div className="toasts" role="log" aria-live="polite" aria-label="Messages">
      {shown.map((m) => (
        <Toast key={m.id} message={m} />
      ))}
    </div>
  );
}

function Toast({ message }: { message: Message }) {
  const close = (): void => change(messages.filter((m) => m.id !== message.id));
  useEffect(() => {
    if (message.tone === "bad") return;
    const timer = setTimeout(() => change(messages.filter((m) => m.id !== message.id)), 5000);
    return () => clearTimeout(timer);
  }, [message]);
  return (
    <div className={`toast tone-${message.tone}`}>
      <Glyph tone={message.tone} />
      <div className="grow">{message.text}</div>
      <button type="button" className="button plain small icon" aria-label="Close message" onClick={close}>
        <Icon name="close" />
      </button>
    </div>
  );
}
