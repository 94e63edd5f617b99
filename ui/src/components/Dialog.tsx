import * as Radix from "@radix-ui/react-dialog";
import { useState, type ReactNode } from "react";
import { explain } from "../api/query";
import { Callout } from "./Basics";

export function Dialog({ title, open, onClose, children, footer, wide, className = "" }: { title: string; open: boolean; onClose: () => void; children: ReactNode; footer?: ReactNode; wide?: boolean; className?: string }) {
  return (
    <Radix.Root open={open} onOpenChange={(o) => !o && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="overlay" />
        <Radix.Content className={`dialog ${wide ? "wide" : ""} ${className}`} aria-describedby={undefined}>
          <header>
            <Radix.Title asChild>
              <h2>{title}</h2>
            </Radix.Title>
          </header>
          <div className="body">{children}</div>
          {footer !== undefined && <footer>{footer}</footer>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/**
 * Asks before something that cannot be taken back, or that many would notice.
 * children say what will happen; where typed is given, it must be written first.
 */
export function Confirm({ title, act, label, danger, typed, children, onClose }: { title: string; act: () => Promise<unknown>; label: string; danger?: boolean; typed?: string; children: ReactNode; onClose: () => void }) {
  const [text, setText] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const ready = typed === undefined || text === typed;
  const go = async (): Promise<void> => {
    if (!ready || busy) return;
    setBusy(true);
    setError(undefined);
    try {
      await act();
      onClose();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={title}
      open
      onClose={onClose}
      footer={
        <>
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="button" className={`button primary${danger ? " danger" : ""}`} disabled={!ready || busy} onClick={() => void go()}>
            {busy ? "Working…" : label}
          </button>
        </>
      }
    >
      {children}
      {typed !== undefined && (
        <label className="label">
          <span>
            To go on, type <code className="break">{typed}</code>
          </span>
          <input className="field mono" value={text} autoFocus onChange={(e) => setText(e.target.value)} onKeyDown={(e) => e.key === "Enter" && void go()} />
        </label>
      )}
      {error !== undefined && <Callout tone="bad">{explain(error)}</Callout>}
    </Dialog>
  );
}
