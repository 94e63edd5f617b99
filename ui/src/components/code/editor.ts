// The editor, loaded when there is something to edit or to read in it.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { HighlightStyle, bracketMatching, foldGutter, foldKeymap, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, lintKeymap, setDiagnostics, type Diagnostic } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, drawSelection, highlightActiveLine, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { tags as t } from "@lezer/highlight";
import { nonce } from "../../app/page";
import { hcl } from "./hcl";

export type Language = "hcl" | "json" | "text";

/** A fault at a line (from 1) and column (from 1). */
export interface Fault {
  line: number;
  column: number;
  text: string;
}

export interface EditorOptions {
  text: string;
  language: Language;
  label: string;
  readOnly: boolean;
  onChange?: (text: string) => void;
  onSubmit?: () => void;
}

export interface Editor {
  get(): string;
  set(text: string): void;
  faults(list: Fault[]): void;
  focus(): void;
  destroy(): void;
}

/** Longer texts are shown without colours, so that typing stays quick. */
const MAX_COLOURED = 2 << 20;

const colours = HighlightStyle.define([
  { tag: t.comment, color: "var(--fg-3)" },
  { tag: t.string, color: "var(--ok)" },
  { tag: [t.number, t.bool, t.null, t.atom], color: "var(--busy)" },
  { tag: [t.keyword, t.typeName], color: "var(--accent)", fontWeight: "500" },
  { tag: t.propertyName, color: "var(--fg)" },
  { tag: [t.function(t.variableName), t.variableName], color: "var(--note)" },
  { tag: [t.operator, t.brace, t.bracket, t.punctuation], color: "var(--fg-2)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "12.5px", backgroundColor: "transparent", height: "100%" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.6" },
  ".cm-content": { caretColor: "var(--fg)", padding: "10px 0" },
  ".cm-cursor": { borderLeftColor: "var(--fg)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--fg-3)", border: "0", paddingLeft: "6px" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in oklab, var(--hover), transparent 30%)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "color-mix(in oklab, var(--accent), transparent 72%) !important" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--fg)", borderColor: "var(--line)" },
  ".cm-panel input, .cm-panel button": { fontFamily: "var(--font)" },
  ".cm-textfield": { backgroundColor: "var(--surface)", border: "1px solid var(--line-strong)", borderRadius: "4px" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--raised)", border: "1px solid var(--line-strong)", borderRadius: "4px", color: "var(--fg)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", border: "1px solid var(--line-strong)", borderRadius: "6px", color: "var(--fg)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad-solid)", fontFamily: "var(--font)", padding: "6px 10px" },
  ".cm-searchMatch": { backgroundColor: "var(--warn-soft)", outline: "1px solid var(--warn-solid)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--off-soft)", border: "0", color: "var(--fg-2)", padding: "0 6px" },
});

function languageOf(o: EditorOptions): Extension {
  if (o.text.length > MAX_COLOURED) return [];
  return o.language === "hcl" ? hcl() : o.language === "json" ? json() : [];
}

export function mountEditor(parent: HTMLElement, o: EditorOptions): Editor {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: o.text,
      extensions: [
        EditorView.cspNonce.of(nonce()),
        EditorView.contentAttributes.of({ "aria-label": o.label }),
        look,
        syntaxHighlighting(colours),
        languageOf(o),
        lineNumbers(),
        foldGutter(),
        highlightSpecialChars(),
        drawSelection(),
        search({ top: true }),
        highlightSelectionMatches(),
        EditorState.tabSize.of(2),
        o.readOnly ? [EditorState.readOnly.of(true), keymap.of([...searchKeymap, ...foldKeymap])] : editing(o),
      ],
    }),
  });
  return {
    get: () => view.state.doc.toString(),
    set: (text) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }),
    faults: (list) => view.dispatch(setDiagnostics(view.state, list.map((f) => diagnostic(view.state, f)))),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

function editing(o: EditorOptions): Extension {
  const submit = (): boolean => {
    o.onSubmit?.();
    return true;
  };
  return [
    history(),
    bracketMatching(),
    closeBrackets(),
    indentOnInput(),
    highlightActiveLine(),
    lintGutter(),
    keymap.of([{ key: "Mod-Enter", run: submit }, ...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, ...foldKeymap, ...lintKeymap, indentWithTab]),
    EditorView.updateListener.of((u) => {
      if (u.docChanged) o.onChange?.(u.state.doc.toString());
    }),
  ];
}

function diagnostic(state: EditorState, f: Fault): Diagnostic {
  const line = state.doc.line(Math.max(1, Math.min(state.doc.lines, f.line)));
  const from = Math.min(line.to, line.from + Math.max(0, f.column - 1));
  const word = /^[\w.-]+|^"[^"]*"/.exec(state.doc.sliceString(from, line.to))?.[0].length ?? 0;
  return { from, to: Math.max(from + word, Math.min(from + 1, line.to)), severity: "error", message: f.text };
}
