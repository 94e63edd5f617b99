import type { LinkProps } from "@tanstack/react-router";
import type { IconName } from "../components/Icon";

export interface Place {
  to: NonNullable<LinkProps["to"]>;
  text: string;
  icon: IconName;
  key: string; // pressed after g
  /** Shown in the bar of narrow screens. */
  main?: boolean;
}

/** The places in the side bar, in groups. A new view adds its line here. */
export const places: Place[][] = [
  [
    { to: "/", text: "Overview", icon: "overview", key: "o", main: true },
    { to: "/jobs", text: "Jobs", icon: "jobs", key: "j", main: true },
    { to: "/allocations", text: "Allocations", icon: "terminal", key: "a", main: true },
  ],
  [
    { to: "/nodes", text: "Nodes", icon: "nodes", key: "n" },
    { to: "/topology", text: "Topology", icon: "topology", key: "t" },
    { to: "/evaluations", text: "Evaluations", icon: "evaluations", key: "v" },
    { to: "/events", text: "Events", icon: "events", key: "e" },
  ],
  [
    { to: "/servers", text: "Servers", icon: "servers", key: "r" },
    { to: "/namespaces", text: "Namespaces", icon: "folder", key: "m" },
    { to: "/pools", text: "Node pools", icon: "pools", key: "p" },
  ],
  [{ to: "/settings", text: "Settings", icon: "settings", key: "s", main: true }],
];
