// Three servers that are a cluster, each on ports of its own.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, freePort, until } from "./agent.mjs";

async function server(dir, i, ports, peers) {
  const [http, rpc, serf] = ports;
  const file = join(dir, `${i}.hcl`);
  await writeFile(file, `name = "s${i}"
data_dir = "${join(dir, `data-${i}`)}"
bind_addr = "127.0.0.1"
ports {
  http = ${http}
  rpc  = ${rpc}
  serf = ${serf}
}
server {
  enabled          = true
  bootstrap_expect = 3
  server_join {
    retry_join = ${JSON.stringify(peers)}
  }
}
`);
  const process_ = spawn(binary, ["agent", "-config", file], { stdio: "ignore", env: { ...process.env, NOMAD_ADDR: "", NOMAD_TOKEN: "" } });
  const ended = new Promise((done) => process_.once("exit", done));
  return {
    url: `http://127.0.0.1:${http}`,
    rpc: `127.0.0.1:${rpc}`,
    kill: async () => {
      if (process_.exitCode === null) process_.kill("SIGKILL");
      await ended;
    },
  };
}

/** Starts three servers, and gives them once they have a leader. */
export async function startServers() {
  const dir = await mkdtemp(join(tmpdir(), "serai-ui-"));
  const ports = [];
  for (let i = 0; i < 3; i++) ports.push([await freePort(), await freePort(), await freePort()]);
  const all = [];
  for (let i = 0; i < 3; i++) all.push(await server(dir, i, ports[i], ports.map((p) => `127.0.0.1:${p[2]}`)));
  const close = async () => {
    for (const s of all) await s.kill();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await until("three servers have a leader", async () => (await peers(all[0])).length === 3 && (await leader(all)) !== undefined, 90);
  } catch (e) {
    await close();
    throw e;
  }
  return { all, close };
}

const peers = async (s) => (await fetch(`${s.url}/v1/status/peers`)).json();

/** The server that all of those that answer say leads. */
export async function leader(servers) {
  const said = await Promise.all(servers.map(async (s) => (await fetch(`${s.url}/v1/status/leader`)).json()));
  return said[0] !== "" && said.every((a) => a === said[0]) ? servers.find((s) => s.rpc === said[0]) : undefined;
}
