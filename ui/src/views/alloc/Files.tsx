// The files of an allocation: folders, a look into files, and saving them.
import { Link, getRouteApi } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { address, call, open } from "../../api/client";
import { explain } from "../../api/query";
import { settings } from "../../api/settings";
import type { AllocFileInfo } from "../../api/types.gen";
import { useQuery } from "@tanstack/react-query";
import { Callout, Empty, Failure, Panel, Skeleton, Time } from "../../components/Basics";
import { Icon } from "../../components/Icon";
import { LogView } from "../../components/log/LogView";
import type { LogSource } from "../../components/log/follow";
import { Name } from "../../components/Status";
import { Table, type Column } from "../../components/Table";
import { toast } from "../../components/Toast";
import { download } from "../../lib/export";
import { bytes, count, visible } from "../../lib/format";
import "./files.css";

const route = getRouteApi("/allocations/$alloc");

const join = (dir: string, name: string): string => `${dir === "/" ? "" : dir}/${name}`;

export function Files({ id }: { id: string }) {
  const { path = "/" } = route.useSearch();
  const stat = useQuery({ queryKey: ["file", id, path], queryFn: ({ signal }) => call("FS.Stat", { id, path }, undefined, signal), gcTime: 0, staleTime: 0 });
  return (
    <Panel flush title={<Path path={path} />} actions={stat.data && !stat.data.IsDir && <Save id={id} path={path} size={stat.data.Size} />}>
      {stat.data === undefined ? (
        stat.error ? <div className="body"><Failure error={stat.error} what="file" /></div> : <Skeleton />
      ) : stat.data.IsDir ? (
        <Folder key={path} id={id} path={path} />
      ) : (
        <File key={path} id={id} path={path} info={stat.data} />
      )}
    </Panel>
  );
}

function Path({ path }: { path: string }) {
  const parts = path.split("/").filter((p) => p !== "");
  return (
    <nav className="file-path" aria-label="Path">
      <To path="/">alloc</To>
      {parts.map((p, i) => (
        <span key={i} className="row">
          <span className="faint">/</span>
          <To path={`/${parts.slice(0, i + 1).join("/")}`}>
            <Name>{p}</Name>
          </To>
        </span>
      ))}
    </nav>
  );
}

function To({ path, children }: { path: string; children: React.ReactNode }) {
  return (
    <Link to="." search={((s: Record<string, unknown>) => ({ ...s, path: path === "/" ? undefined : path })) as never}>
      {children}
    </Link>
  );
}

/** At most so many entries of a folder are shown. */
const MAX_ENTRIES = 20_000;

function Folder({ id, path }: { id: string; path: string }) {
  const read = useQuery({ queryKey: ["folder", id, path], queryFn: ({ signal }) => call("FS.List", { id, path }, undefined, signal), gcTime: 0, staleTime: 0 });
  const columns = useMemo((): Column<AllocFileInfo>[] => [
    { id: "name", head: "Name", width: "minmax(140px, 3fr)", value: (f) => `${f.IsDir ? 0 : 1}${f.Name}`, saved: (f) => f.Name, cell: (f) => <To path={join(path, f.Name)}><span className="row"><Icon name={f.IsDir ? "folder" : "file"} /><span className="cut"><Name>{f.Name}</Name></span></span></To> },
    { id: "size", head: "Size", width: "90px", right: true, value: (f) => f.Size, cell: (f) => <span className="dim">{f.IsDir ? "" : bytes(f.Size)}</span> },
    { id: "mode", head: "Mode", width: "110px", wide: true, value: (f) => f.FileMode, cell: (f) => <code className="dim">{f.FileMode}</code> },
    { id: "time", head: "Changed", width: "90px", right: true, value: (f) => f.ModTime, cell: (f) => <span className="dim"><Time at={f.ModTime} /></span> },
  ], [path]);
  if (read.data === undefined) return read.error ? <div className="body"><Failure error={read.error} what="folder" /></div> : <Skeleton />;
  return (
    <Table
      name="files" rows={read.data.slice(0, MAX_ENTRIES)} columns={columns} keys rowKey={(f) => f.Name} sort={{ by: "name", down: false }} empty={<Empty icon="folder" title="The folder is empty" />}
      note={read.data.length > MAX_ENTRIES ? `${count(MAX_ENTRIES)} of ${count(read.data.length)} files; the rest is seen with serai alloc fs` : undefined}
      rowLink={(f) => ({ to: ".", search: (s: Record<string, unknown>) => ({ ...s, path: join(path, f.Name) }) }) as never}
    />
  );
}

/** How much of a file is read to look at it, in bytes. */
const LOOK = 256 << 10;
const MAX_IMAGE = 8 << 20;
const images: Record<string, string> = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp" };

function File({ id, path, info }: { id: string; path: string; info: AllocFileInfo }) {
  const { find = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const [following, setFollowing] = useState(false);
  const image = images[path.slice(path.lastIndexOf(".") + 1).toLowerCase()];
  const source = useMemo((): LogSource[] => [{ kind: "file", alloc: id, path, label: path }], [id, path]);
  if (image !== undefined && info.Size <= MAX_IMAGE) return <Image id={id} path={path} type={image} />;
  return (
    <>
      <div className="log-tools">
        <span className="dim">{bytes(info.Size)}</span>
        <span className="dim">changed <Time at={info.ModTime} /></span>
        <span className="grow" />
        <button type="button" className="button small" aria-pressed={following} onClick={() => setFollowing(!following)}>Follow</button>
      </div>
      {following ? (
        <LogView sources={source} find={find} onFind={(t) => void navigate({ search: (s) => ({ ...s, find: t }), replace: true })} name={path.slice(path.lastIndexOf("/") + 1)} />
      ) : (
        <Look id={id} path={path} size={info.Size} />
      )}
    </>
  );
}

function Look({ id, path, size }: { id: string; path: string; size: number }) {
  const [from, setFrom] = useState(0);
  const read = useQuery({
    queryKey: ["look", id, path, from], gcTime: 0, staleTime: 0,
    queryFn: async ({ signal }) => new Uint8Array(await (await open("FS.ReadAt", { id, path, offset: from, limit: LOOK }, signal)).arrayBuffer()),
  });
  if (read.data === undefined) return read.error ? <div className="body"><Failure error={read.error} what="file" /></div> : <Skeleton lines={8} />;
  const binary = read.data.subarray(0, 4096).includes(0);
  return (
    <>
      {binary && <div className="note"><Callout tone="off">This file is not text: its bytes are shown in hexadecimal.</Callout></div>}
      <pre className="file-text" tabIndex={0}>{binary ? hex(read.data.subarray(0, 8192), from) : visible(new TextDecoder().decode(read.data), LOOK * 2)}</pre>
      {size > LOOK && (
        <div className="log-foot">
          <span className="num">
            Bytes {from.toLocaleString("en")} to {(from + read.data.length).toLocaleString("en")} of {size.toLocaleString("en")}
          </span>
          <span className="row">
            <button type="button" className="button small" disabled={from === 0} onClick={() => setFrom(0)}>Begin</button>
            <button type="button" className="button small" disabled={from === 0} onClick={() => setFrom(Math.max(0, from - LOOK))}>Back</button>
            <button type="button" className="button small" disabled={from + LOOK >= size} onClick={() => setFrom(from + LOOK)}>On</button>
            <button type="button" className="button small" disabled={from + LOOK >= size} onClick={() => setFrom(Math.max(0, size - LOOK))}>End</button>
          </span>
        </div>
      )}
    </>
  );
}

function hex(data: Uint8Array, from: number): string {
  const lines: string[] = [];
  for (let i = 0; i < data.length; i += 16) {
    const row = [...data.subarray(i, i + 16)];
    const text = row.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : ".")).join("");
    lines.push(`${(from + i).toString(16).padStart(8, "0")}  ${row.map((b) => b.toString(16).padStart(2, "0")).join(" ").padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}

function Image({ id, path, type }: { id: string; path: string; type: string }) {
  const [url, setURL] = useState("");
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    const abort = new AbortController();
    let made = "";
    open("FS.Cat", { id, path }, abort.signal)
      .then((r) => r.arrayBuffer())
      .then((b) => setURL((made = URL.createObjectURL(new Blob([b], { type })))))
      .catch((e: unknown) => !abort.signal.aborted && setError(e));
    return () => {
      abort.abort();
      if (made !== "") URL.revokeObjectURL(made);
    };
  }, [id, path, type]);
  if (error !== undefined) return <div className="body"><Failure error={error} what="image" /></div>;
  return url === "" ? <Skeleton /> : <img className="file-image" src={url} alt={visible(path, 200)} />;
}

/** The largest file that is saved where the browser must hold all of it, in bytes. */
const MAX_HELD = 256 << 20;

/** Where the browser lets a page write a file as it comes: on HTTPS and loopback, in some browsers. */
type Picker = (o: { suggestedName: string }) => Promise<{ createWritable(): Promise<WritableStream<Uint8Array>> }>;
const picker = (): Picker | undefined => (window as { showSaveFilePicker?: Picker }).showSaveFilePicker;

/** Saves a file with a token, which no address may hold: small ones at once, large ones as they come. */
async function save(id: string, path: string, name: string, size: number): Promise<void> {
  const pick = picker();
  if (size > MAX_HELD && pick === undefined) {
    toast(`${name} is too large to be saved with a token in this browser; use: serai alloc fs ${id} ${path}`, "bad");
    return;
  }
  try {
    if (size > MAX_HELD && pick !== undefined) {
      const file = await (await pick({ suggestedName: name })).createWritable();
      await (await open("FS.Cat", { id, path })).body?.pipeTo(file);
      toast(`${name} is saved.`);
      return;
    }
    download(name, await (await open("FS.Cat", { id, path })).blob(), "application/octet-stream");
  } catch (e) {
    if (!(e instanceof DOMException && e.name === "AbortError")) toast(explain(e), "bad"); // else nobody chose a place for it
  }
}

/** Saves a file. Without a token the browser does it alone, whatever the size. */
function Save({ id, path, size }: { id: string; path: string; size: number }) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (settings.get().token === "") {
    return (
      <a className="button small" href={address("FS.Cat", { id, path })} download={name}>
        <Icon name="download" />
        Download
      </a>
    );
  }
  return (
    <button type="button" className="button small" onClick={() => void save(id, path, name, size)}>
      <Icon name="download" />
      Download
    </button>
  );
}
