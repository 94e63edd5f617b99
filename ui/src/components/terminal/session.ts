// A command in a task over the exec WebSocket.
import { address } from "../../api/client";
import { settings } from "../../api/settings";
import type { ExecOutput } from "./wire";

/** How often the session shows that it lives, in milliseconds. */
const HEARTBEAT = 10_000;

export interface SessionListener {
  output(data: Uint8Array): void;
  opened(): void;
  /** code is that of the command; undefined where the session broke, and text says why. */
  ended(code: number | undefined, text: string): void;
}

const encode = (data: Uint8Array): string => {
  let s = "";
  for (const b of data) s += String.fromCharCode(b);
  return btoa(s);
};
const decode = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** Pastes are sent in parts: one message may be 1 MiB. */
const PART = 128 << 10;

export class Session {
  private readonly socket: WebSocket;
  private readonly beat: ReturnType<typeof setInterval>;
  private done = false;

  constructor(alloc: string, task: string, command: string[], private readonly on: SessionListener) {
    const path = address("Alloc.Exec", { id: alloc, task, command: JSON.stringify(command), tty: true, ws_handshake: true });
    this.socket = new WebSocket(path.startsWith("/") ? `${location.origin.replace(/^http/, "ws")}${path}` : path);
    this.socket.onopen = () => {
      this.send({ version: 1, auth_token: settings.get().token });
      this.on.opened();
    };
    this.socket.onmessage = (e: MessageEvent<string>) => this.take(JSON.parse(e.data) as ExecOutput);
    this.socket.onclose = (e) => this.end(undefined, e.reason || (e.code === 1006 ? "The connection was lost." : `The session has ended (${e.code}).`));
    this.beat = setInterval(() => this.send({}), HEARTBEAT);
  }

  input(data: Uint8Array): void {
    for (let i = 0; i < data.length; i += PART) this.send({ stdin: { data: encode(data.subarray(i, i + PART)) } });
  }

  resize(width: number, height: number): void {
    this.send({ tty_size: { width, height } });
  }

  close(): void {
    this.end(undefined, "");
    this.socket.close();
  }

  private send(message: unknown): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  private take(m: ExecOutput): void {
    if (m.stdout?.data) this.on.output(decode(m.stdout.data));
    if (m.stderr?.data) this.on.output(decode(m.stderr.data));
    if (m.exited) this.end(m.result?.exit_code ?? 0, "");
  }

  private end(code: number | undefined, text: string): void {
    clearInterval(this.beat);
    if (this.done) return;
    this.done = true;
    this.on.ended(code, text);
  }
}
