import { useEffect, useRef, useState } from "react";
import { Badge } from "../Status";
import type { State } from "../../lib/status";
import { Session } from "./session";
import type { Terminal } from "./terminal";
import "./terminal.css";

type Phase = { kind: "asking" } | { kind: "opening" } | { kind: "open" } | { kind: "ended"; text: string };

/** A shell, or another command, in a task. */
export function TerminalView({ alloc, task }: { alloc: string; task: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [command, setCommand] = useState("/bin/sh");
  const [phase, setPhase] = useState<Phase>({ kind: "asking" });
  const [turn, setTurn] = useState(0);
  const [failed, setFailed] = useState(false);
  useEffect(() => setPhase({ kind: "asking" }), [alloc, task]);
  useEffect(() => {
    if (turn === 0 || place.current === null) return;
    let session: Session | undefined;
    let terminal: Terminal | undefined;
    let gone = false;
    const where = place.current;
    import("./terminal").then(
      ({ mountTerminal }) => {
        if (gone) return;
        where.replaceChildren();
        const text = new TextEncoder();
        const resize = (): void => {
          const s = terminal?.size();
          if (s) session?.resize(s.width, s.height);
        };
        terminal = mountTerminal(where, { data: (t) => session?.input(text.encode(t)), binary: (t) => session?.input(Uint8Array.from(t, (c) => c.charCodeAt(0))), size: resize });
        session = new Session(alloc, task, words(command), {
          output: (d) => terminal?.write(d),
          opened: () => {
            setPhase({ kind: "open" });
            resize();
            terminal?.focus();
          },
          ended: (code, why) => {
            const told = code === undefined ? why : `The command has ended with exit code ${code}.`;
            terminal?.write(`\r\n\u001b[2m${told.replace(/[\u0000-\u001f\u007f-\u009f]/g, "")}\u001b[0m\r\n`);
            setPhase({ kind: "ended", text: told });
          },
        });
      },
      () => setFailed(true),
    );
    return () => {
      gone = true;
      session?.close();
      terminal?.dispose();
    };
  }, [turn, alloc, task]); // eslint-disable-line
  const begin = (): void => {
    setPhase({ kind: "opening" });
    setTurn((n) => n + 1);
  };
  const states: Record<Phase["kind"], State> = { asking: { tone: "off", text: "not open" }, opening: { tone: "busy", text: "opening" }, open: { tone: "ok", text: "open" }, ended: { tone: "off", text: "ended" } };
  return (
    <div className="terminal">
      <form className="log-tools" onSubmit={(e) => { e.preventDefault(); begin(); }}>
        <label className="row grow">
          <span className="dim">Command</span>
          <input className="field mono terminal-command" value={command} maxLength={4000} spellCheck={false} onChange={(e) => setCommand(e.target.value)} />
        </label>
        <Badge state={states[phase.kind]} />
        <button type="submit" className="button small primary" disabled={command.trim() === "" || phase.kind === "opening"}>
          {phase.kind === "asking" ? "Open" : "Open anew"}
        </button>
      </form>
      {failed && <p className="log-empty">The terminal could not be loaded: reload the page.</p>}
      <div className="terminal-place" ref={place} aria-label={`Terminal in task ${task}`}>
        {turn === 0 && <p className="faint log-empty">Runs the command inside the task, with its user, its files and its network.</p>}
      </div>
    </div>
  );
}

/** The words of a command, as a shell would split them; quotes keep blanks. */
export function words(command: string): string[] {
  return [...command.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S+)/g)].map((m) => m[1]?.replace(/\\(.)/g, "$1") ?? m[2] ?? m[3] ?? "");
}
