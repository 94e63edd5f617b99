// The lines of logs that are kept for reading: bounded in number and in size,
// whatever a task writes.

export interface Line {
  n: number; // counts from 0, also over what was dropped
  source: number; // which of the sources it came from
  text: string;
  mark?: boolean; // said by the page, not by the task
}

/** How many lines are kept, and how many characters of them. */
export const MAX_LINES = 50_000;
export const MAX_CHARACTERS = 24 << 20;
/** A line is cut here: what is longer is no line that anybody reads. */
export const MAX_LINE = 16 << 10;

// What terminals would act on, and a log is not one: colours, cursor moves, titles.
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;

export class LogBuffer {
  lines: Line[] = [];
  dropped = 0;
  private next = 0;
  private characters = 0;
  private readonly partial = new Map<number, { text: string; cut: number }>();

  /** Takes what a source has written. */
  push(source: number, chunk: string): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf("\n", from);
      const part = end < 0 ? chunk.slice(from) : chunk.slice(from, end);
      const p = this.partial.get(source) ?? { text: "", cut: 0 };
      const room = MAX_LINE - p.text.length;
      p.text += part.slice(0, room);
      p.cut += Math.max(0, part.length - room);
      if (end < 0) {
        this.partial.set(source, p);
        break;
      }
      this.partial.delete(source);
      this.add(source, p.text.endsWith("\r") ? p.text.slice(0, -1) : p.text, p.cut);
      from = end + 1;
    }
    this.trim();
  }

  /** Says something between the lines. */
  mark(text: string): void {
    this.lines.push({ n: this.next++, source: -1, text, mark: true });
    this.trim();
  }

  /** Ends the last line of a source that has no newline. */
  finish(source: number): void {
    const p = this.partial.get(source);
    if (p === undefined || p.text === "") return;
    this.partial.delete(source);
    this.add(source, p.text, p.cut);
  }

  clear(): void {
    this.lines = [];
    this.characters = 0;
    this.dropped = this.next;
    this.partial.clear();
  }

  private add(source: number, raw: string, cut: number): void {
    const plain = raw.includes("\u001b") ? raw.replace(escapes, "") : raw;
    const text = cut > 0 ? `${plain} … ${cut.toLocaleString("en")} more characters` : plain;
    this.lines.push({ n: this.next++, source, text });
    this.characters += text.length;
  }

  private trim(): void {
    if (this.lines.length <= MAX_LINES * 1.1 && this.characters <= MAX_CHARACTERS * 1.1) return;
    let cut = Math.max(0, this.lines.length - MAX_LINES);
    let gone = 0;
    for (let i = 0; i < cut; i++) gone += this.lines[i]?.text.length ?? 0;
    while (this.characters - gone > MAX_CHARACTERS && cut < this.lines.length - 1) gone += this.lines[cut++]?.text.length ?? 0;
    this.lines = this.lines.slice(cut);
    this.characters -= gone;
    this.dropped += cut;
  }
}

/** What a search looks for: a text without regard to case, or /an expression/. Undefined when that is none. */
export function matcher(query: string): RegExp | undefined {
  const m = /^\/(.+)\/([i]?)$/.exec(query);
  try {
    return m ? new RegExp(m[1] ?? "", `g${m[2]}`) : new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  } catch {
    return undefined;
  }
}
