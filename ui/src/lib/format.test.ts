import { describe, expect, it } from "vitest";
import { csv } from "./export";
import { bytes, duration, safeURL, span, visible } from "./format";
import { at, relative } from "./time";

describe("text of somebody else", () => {
  it("shows control characters instead of obeying them", () => {
    expect(visible("a\u0000b\u001b[31m\u007f")).toBe("a␀b␛[31m␡");
  });
  it("makes marks that turn the direction of text visible", () => {
    expect(visible("invoice\u202Efdp.exe")).toBe("invoice�fdp.exe");
  });
  it("keeps newlines, tabs and every script", () => {
    expect(visible("名前\tλ\nनाम")).toBe("名前\tλ\nनाम");
  });
  it("cuts what is very long and says so", () => {
    expect(visible("x".repeat(5000))).toMatch(/^x{4000}… \(1,000 more characters\)$/);
  });
  it("follows only links of the web", () => {
    expect(safeURL("javascript:alert(1)")).toBeUndefined();
    expect(safeURL("data:text/html,x")).toBeUndefined();
    expect(safeURL("https://example.org/a b")).toBe("https://example.org/a%20b");
  });
});

describe("figures", () => {
  it("writes bytes in powers of two", () => {
    expect([0, 1023, 1536, 10 * 2 ** 30, undefined].map(bytes)).toEqual(["0 B", "1023 B", "1.5 KiB", "10 GiB", "–"]);
  });
  it("writes spans in their two largest units", () => {
    expect([0, 59_000, 61_000, 3_600_000, 90_000_000].map(span)).toEqual(["0s", "59s", "1m 1s", "1h", "1d 1h"]);
    expect(duration(300e6)).toBe("300ms");
  });
});

describe("times", () => {
  it("knows Go's zero time for none", () => {
    expect(at("0001-01-01T00:00:00Z")).toBeUndefined();
    expect(at(0)).toBeUndefined();
    expect(at(1_700_000_000_000_000_000)).toBe(1_700_000_000_000);
  });
  it("is relative to the agent's clock", () => {
    expect(relative(1000, 61_000)).toBe("1m ago");
    expect(relative(61_000, 1000)).toBe("in 1m");
  });
});

describe("CSV", () => {
  it("quotes, and makes no formulas", () => {
    expect(csv(["a", "b"], [["x,y", '=HYPERLINK("http://evil")'], ['say "hi"', -3]])).toBe('a,b\r\n"x,y","\'=HYPERLINK(""http://evil"")"\r\n"say ""hi""",-3\r\n');
  });
});
