import { useEffect, useRef, useState, type Ref } from "react";
import { useImperativeHandle } from "react";
import type { Editor, Fault, Language } from "./code/editor";
import "./code/code.css";

/** Text to read: coloured, folded, searched with Ctrl-F. */
export function Code({ text, language }: { text: string; language: Language }) {
  return <CodeEditor text={text} language={language} label="Source" readOnly />;
}

export interface CodeHandle {
  get(): string;
  set(text: string): void;
  focus(): void;
}

/** An editor. text is what it begins with; later changes of it are not taken over. */
export function CodeEditor({ text, language, label, readOnly = false, faults, onChange, onSubmit, ref }: { text: string; language: Language; label: string; readOnly?: boolean; faults?: Fault[]; onChange?: (t: string) => void; onSubmit?: () => void; ref?: Ref<CodeHandle> }) {
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor>(undefined);
  const calls = useRef({ onChange, onSubmit });
  calls.current = { onChange, onSubmit };
  const first = useRef(text);
  const [state, setState] = useState<"loading" | "ready" | "failed">("loading");
  useEffect(() => {
    let gone = false;
    import("./code/editor").then(
      ({ mountEditor }) => {
        if (gone || place.current === null) return;
        editor.current = mountEditor(place.current, { text: first.current, language, label, readOnly, onChange: (t) => calls.current.onChange?.(t), onSubmit: () => calls.current.onSubmit?.() });
        setState("ready");
      },
      () => setState("failed"),
    );
    return () => {
      gone = true;
      editor.current?.destroy();
      editor.current = undefined;
    };
  }, [language, label, readOnly]);
  useEffect(() => {
    if (readOnly && editor.current !== undefined && editor.current.get() !== text) editor.current.set(text);
    first.current = text;
  }, [text, readOnly]);
  useEffect(() => {
    if (state === "ready") editor.current?.faults(faults ?? []);
  }, [faults, state]);
  useImperativeHandle(ref, () => ({ get: () => editor.current?.get() ?? first.current, set: (t) => editor.current?.set(t), focus: () => editor.current?.focus() }));
  return (
    <div className={readOnly ? "code" : "code editing"}>
      <div ref={place} />
      {state !== "ready" && <pre className="code-plain">{text.slice(0, 20_000)}</pre>}
      {state === "failed" && <p className="faint code-plain">The editor could not be loaded: reload the page.</p>}
    </div>
  );
}
