import { Link } from "@tanstack/react-router";

export interface Tab {
  id: string;
  text: string;
  count?: number | undefined;
}

/** Tabs of a page; which one is open is in the address: ?tab=. The first one has no name there. */
export function Tabs({ tabs, at, label }: { tabs: Tab[]; at: string; label: string }) {
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map((t, i) => (
        <Link key={t.id} to="." search={((s: Record<string, unknown>) => ({ ns: s.ns, task: s.task, tab: i === 0 ? undefined : t.id })) as never} className={t.id === at ? "at" : ""} activeOptions={{ includeSearch: true, explicitUndefined: true }} inactiveProps={{ "aria-current": undefined }}>
          {t.text}
          {t.count !== undefined && <span className="count">{t.count}</span>}
        </Link>
      ))}
    </nav>
  );
}
