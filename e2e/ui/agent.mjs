// A real agent for browser tests: dev mode on free loopback ports, with its own
// folder, which is ended and removed again.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");
export const binary = resolve(root, process.env.SERAI_BINARY ?? "bin/serai");

export async function freePort() {
  const server = createServer();
  await new Promise((done, fail) => server.once("error", fail).listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Waits until check gives something, and gives that. Says what it waited for. */
export async function until(what, check, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    try {
      const got = await check();
      if (got) return got;
    } catch (e) {
      last = e;
    }
    await new Promise((r) => setTimeout(r, 100));
  }
  throw new Error(`${what}: not within ${seconds} s${last ? `; ${last.message}` : ""}`);
}

export class Agent {
  /** Starts a server that runs nothing itself, and gives it the cluster of a snapshot. */
  static async restored(snapshot) {
    const a = await Agent.start('server {\n heartbeat_grace = "2h"\n failover_heartbeat_ttl = "2h"\n}\n', { ready: (a) => a.call("GET", "/v1/status/leader") });
    const r = await fetch(`${a.url}/v1/operator/snapshot`, { method: "PUT", headers: { "Content-Type": "application/octet-stream" }, body: await readFile(snapshot) });
    if (!r.ok) throw new Error(`restore: ${r.status} ${await r.text()}`);
    return a;
  }

  /** Starts an agent and waits until it can place allocations, or for what else ready says. */
  static async start(extra = "", { ready } = {}) {
    const a = new Agent();
    a.ready = ready ?? (async () => (await a.get("/v1/nodes")).some((n) => n.Status === "ready"));
    a.acl = /\bacl\b/.test(extra); // then it is bootstrapped, and calls have the token
    a.dir = await mkdtemp(join(tmpdir(), "serai-ui-"));
    a.ports = [await freePort(), await freePort(), await freePort()];
    a.url = `http://127.0.0.1:${a.ports[0]}`;
    const [http, rpc, serf] = a.ports;
    await writeFile(join(a.dir, "agent.hcl"), `ports {\n http = ${http}\n rpc = ${rpc}\n serf = ${serf}\n}\n${extra}`);
    await a.run();
    return a;
  }

  /** Starts the process, also again after kill. */
  async run() {
    this.log = "";
    this.process = spawn(binary, ["agent", "-dev", "-config", join(this.dir, "agent.hcl")], { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NOMAD_ADDR: "", NOMAD_TOKEN: "" } });
    for (const s of [this.process.stdout, this.process.stderr]) s.on("data", (d) => (this.log = (this.log + d).slice(-20_000)));
    this.ended = new Promise((done) => this.process.once("exit", done));
    await until("the agent is ready", async () => {
      if (this.process.exitCode !== null) throw new Error(`the agent ended:\n${this.log}`);
      if (this.acl && !this.token) this.token = (await this.call("PUT", "/v1/acl/bootstrap")).SecretID;
      return this.ready(this);
    });
  }

  /** Ends the process, by signal. */
  async kill(signal = "SIGINT") {
    if (this.process.exitCode === null) this.process.kill(signal);
    const late = setTimeout(() => this.process.kill("SIGKILL"), 30_000);
    await this.ended;
    clearTimeout(late);
  }

  async close() {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true }).catch(() => {});
  }

  /** Calls the API, with the token where there is one. */
  async call(method, path, body) {
    const headers = { ...(this.token ? { "X-Nomad-Token": this.token } : {}), ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
    const r = await fetch(this.url + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    const text = await r.text();
    if (!r.ok) throw new Error(`${method} ${path}: ${r.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  get(path) {
    return this.call("GET", path);
  }

  /** Runs a job file's text, and gives the parsed job. */
  async job(hcl, change = (j) => j) {
    const job = change(await this.call("PUT", "/v1/jobs/parse", { JobHCL: hcl, Canonicalize: true }));
    await this.call("PUT", "/v1/jobs", { Job: job, Submission: { Source: hcl, Format: "hcl2", Variables: "" } });
    return job;
  }

  jobFile(name) {
    return readFile(join(import.meta.dirname, "jobs", name), "utf8");
  }

  allocations(job) {
    return this.get(`/v1/job/${encodeURIComponent(job)}/allocations`);
  }

  /** Waits until so many allocations of a job run. */
  running(job, n) {
    return until(`${n} running allocations of ${job}`, async () => {
      const list = (await this.allocations(job)).filter((a) => a.ClientStatus === "running" && a.DesiredStatus === "run");
      return list.length >= n && list;
    });
  }
}
