import { useState } from "react";
import { call } from "../../api/client";
import { explain, useRead } from "../../api/query";
import { settings, useSettings, type Theme } from "../../api/settings";
import { useNamespace } from "../../app/namespace";
import { Callout, Facts, PageHead, Panel, Shown, useTitle } from "../../components/Basics";
import { Name } from "../../components/Status";
import { toast } from "../../components/Toast";
import { Grants } from "./Grants";

export function SettingsPage() {
  useTitle("Settings");
  return (
    <div className="page settings">
      <PageHead title="Settings" sub="What you choose here is kept in this browser alone." />
      <Token />
      <Grants />
      <div className="columns">
        <Look />
        <Where />
      </div>
      <Agent />
    </div>
  );
}

function Token() {
  const s = useSettings();
  const [token, setToken] = useState("");
  const [keep, setKeep] = useState(s.keepToken);
  const [error, setError] = useState<unknown>();
  const signIn = async (): Promise<void> => {
    const before = settings.get();
    settings.set({ token: token.trim(), keepToken: keep });
    setError(undefined);
    try {
      await call("Jobs.List", { per_page: 1, namespace: "*" });
      setToken("");
      toast("Signed in.");
    } catch (e) {
      settings.set({ token: before.token, keepToken: before.keepToken });
      setError(e);
    }
  };
  return (
    <Panel title="Token">
      {s.token !== "" ? (
        <div className="spread">
          <span>
            You are signed in with a token that {s.keepToken ? "stays in this browser until you sign out" : "is forgotten when you close this tab"}.
          </span>
          <button type="button" className="button" onClick={() => settings.set({ token: "", keepToken: false })}>
            Sign out
          </button>
        </div>
      ) : (
        <form className="stack" onSubmit={(e) => { e.preventDefault(); void signIn(); }}>
          <label className="label">
            <span>Secret ID</span>
            <span className="hint">What you may see and do follows from it. Without one, you are anonymous.</span>
            <input className="field mono" type="password" autoComplete="off" value={token} maxLength={4096} onChange={(e) => setToken(e.target.value)} />
          </label>
          <label className="check">
            <input type="checkbox" checked={keep} onChange={(e) => setKeep(e.target.checked)} />
            <span>Keep it in this browser, also after it is closed</span>
          </label>
          {error !== undefined && <Callout tone="bad">{explain(error)}</Callout>}
          <div>
            <button type="submit" className="button primary" disabled={token.trim() === ""}>
              Sign in
            </button>
          </div>
        </form>
      )}
    </Panel>
  );
}

const themes: [Theme, string][] = [["system", "As the system"], ["light", "Light"], ["dark", "Dark"]];

function Look() {
  const { theme } = useSettings();
  return (
    <Panel title="Appearance">
      <div className="segments" role="group" aria-label="Theme">
        {themes.map(([value, text]) => (
          <button key={value} type="button" aria-pressed={theme === value} onClick={() => settings.set({ theme: value })}>
            {text}
          </button>
        ))}
      </div>
    </Panel>
  );
}

function Where() {
  const { region } = useSettings();
  const regions = useRead("Regions.List", {});
  const namespaces = useRead("Namespaces.List", {});
  const [namespace, setNamespace] = useNamespace();
  return (
    <Panel title="Region and namespace">
      <div className="row wrap">
        <label className="row">
          <span className="dim">Region</span>
          <select className="field" value={region} onChange={(e) => settings.set({ region: e.target.value })}>
            <option value="">The agent’s own</option>
            {[...new Set([...(regions.data ?? []), ...(region === "" ? [] : [region])])].map((r) => (
              <option key={r}>{r}</option>
            ))}
          </select>
        </label>
        <label className="row">
          <span className="dim">Namespace</span>
          <select className="field" value={namespace} onChange={(e) => setNamespace(e.target.value)}>
            <option value="*">All</option>
            {(namespaces.data ?? []).map((n) => (
              <option key={n.Name}>{n.Name}</option>
            ))}
          </select>
        </label>
      </div>
    </Panel>
  );
}

interface AgentConfig {
  Region?: string;
  Datacenter?: string;
  Name?: string;
  Version?: { Serai?: string; Version?: string; Revision?: string };
}

function Agent() {
  const self = useRead("Agent.Self", {});
  return (
    <Panel title="This agent">
      <Shown read={self} what="agent">
        {(a) => {
          const c = (a.config ?? {}) as AgentConfig;
          return (
            <Facts>
              {[
                ["Name", <Name key="n">{a.member.Name || c.Name || "–"}</Name>],
                ["Region", <Name key="r">{c.Region ?? "–"}</Name>],
                ["Datacenter", <Name key="d">{c.Datacenter ?? "–"}</Name>],
                ["Version", <Name key="v">{c.Version?.Serai ?? "–"}</Name>],
                ["Answers as Nomad", <Name key="a">{c.Version?.Version ?? "–"}</Name>],
              ]}
            </Facts>
          );
        }}
      </Shown>
    </Panel>
  );
}
