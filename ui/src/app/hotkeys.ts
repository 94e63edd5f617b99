// Keys for everything that a page offers, and the list of them under “?”.
import { useEffect, useRef } from "react";

export interface Hotkey {
  /** One key ("j", "/", "Enter"), or two after each other ("g j"). */
  keys: string;
  text: string;
  act: () => void;
  /** Whether it holds right now. */
  when?: () => boolean;
}

const stack: { current: Hotkey[] }[] = [];
let prefix = "";
let prefixTimer: ReturnType<typeof setTimeout> | undefined;

/** All that can be pressed now; what came later goes first. */
export const hotkeys = (): Hotkey[] => stack.toReversed().flatMap((s) => s.current);

/** Declares keys for as long as the component is there. */
export function useHotkeys(list: Hotkey[]): void {
  const ref = useRef(list);
  ref.current = list;
  useEffect(() => {
    stack.push(ref);
    return () => {
      stack.splice(stack.indexOf(ref), 1);
    };
  }, []);
}

function typing(target: EventTarget | null): boolean {
  const e = target as HTMLElement | null;
  return e !== null && (e.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(e.tagName) || e.closest?.(".cm-editor, .xterm") !== null);
}

function press(e: KeyboardEvent): void {
  if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || typing(e.target)) return;
  if (document.querySelector("[role=dialog], [role=menu]") !== null) return;
  const pressed = prefix === "" ? e.key : `${prefix} ${e.key}`;
  prefix = "";
  clearTimeout(prefixTimer);
  const all = hotkeys();
  const found = all.find((h) => h.keys === pressed && (h.when?.() ?? true));
  if (found !== undefined) {
    e.preventDefault();
    found.act();
  } else if (all.some((h) => h.keys.startsWith(`${e.key} `))) {
    prefix = e.key;
    prefixTimer = setTimeout(() => (prefix = ""), 1200);
  }
}

export function startHotkeys(): void {
  addEventListener("keydown", press);
}
