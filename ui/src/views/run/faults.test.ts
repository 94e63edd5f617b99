import { describe, expect, it } from "vitest";
import { words } from "../../components/terminal/TerminalView";
import { faultsOf, locate } from "./faults";

const source = `job "shop" {
  group "web" {
    count = 1
  }
  group "db" {
    count = 1
    task "server" {
      resources {
        memory = 1
      }
    }
  }
}`;

describe("where an error points to", () => {
  it("reads places of the parser, one for each line", () => {
    expect(faultsOf('input.hcl:4,5-11: unsupported argument "counts"\ninput.hcl:9,3: task "x": driver is missing')).toEqual([
      { line: 4, column: 5, text: 'unsupported argument "counts"' },
      { line: 9, column: 3, text: 'task "x": driver is missing' },
    ]);
    expect(faultsOf("Permission denied at 18:04:05")).toEqual([]);
  });
  it("finds the block and the field that a validation names", () => {
    expect(locate(source, 'group "db": task "server": resources.memory must be at least 10')).toMatchObject({ line: 9, column: 9 });
    expect(locate(source, 'group "db": count must not be negative')).toMatchObject({ line: 6 });
    expect(locate(source, "something else is wrong")).toBeUndefined();
  });
});

describe("words of a command", () => {
  it("splits as a shell does", () => {
    expect(words(`/bin/sh -c 'echo "a b"' "x \\"y\\"" z`)).toEqual(["/bin/sh", "-c", 'echo "a b"', 'x "y"', "z"]);
  });
});
