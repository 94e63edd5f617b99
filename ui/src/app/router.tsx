// Every address of the UI. A view is loaded when it is first gone to.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, retainSearchParams } from "@tanstack/react-router";
import { Crashed, NotFound, Shell } from "./Shell";

type Text = Record<string, string | undefined>;

/** Keeps the named search parameters, as text. */
const texts =
  <K extends string>(...names: K[]) =>
  (search: Record<string, unknown>): { [P in K]?: string } => {
    const out: Text = {};
    for (const n of names) if (typeof search[n] === "string" && search[n] !== "") out[n] = search[n];
    return out as { [P in K]?: string };
  };

const root = createRootRoute({
  component: Shell,
  notFoundComponent: NotFound,
  errorComponent: Crashed,
  validateSearch: texts("ns"),
  search: { middlewares: [retainSearchParams(["ns"])] },
});

const overview = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("../views/overview/Overview"), "Overview"),
});
const jobs = createRoute({
  getParentRoute: () => root,
  path: "/jobs",
  validateSearch: texts("q", "status", "type"),
  component: lazyRouteComponent(() => import("../views/jobs/Jobs"), "Jobs"),
});
const job = createRoute({
  getParentRoute: () => root,
  path: "/jobs/$namespace/$job",
  validateSearch: texts("tab", "group", "version", "status", "task", "find"),
  component: lazyRouteComponent(() => import("../views/job/JobPage"), "JobPage"),
});
const run = createRoute({
  getParentRoute: () => root,
  path: "/jobs/run",
  validateSearch: texts("edit", "version"),
  component: lazyRouteComponent(() => import("../views/run/RunPage"), "RunPage"),
});
const allocations = createRoute({
  getParentRoute: () => root,
  path: "/allocations",
  validateSearch: texts("q", "status"),
  component: lazyRouteComponent(() => import("../views/allocations/Allocations"), "Allocations"),
});
const allocation = createRoute({
  getParentRoute: () => root,
  path: "/allocations/$alloc",
  validateSearch: texts("tab", "task", "stream", "path", "find"),
  component: lazyRouteComponent(() => import("../views/alloc/AllocationPage"), "AllocationPage"),
});
const nodes = createRoute({
  getParentRoute: () => root,
  path: "/nodes",
  validateSearch: texts("q", "state", "pool", "dc", "class"),
  component: lazyRouteComponent(() => import("../views/nodes/Nodes"), "Nodes"),
});
const node = createRoute({
  getParentRoute: () => root,
  path: "/nodes/$node",
  validateSearch: texts("tab"),
  component: lazyRouteComponent(() => import("../views/nodes/NodePage"), "NodePage"),
});
const topology = createRoute({
  getParentRoute: () => root,
  path: "/topology",
  validateSearch: texts("by", "show", "zoom", "q"),
  component: lazyRouteComponent(() => import("../views/topology/Topology"), "Topology"),
});
const events = createRoute({
  getParentRoute: () => root,
  path: "/events",
  validateSearch: texts("q", "topic", "key"),
  component: lazyRouteComponent(() => import("../views/events/Events"), "Events"),
});
const evaluations = createRoute({
  getParentRoute: () => root,
  path: "/evaluations",
  validateSearch: texts("q", "status"),
  component: lazyRouteComponent(() => import("../views/evaluations/Evaluations"), "Evaluations"),
});
const evaluation = createRoute({
  getParentRoute: () => root,
  path: "/evaluations/$eval",
  component: lazyRouteComponent(() => import("../views/evaluations/EvaluationPage"), "EvaluationPage"),
});
const servers = createRoute({
  getParentRoute: () => root,
  path: "/servers",
  component: lazyRouteComponent(() => import("../views/servers/Servers"), "Servers"),
});
const namespaces = createRoute({
  getParentRoute: () => root,
  path: "/namespaces",
  component: lazyRouteComponent(() => import("../views/namespaces/Namespaces"), "Namespaces"),
});
const pools = createRoute({
  getParentRoute: () => root,
  path: "/pools",
  component: lazyRouteComponent(() => import("../views/namespaces/NodePools"), "NodePools"),
});
const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  component: lazyRouteComponent(() => import("../views/settings/SettingsPage"), "SettingsPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([overview, jobs, run, job, allocations, allocation, nodes, node, topology, events, evaluations, evaluation, servers, namespaces, pools, settings]),
  basepath: "/ui",
  defaultPreload: "intent",
  defaultErrorComponent: Crashed,
  scrollRestoration: true,
  scrollToTopSelectors: ["#main"],
  // Search parameters are plain text: ?q=web stays as it was written.
  parseSearch: (s) => Object.fromEntries(new URLSearchParams(s)),
  stringifySearch: (o) => {
    const q = new URLSearchParams();
    for (const [k, v] of Object.entries(o as Text)) if (v !== undefined && v !== "") q.set(k, v);
    const text = q.toString();
    return text === "" ? "" : `?${text}`;
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
