// Where an error of the agent points to in a job file.
import type { Fault } from "../../components/code/editor";

/** Finds "input.hcl:14,5-9: text" (line, column) in an error; several are on lines of their own. */
export function faultsOf(message: string): Fault[] {
  const list: Fault[] = [];
  for (const line of message.split("\n")) {
    const m = /(?:^|[\s(])[\w./-]*\.(?:hcl|vars|nomad|json):(\d+)[,:](\d+)(?:-[\d,]+)?:?\s*(.*)$/.exec(line);
    if (m) list.push({ line: Number(m[1]), column: Number(m[2]), text: m[3] || line });
  }
  return list;
}

/** Finds the line of a block or field that a validation error names: group "web": task "x": resources.memory … */
export function locate(source: string, message: string): Fault | undefined {
  const lines = source.split("\n");
  let from = 0;
  let found = -1;
  for (const m of message.matchAll(/\b(group|task|service|template|volume|network|port)s? "([^"]+)"/gi)) {
    const at = lines.findIndex((l, i) => i >= from && new RegExp(`\\b${(m[1] ?? "").toLowerCase()}\\s+"${escape(m[2] ?? "")}"`).test(l));
    if (at >= 0) {
      found = at;
      from = at;
    }
  }
  const rest = message.slice(message.lastIndexOf('":') + 1);
  const field = /([a-z_]+)(?:\.([a-z_]+))?/.exec(rest.replace(/^[:\s]+/, ""));
  for (const name of [field?.[2], field?.[1]]) {
    if (name === undefined) continue;
    const at = lines.findIndex((l, i) => i >= from && new RegExp(`^\\s*${name}\\b`).test(l));
    if (at >= 0) {
      found = at;
      break;
    }
  }
  return found < 0 ? undefined : { line: found + 1, column: (/\S/.exec(lines[found] ?? "")?.index ?? 0) + 1, text: message };
}

const escape = (s: string): string => s.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
