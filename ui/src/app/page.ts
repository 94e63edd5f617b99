// What the agent has written into the page.

const meta = (selector: string): HTMLMetaElement | null => document.querySelector<HTMLMetaElement>(selector);

/** The nonce that style elements need. */
export const nonce = (): string => meta('meta[property="csp-nonce"]')?.nonce ?? "";

/** The label that tells clusters apart: text and colours; undefined where there is none. */
export function clusterLabel(): { text: string; background: string; color: string } | undefined {
  try {
    const [text, background, color] = JSON.parse(meta('meta[name="serai-label"]')?.content ?? "") as string[];
    return text ? { text, background: background ?? "", color: color ?? "" } : undefined;
  } catch {
    return undefined;
  }
}
