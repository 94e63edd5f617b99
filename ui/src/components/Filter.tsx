// The filter of a list: a name, or an expression that the agent evaluates.
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api/client";
import { visible } from "../lib/format";
import { Dialog } from "./Dialog";
import { Icon } from "./Icon";
import { Menu } from "./Menu";

/** Whether a text is a go-bexpr expression and not just a name. */
export const isExpression = (text: string): boolean => /(==|!=|<|>|\b(in|contains|matches|not|and|or|is (not )?empty)\b|")/.test(text.trim()) && /\s/.test(text.trim());

export interface Facet {
  name: string;
  value: string;
  values: string[];
  onChange: (value: string) => void;
}

export interface FilterHelp {
  fields: string[];
  examples: [expression: string, meaning: string][];
}

/** How long after the last key an expression is sent, in milliseconds. */
const PAUSE = 250;

export function Filter({ value, onChange, placeholder, facets = [], help, error }: { value: string; onChange: (v: string) => void; placeholder: string; facets?: Facet[]; help?: FilterHelp; error?: unknown }) {
  const [text, setText] = useState(value);
  const [helping, setHelping] = useState(false);
  const sent = useRef(value);
  useEffect(() => {
    if (value !== sent.current) setText(value);
    sent.current = value;
  }, [value]);
  const send = (v: string): void => {
    sent.current = v;
    onChange(v);
  };
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => send(text), isExpression(text) ? PAUSE : 40);
    return () => clearTimeout(timer);
  });
  const wrong = error instanceof ApiError && error.status === 400;
  return (
    <div className="filter">
      <div className="row wrap">
        <div className="filter-input">
          <Icon name="filter" />
          <input
            className="field" data-filter aria-label="Filter" aria-invalid={wrong} placeholder={placeholder} value={text} spellCheck={false} autoComplete="off" maxLength={2000}
            onChange={(e) => setText(e.target.value)}
            onKeyDown={(e) => {
              if (e.key === "Enter") send(text);
              if (e.key === "Escape") {
                if (text === "") e.currentTarget.blur();
                else setText("");
              }
            }}
          />
          {help && (
            <button type="button" className="button plain small icon" aria-label="Help on filters" onClick={() => setHelping(true)}>
              <Icon name="help" />
            </button>
          )}
        </div>
        {facets.map((f) => (
          <FacetMenu key={f.name} facet={f} />
        ))}
      </div>
      {wrong && <p className="filter-error">{visible(error.message, 400)}</p>}
      {help && helping && <HelpDialog help={help} onUse={(v) => { setText(v); setHelping(false); }} onClose={() => setHelping(false)} />}
    </div>
  );
}

/** Facets alone, where there is nothing to type. */
Filter.Facets = function Facets({ facets }: { facets: Facet[] }) {
  return (
    <div className="filter">
      <div className="row wrap">
        {facets.map((f) => (
          <FacetMenu key={f.name} facet={f} />
        ))}
      </div>
    </div>
  );
};

function FacetMenu({ facet: f }: { facet: Facet }) {
  return (
    <Menu align="start" entries={[{ label: "Any", checked: f.value === "", act: () => f.onChange("") }, "line", ...f.values.map((v) => ({ label: visible(v, 60), checked: f.value === v, act: () => f.onChange(v) }))]}>
      <button type="button" className="button small" aria-pressed={f.value !== ""}>
        {f.value === "" ? f.name : `${f.name}: ${visible(f.value, 40)}`}
        <Icon name="down" />
      </button>
    </Menu>
  );
}

function HelpDialog({ help, onUse, onClose }: { help: FilterHelp; onUse: (v: string) => void; onClose: () => void }) {
  return (
    <Dialog title="Filters" open onClose={onClose} wide>
      <p>
        A word finds names that contain it. An expression is evaluated by the agent on the whole object: <code>==</code> <code>!=</code> <code>in</code> <code>not in</code> <code>contains</code> <code>matches</code> <code>is empty</code>, joined by <code>and</code>, <code>or</code>, <code>not</code> and parentheses.
      </p>
      <div className="stack examples">
        {help.examples.map(([expression, meaning]) => (
          <button key={expression} type="button" className="example" onClick={() => onUse(expression)}>
            <code>{expression}</code>
            <span className="dim">{meaning}</span>
          </button>
        ))}
      </div>
      <p className="dim">
        Fields: <code>{help.fields.join(", ")}</code>
      </p>
    </Dialog>
  );
}
