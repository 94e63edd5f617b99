// HCL for the editor: enough of its grammar to colour it.
import { StreamLanguage, type StreamParser } from "@codemirror/language";

interface State {
  comment: boolean; // in /* … */
  string: boolean; // in "…"
  heredoc: string; // the word that ends it
  depth: number[]; // of braces in ${…}, innermost last
}

const parser: StreamParser<State> = {
  name: "hcl",
  startState: () => ({ comment: false, string: false, heredoc: "", depth: [] }),
  copyState: (s) => ({ ...s, depth: [...s.depth] }),
  token(stream, s) {
    if (s.comment) {
      s.comment = !stream.skipTo("*/") || stream.match("*/") === null;
      if (s.comment) stream.skipToEnd();
      return "comment";
    }
    if (s.heredoc !== "") {
      if (stream.sol() && stream.string.trim() === s.heredoc) s.heredoc = "";
      stream.skipToEnd();
      return "string";
    }
    if (s.string) return inString(stream, s);
    if (stream.eatSpace()) return null;
    if (stream.match("#") || stream.match("//")) {
      stream.skipToEnd();
      return "comment";
    }
    if (stream.match("/*")) {
      s.comment = true;
      return "comment";
    }
    const heredoc = stream.match(/^<<[-~]?(\w+)/) as RegExpMatchArray | null;
    if (heredoc) {
      s.heredoc = heredoc[1] ?? "";
      return "string";
    }
    if (stream.eat('"')) {
      s.string = true;
      return "string";
    }
    if (stream.match(/^-?\d+(\.\d+)?([eE][-+]?\d+)?/)) return "number";
    if (stream.match(/^(true|false|null)\b/)) return "atom";
    if (stream.match(/^(for|in|if|else|endif|endfor)\b/)) return "keyword";
    if (stream.match(/^[\w-]+(?=\s*\()/)) return "function";
    if (stream.match(/^[A-Za-z_][\w-]*(?=\s*=[^=])/)) return "propertyName";
    if (stream.match(/^[A-Za-z_][\w-]*(?=(\s+"[^"]*")*\s*\{)/)) return "typeName";
    if (stream.match(/^[A-Za-z_][\w-]*/)) return "variableName";
    const c = stream.next();
    const top = s.depth.length - 1;
    if (top >= 0 && c === "{") s.depth[top] = (s.depth[top] ?? 0) + 1;
    if (top >= 0 && c === "}") {
      if (s.depth[top] === 0) {
        s.depth.pop();
        s.string = true;
        return "brace";
      }
      s.depth[top] = (s.depth[top] ?? 0) - 1;
    }
    return c === "{" || c === "}" ? "brace" : "operator";
  },
  languageData: { commentTokens: { line: "#" }, closeBrackets: { brackets: ["{", "[", "(", '"'] } },
};

function inString(stream: Parameters<NonNullable<typeof parser.token>>[0], s: State): string {
  while (!stream.eol()) {
    if (stream.match("$${") || stream.match("%%{")) continue;
    if (stream.match("${") || stream.match("%{")) {
      s.string = false;
      s.depth.push(0);
      return "string";
    }
    const c = stream.next();
    if (c === "\\") stream.next();
    if (c === '"') {
      s.string = false;
      return "string";
    }
  }
  s.string = false; // a string ends with its line
  return "string";
}

export const hcl = (): StreamLanguage<State> => StreamLanguage.define(parser);
