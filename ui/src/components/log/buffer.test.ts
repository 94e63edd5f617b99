import { describe, expect, it } from "vitest";
import { LogBuffer, MAX_CHARACTERS, MAX_LINE, MAX_LINES, matcher } from "./buffer";

const texts = (b: LogBuffer): string[] => b.lines.map((l) => l.text);

describe("LogBuffer", () => {
  it("joins lines that come in parts, each source for itself", () => {
    const b = new LogBuffer();
    b.push(0, "he");
    b.push(1, "other\n");
    b.push(0, "llo\r\nnext");
    expect(texts(b)).toEqual(["other", "hello"]);
    b.finish(0);
    expect(texts(b)).toEqual(["other", "hello", "next"]);
  });
  it("drops what terminals would obey", () => {
    const b = new LogBuffer();
    b.push(0, "\u001b[1;31mred\u001b[0m \u001b]0;title\u0007text\u001b[2J\n");
    expect(texts(b)).toEqual(["red text"]);
  });
  it("cuts a line that is no line, and says how much is missing", () => {
    const b = new LogBuffer();
    for (let i = 0; i < 10; i++) b.push(0, "x".repeat(100_000));
    b.push(0, "\nafter\n");
    expect(b.lines[0]?.text).toBe(`${"x".repeat(MAX_LINE)} … ${(1_000_000 - MAX_LINE).toLocaleString("en")} more characters`);
    expect(b.lines[1]?.text).toBe("after");
  });
  it("keeps a bounded number of lines, and counts the rest", () => {
    const b = new LogBuffer();
    const total = MAX_LINES * 3;
    for (let i = 0; i < total; i += 1000) b.push(0, Array.from({ length: 1000 }, (_, k) => `line ${i + k}\n`).join(""));
    expect(b.lines.length).toBeLessThanOrEqual(MAX_LINES * 1.1);
    expect(b.dropped + b.lines.length).toBe(total);
    expect(b.lines[b.lines.length - 1]).toEqual({ n: total - 1, source: 0, text: `line ${total - 1}` });
  });
  it("keeps a bounded number of characters", () => {
    const b = new LogBuffer();
    const line = `${"y".repeat(MAX_LINE - 10)}\n`;
    for (let i = 0; i < 5000; i++) b.push(0, line);
    const size = b.lines.reduce((n, l) => n + l.text.length, 0);
    expect(size).toBeLessThanOrEqual(MAX_CHARACTERS * 1.1);
    expect(b.dropped).toBeGreaterThan(0);
  });
});

describe("matcher", () => {
  it("takes words as they are, and expressions between slashes", () => {
    expect("a.b A.B axb".match(matcher("a.b") ?? /$^/g)).toEqual(["a.b", "A.B"]);
    expect("err1 ERR2".match(matcher("/err\\d/") ?? /$^/g)).toEqual(["err1"]);
    expect(matcher("/(/")).toBeUndefined();
  });
});
