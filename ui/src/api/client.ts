// Calls to the agent's HTTP API, typed by the endpoint table.
import { settings } from "./settings";
import { operations, type OperationName, type Operations } from "./types.gen";

export type Params<K extends OperationName> = Operations[K]["path"] & Operations[K]["query"];
export type Body<K extends OperationName> = Operations[K]["body"];
export type Result<K extends OperationName> = Operations[K]["response"];

/** An answer that is no success, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly operation: OperationName | "",
    readonly capability = "",
  ) {
    super(message);
    this.name = "ApiError";
  }
  get unreachable(): boolean {
    return this.status === 0;
  }
  get denied(): boolean {
    return this.status === 401 || this.status === 403;
  }
  get notFound(): boolean {
    return this.status === 404;
  }
}

/** What answers say of the cluster beside their bodies. */
export interface ClusterFacts {
  knownLeader: boolean;
  clockOffset: number; // milliseconds that the agent's clock is ahead of this one's
}

let facts: ClusterFacts = { knownLeader: true, clockOffset: 0 };
const factListeners = new Set<() => void>();

export const clusterFacts = {
  get: (): ClusterFacts => facts,
  subscribe(l: () => void): () => void {
    factListeners.add(l);
    return () => factListeners.delete(l);
  },
};

function learn(r: Response): void {
  const leader = r.headers.get("X-Nomad-KnownLeader");
  const date = Date.parse(r.headers.get("Date") ?? "");
  let offset = Number.isNaN(date) ? 0 : date + 500 - Date.now(); // the header has whole seconds
  if (Math.abs(offset) < 3000) offset = 0;
  else if (Math.abs(offset - facts.clockOffset) < 1500) offset = facts.clockOffset;
  const next = { knownLeader: leader === null ? facts.knownLeader : leader === "true", clockOffset: offset };
  if (next.knownLeader !== facts.knownLeader || next.clockOffset !== facts.clockOffset) {
    facts = next;
    for (const l of factListeners) l();
  }
}

/** The time as the agent's clock has it, in milliseconds. */
export const agentNow = (): number => Date.now() + facts.clockOffset;

/** The address of an operation, with the chosen region. */
export function address<K extends OperationName>(op: K, params: Params<K>): string {
  let path: string = operations[op][1];
  const query = new URLSearchParams();
  const region = settings.get().region;
  if (region !== "") query.set("region", region);
  for (const [name, value] of Object.entries(params as Record<string, unknown>)) {
    if (path.includes(`{${name}}`)) {
      path = path.replace(`{${name}}`, encodeURIComponent(String(value)));
    } else if (Array.isArray(value)) {
      for (const v of value) query.append(name, String(v));
    } else if (value !== undefined && value !== "" && value !== false) {
      query.set(name, String(value));
    }
  }
  const q = query.toString();
  return q === "" ? path : `${path}?${q}`;
}

export function authorisation(): Record<string, string> {
  const { token } = settings.get();
  return token === "" ? {} : { "X-Nomad-Token": token };
}

/** How long an answer may take that is no stream, in milliseconds. */
const PATIENCE = 30_000;

async function failure(r: Response, op: OperationName): Promise<ApiError> {
  const text = (await r.text().catch(() => "")).slice(0, 4000).trim();
  const capability = operations[op][2];
  return new ApiError(r.status, text || `${r.status} ${r.statusText}`, op, capability);
}

/** Opens an answer that is no single JSON value. The caller reads or aborts it. */
export async function open<K extends OperationName>(op: K, params: Params<K>, signal?: AbortSignal): Promise<Response> {
  let r: Response;
  try {
    r = await fetch(address(op, params), { headers: authorisation(), signal: signal ?? null, cache: "no-store" });
  } catch (e) {
    if (signal?.aborted) throw e;
    throw new ApiError(0, "The agent does not answer.", op);
  }
  learn(r);
  if (!r.ok) throw await failure(r, op);
  return r;
}

/** Whether an answer is what was asked for. The health of servers that are not all well comes with 429. */
const answered = (r: Response, op: OperationName): boolean => r.ok || (op === "Operator.AutopilotHealth" && r.status === 429 && (r.headers.get("Content-Type") ?? "").includes("json"));

/** Calls an operation and gives its answer. Throws ApiError. */
export async function call<K extends OperationName>(op: K, params: Params<K>, body?: Body<K>, signal?: AbortSignal): Promise<Result<K>> {
  return (await answer(op, params, body, signal))[0];
}

/** How many rows of a list are read at once: as many as are parsed between two frames. */
const PAGE = 3000;

/** Reads a list page by page, so that one of 50,000 rows does not hold up the page. */
export async function callPages<K extends OperationName>(op: K, params: Params<K>, signal?: AbortSignal): Promise<Result<K>> {
  const rows: unknown[] = [];
  for (let token = ""; ; ) {
    const [page, next] = await answer(op, { ...params, per_page: PAGE, next_token: token }, undefined, signal);
    for (const row of page as unknown[]) rows.push(row);
    if (next === "" || next === token) return rows as Result<K>;
    token = next;
  }
}

async function answer<K extends OperationName>(op: K, params: Params<K>, body?: Body<K>, signal?: AbortSignal): Promise<[Result<K>, next: string]> {
  const timeout = AbortSignal.timeout(PATIENCE);
  const headers: Record<string, string> = authorisation();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let r: Response;
  try {
    r = await fetch(address(op, params), {
      method: operations[op][0],
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: "no-store",
    });
    learn(r);
    if (!answered(r, op)) throw await failure(r, op);
    const text = await r.text();
    return [(text === "" ? {} : JSON.parse(text)) as Result<K>, r.headers.get("X-Nomad-NextToken") ?? ""];
  } catch (e) {
    if (e instanceof ApiError || signal?.aborted) throw e;
    if (timeout.aborted) throw new ApiError(0, `The agent has not answered for ${PATIENCE / 1000} seconds.`, op);
    if (e instanceof SyntaxError) throw new ApiError(500, "The answer is not JSON: is a proxy in between?", op);
    throw new ApiError(0, "The agent does not answer.", op);
  }
}
