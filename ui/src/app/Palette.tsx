// Search over everything: places at once, objects as the agent finds them.
import * as Radix from "@radix-ui/react-dialog";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, type LinkProps } from "@tanstack/react-router";
import { useDeferredValue, useEffect, useId, useMemo, useRef, useState } from "react";
import { call, type Result } from "../api/client";
import { explain } from "../api/query";
import type { FuzzyMatch } from "../api/types.gen";
import { Icon, type IconName } from "../components/Icon";
import { allocationLink, evaluationLink, nodeLink } from "../components/Links";
import { short, visible } from "../lib/format";
import { places } from "./nav";

interface Entry {
  group: string;
  text: string;
  detail: string;
  icon: IconName;
  go: () => void;
}

export default function Palette({ onClose, onShortcuts }: { onClose: () => void; onShortcuts: () => void }) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const asked = useDeferredValue(text.trim());
  const navigate = useNavigate();
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const found = useQuery<Result<"Search.Fuzzy">>({
    queryKey: ["palette", asked],
    enabled: asked.length >= 2,
    staleTime: 2000,
    gcTime: 10_000,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => {
      await new Promise((r) => setTimeout(r, 60)); // while typing goes on, the signal ends this
      signal.throwIfAborted();
      return search(asked, signal);
    },
  });
  const entries = useMemo(() => {
    const go = (to: LinkProps) => () => {
      onClose();
      void navigate(to as Parameters<typeof navigate>[0]);
    };
    const match = (s: string): boolean => s.toLowerCase().includes(text.trim().toLowerCase());
    const fixed: Entry[] = places
      .flat()
      .map((p): Entry => ({ group: "Go to", text: p.text, detail: `g ${p.key}`, icon: p.icon, go: go({ to: p.to } as LinkProps) }))
      .concat([{ group: "Go to", text: "Keyboard shortcuts", detail: "?", icon: "help", go: onShortcuts }])
      .filter((e) => match(e.text));
    // What is named as it was typed goes before what is only called like it in passing.
    const rank = (e: Entry): number => (e.text.toLowerCase() === text.trim().toLowerCase() ? 0 : e.text.toLowerCase().startsWith(text.trim().toLowerCase()) ? 1 : 2);
    const named = fixed.filter((e) => rank(e) < 2);
    return [...named, ...(asked.length >= 2 && found.data ? objects(found.data, go) : []), ...fixed.filter((e) => rank(e) === 2)];
  }, [text, asked, found.data, navigate, onClose, onShortcuts]);
  useEffect(() => setAt(0), [text]);
  useEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" }), [at]);

  const key = (e: React.KeyboardEvent): void => {
    const moves: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 };
    const by = e.ctrlKey && e.key === "n" ? 1 : e.ctrlKey && e.key === "p" ? -1 : moves[e.key];
    if (by !== undefined && entries.length > 0) {
      e.preventDefault();
      setAt((at + by + entries.length) % entries.length);
    } else if (e.key === "Enter") {
      e.preventDefault();
      entries[at]?.go();
    }
  };
  return (
    <Radix.Root open onOpenChange={(o) => !o && onClose()}>
      <Radix.Portal>
        <Radix.Overlay className="overlay" />
        <Radix.Content className="dialog palette" aria-describedby={undefined}>
          <Radix.Title className="hidden">Search everything</Radix.Title>
          <input
            role="combobox" aria-expanded="true" aria-controls={id} aria-activedescendant={`${id}-${at}`} aria-label="Search everything"
            placeholder="Search jobs, allocations, nodes…" value={text} onChange={(e) => setText(e.target.value)} onKeyDown={key} spellCheck={false} autoComplete="off" maxLength={200}
          />
          <ul role="listbox" id={id} ref={list} aria-label="Results">
            {entries.map((e, i) => (
              <Line key={i} id={`${id}-${i}`} entry={e} first={e.group !== entries[i - 1]?.group} selected={i === at} onPoint={() => setAt(i)} />
            ))}
            {entries.length === 0 && <li className="group">{found.isFetching ? "Searching…" : found.error ? explain(found.error) : `Nothing is named like “${visible(text, 60)}”.`}</li>}
          </ul>
          <footer>
            <span>↑↓ choose</span>
            <span>↵ open</span>
            <span>esc close</span>
          </footer>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

function Line({ id, entry, first, selected, onPoint }: { id: string; entry: Entry; first: boolean; selected: boolean; onPoint: () => void }) {
  return (
    <>
      {first && (
        <li className="group" role="presentation">
          {entry.group}
        </li>
      )}
      <li role="option" id={id} aria-selected={selected} onMouseMove={selected ? undefined : onPoint} onClick={entry.go}>
        <Icon name={entry.icon} />
        <span className="cut grow">
          <bdi>{visible(entry.text, 120)}</bdi>
        </span>
        <span className="faint cut">{visible(entry.detail, 80)}</span>
      </li>
    </>
  );
}

/** Names that contain the text, and IDs that begin with it. */
async function search(text: string, signal: AbortSignal): Promise<Result<"Search.Fuzzy">> {
  const fuzzy = call("Search.Fuzzy", { namespace: "*" }, { Text: text, Context: "all" }, signal);
  if (!/^[0-9a-f-]{2,36}$/.test(text)) return fuzzy;
  const [byName, byID] = await Promise.all([fuzzy, call("Search.Prefix", { namespace: "*" }, { Prefix: text, Context: "all" }, signal)]);
  const ids = (context: string): FuzzyMatch[] => (byID.Matches?.[context] ?? []).map((ID) => ({ ID, Scope: null }));
  return { ...byName, Matches: { ...byName.Matches, allocs: [...(byName.Matches?.allocs ?? []), ...ids("allocs")], evals: ids("evals"), deployment: ids("deployment"), nodes: [...(byName.Matches?.nodes ?? []), ...ids("nodes")] } };
}

/** The matches as lines. Scope is what an object is in, and its ID where it has one. */
function objects(found: Result<"Search.Fuzzy">, go: (to: LinkProps) => () => void): Entry[] {
  const of = (context: string): FuzzyMatch[] => (found.Matches?.[context] ?? []).slice(0, 8);
  const job = (namespace: string, id: string, search: Record<string, string> = {}) => go({ to: "/jobs/$namespace/$job", params: { namespace, job: id }, search } as LinkProps);
  const list: Entry[] = [];
  for (const m of of("jobs")) {
    const [namespace = "default", id = m.ID] = m.Scope ?? [];
    list.push({ group: "Jobs", text: m.ID, detail: namespace, icon: "jobs", go: job(namespace, id) });
  }
  for (const m of of("groups")) {
    const [namespace = "default", id = ""] = m.Scope ?? [];
    list.push({ group: "Groups", text: m.ID, detail: id, icon: "jobs", go: job(namespace, id, { group: m.ID }) });
  }
  for (const m of of("tasks")) {
    const [namespace = "default", id = "", group = ""] = m.Scope ?? [];
    list.push({ group: "Tasks", text: m.ID, detail: `${id} / ${group}`, icon: "terminal", go: job(namespace, id, { group }) });
  }
  for (const m of of("allocs")) {
    const id = m.Scope?.[1] ?? m.ID;
    list.push({ group: "Allocations", text: m.ID, detail: short(id), icon: "terminal", go: go(allocationLink(id)) });
  }
  for (const m of of("nodes")) {
    const id = m.Scope?.[0] ?? m.ID;
    list.push({ group: "Nodes", text: m.ID, detail: short(id), icon: "nodes", go: go(nodeLink(id)) });
  }
  for (const m of of("evals")) list.push({ group: "Evaluations", text: m.ID, detail: "", icon: "evaluations", go: go(evaluationLink(m.ID)) });
  return list;
}
