// Values in words, for people.

const MB = 1024 * 1024;

/** Bytes: 0 B, 1.5 KiB, 12 MiB. */
export function bytes(n: number | undefined): string {
  if (n === undefined || !Number.isFinite(n)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let i = 0;
  let v = n;
  while (Math.abs(v) >= 1024 && i < units.length - 1) {
    v /= 1024;
    i++;
  }
  return `${i === 0 || v >= 100 ? Math.round(v) : Number(v.toFixed(1))} ${units[i] ?? ""}`;
}

/** MiB as the API counts memory. */
export const mebibytes = (n: number | undefined): string => bytes(n === undefined ? undefined : n * MB);

/** CPU shares in MHz: 500 MHz, 2.4 GHz. */
export function megahertz(n: number | undefined): string {
  if (n === undefined || !Number.isFinite(n)) return "–";
  return n >= 10_000 ? `${Number((n / 1000).toFixed(1))} GHz` : `${Math.round(n).toLocaleString("en")} MHz`;
}

export const count = (n: number): string => n.toLocaleString("en");

/** One thing, or several: plural(2, "allocation"). */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;

export const percent = (part: number, whole: number): number => (whole <= 0 ? 0 : Math.min(100, (part / whole) * 100));

/** The first eight characters of a UUID, which tell objects apart. */
export const short = (id: string): string => (/^[0-9a-f]{8}-/.test(id) ? id.slice(0, 8) : id);

/** Nanoseconds as 1h 5m, 90s, 300ms. */
export function duration(ns: number): string {
  const ms = ns / 1e6;
  if (ms === 0) return "0s";
  if (ms < 1000) return `${Number(ms.toPrecision(3))}ms`;
  return span(ms);
}

/** Milliseconds in the two largest units. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}s`;
  const pairs: [number, string, number, string][] = [
    [86_400, "d", 3600, "h"],
    [3600, "h", 60, "m"],
    [60, "m", 1, "s"],
  ];
  for (const [big, bigName, small, smallName] of pairs) {
    if (s >= big) {
      const rest = Math.floor((s % big) / small);
      return rest === 0 ? `${Math.floor(s / big)}${bigName}` : `${Math.floor(s / big)}${bigName} ${rest}${smallName}`;
    }
  }
  return `${s}s`;
}

const MAX_SHOWN = 4000;

/**
 * Text from anywhere, safe to show: control characters and the marks that turn
 * the direction of text are made visible, and what is very long is cut.
 */
export function visible(text: string, max = MAX_SHOWN): string {
  const cut = text.length > max ? `${text.slice(0, max)}… (${count(text.length - max)} more characters)` : text;
  return cut.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "␡" : "�";
  });
}

/** A link that may be followed: http or https. Others are shown as text. */
export function safeURL(url: string): string | undefined {
  try {
    const u = new URL(url);
    return u.protocol === "https:" || u.protocol === "http:" ? u.href : undefined;
  } catch {
    return undefined;
  }
}
