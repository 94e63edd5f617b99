// xterm.js, loaded when a terminal is opened.
import { FitAddon } from "@xterm/addon-fit";
import { Terminal as XTerm } from "@xterm/xterm";
import "@xterm/xterm/css/xterm.css";
import { nonce } from "../../app/page";

// The page's policy allows style elements only with its nonce, and no style
// attributes; xterm.js makes both. So its elements get the nonce, and what it
// writes as an attribute is set through the object model, which is allowed.
const make = document.createElement.bind(document);
document.createElement = ((name: string, options?: ElementCreationOptions) => {
  const e = make(name, options);
  if (name === "style") e.nonce = nonce();
  return e;
}) as typeof document.createElement;
HTMLSpanElement.prototype.setAttribute = function (name: string, value: string): void {
  if (name === "style") this.style.cssText = value;
  else Element.prototype.setAttribute.call(this, name, value);
};

export interface Terminal {
  write(data: Uint8Array | string): void;
  size(): { width: number; height: number };
  focus(): void;
  fit(): void;
  dispose(): void;
}

export function mountTerminal(place: HTMLElement, on: { data: (text: string) => void; binary: (data: string) => void; size: () => void }): Terminal {
  const css = getComputedStyle(document.documentElement);
  const light = matchMedia("(prefers-color-scheme: light)").matches;
  const theme = document.documentElement.dataset.theme;
  const dark = theme === "dark" || (theme === undefined && !light);
  const term = new XTerm({
    fontFamily: css.getPropertyValue("--mono"),
    fontSize: 13,
    lineHeight: 1.25,
    cursorBlink: true,
    scrollback: 10_000,
    allowProposedApi: false,
    linkHandler: null, // what a task prints is not followed
    theme: dark
      ? { background: "#0b0c0e", foreground: "#e8e9ec", cursor: "#8f8bf2", selectionBackground: "#5b54d866" }
      : { background: "#ffffff", foreground: "#16181d", cursor: "#4f46c8", selectionBackground: "#4f46c833", white: "#6b717d", brightWhite: "#16181d", yellow: "#8f5a00", brightYellow: "#8f5a00" },
  });
  const fit = new FitAddon();
  term.loadAddon(fit);
  term.open(place);
  fit.fit();
  term.onData(on.data);
  term.onBinary(on.binary);
  term.onResize(on.size);
  const observer = new ResizeObserver(() => fit.fit());
  observer.observe(place);
  return {
    write: (d) => term.write(d),
    size: () => ({ width: term.cols, height: term.rows }),
    focus: () => term.focus(),
    fit: () => fit.fit(),
    dispose: () => {
      observer.disconnect();
      term.dispose();
    },
  };
}
