// What the user has chosen in this browser: token, region, theme. A token stays
// in this tab's session unless the user asks to keep it.
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

export interface Settings {
  token: string;
  keepToken: boolean;
  region: string; // empty: that of the agent
  theme: Theme;
}

const PREFERENCES = "serai.preferences";
const TOKEN = "serai.token";

function load(): Settings {
  let saved: Partial<Settings> = {};
  let token = "";
  let keepToken = false;
  try {
    saved = JSON.parse(localStorage.getItem(PREFERENCES) ?? "{}") as Partial<Settings>;
    const kept = localStorage.getItem(TOKEN);
    keepToken = kept !== null;
    token = kept ?? sessionStorage.getItem(TOKEN) ?? "";
  } catch {
    // No storage, or what is in it is not ours: start afresh.
  }
  const theme = saved.theme === "light" || saved.theme === "dark" ? saved.theme : "system";
  return { token, keepToken, region: typeof saved.region === "string" ? saved.region : "", theme };
}

let current = load();
const listeners = new Set<() => void>();

export const settings = {
  get: (): Settings => current,
  set(change: Partial<Settings>): void {
    current = { ...current, ...change };
    try {
      localStorage.setItem(PREFERENCES, JSON.stringify({ region: current.region, theme: current.theme }));
      localStorage.removeItem(TOKEN);
      sessionStorage.removeItem(TOKEN);
      if (current.token !== "") (current.keepToken ? localStorage : sessionStorage).setItem(TOKEN, current.token);
    } catch {
      // It holds for as long as the page is open.
    }
    applyTheme();
    for (const l of listeners) l();
  },
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
};

export const useSettings = (): Settings => useSyncExternalStore(settings.subscribe, settings.get);

export function applyTheme(): void {
  const root = document.documentElement;
  if (current.theme === "system") delete root.dataset.theme;
  else root.dataset.theme = current.theme;
}
