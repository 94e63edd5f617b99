// What nodes have, and what of it allocations have been promised.
import { useMemo } from "react";
import { useRead } from "../../api/query";
import type { AllocatedResources, AllocationUsage, NodeListStub, NodeReservedResources, NodeResources, NodeUsage } from "../../api/types.gen";

/** CPU in MHz, memory and disk in MiB, devices in instances (a share of one counts as a part). */
export interface Amounts {
  cpu: number;
  memory: number;
  disk: number;
  devices: number;
}

export const none = (): Amounts => ({ cpu: 0, memory: 0, disk: 0, devices: 0 });

/** What a node has for allocations. */
export function capacity(n: { NodeResources?: NodeResources | null; ReservedResources?: NodeReservedResources | null }): Amounts {
  const r = n.NodeResources;
  const kept = n.ReservedResources;
  const left = (has: number | undefined, reserved: number | undefined): number => Math.max(0, (has ?? 0) - (reserved ?? 0));
  return {
    cpu: left(r?.Cpu.CpuShares, kept?.Cpu.CpuShares),
    memory: left(r?.Memory.MemoryMB, kept?.Memory.MemoryMB),
    disk: left(r?.Disk.DiskMB, kept?.Disk.DiskMB),
    devices: (r?.Devices ?? []).reduce((sum, d) => sum + (d.Instances?.length ?? 0), 0),
  };
}

/** What an allocation has been promised. */
export function promise(r: AllocatedResources | null | undefined): Amounts {
  const a = none();
  a.disk = r?.Shared.DiskMB ?? 0;
  for (const t of Object.values(r?.Tasks ?? {})) {
    a.cpu += t.Cpu.CpuShares;
    a.memory += t.Memory.MemoryMB;
    for (const d of t.Devices ?? []) a.devices += (d.DeviceIDs?.length ?? 0) * (d.Share ?? 1);
  }
  return a;
}

export const add = (to: Amounts, a: Amounts): void => {
  to.cpu += a.cpu;
  to.memory += a.memory;
  to.disk += a.disk;
  to.devices += a.devices;
};

export interface NodeUse {
  promised: Amounts;
  count: number; // of allocations, also of those that one may not read
  allocations: AllocationUsage[]; // where they were asked for
}

/** Amounts as the API counts them. */
export const amounts = (u: Pick<AllocationUsage, "CPU" | "MemoryMB" | "DiskMB" | "Devices">): Amounts => ({ cpu: u.CPU, memory: u.MemoryMB, disk: u.DiskMB, devices: u.Devices });

/** What is in use of nodes, by their IDs. */
export const byNode = (list: NodeUsage[]): Map<string, NodeUse> => new Map(list.map((u) => [u.NodeID, { promised: amounts(u), count: u.Count, allocations: u.Allocations ?? [] }]));

/** What allocations take of nodes; with each of them where the view shows them. Views that ask for the same share the answer. */
export function useUse(allocations = false): { use: Map<string, NodeUse> | undefined; denied: boolean } {
  const read = useRead("Nodes.Usage", allocations ? { allocations } : {});
  const use = useMemo(() => (read.data === undefined ? undefined : byNode(read.data)), [read.data]);
  return { use, denied: read.error?.denied ?? false };
}

/** The share of a whole, between 0 and 1; 0 where there is no whole. */
export const share = (part: number, whole: number): number => (whole <= 0 ? 0 : Math.min(1, part / whole));

/** The names of drivers that are detected, and of those the ones that are not healthy. */
export function drivers(n: Pick<NodeListStub, "Drivers">): { healthy: string[]; unhealthy: string[] } {
  const found = Object.entries(n.Drivers ?? {}).filter(([, d]) => d.Detected);
  const names = (healthy: boolean): string[] => found.filter(([, d]) => d.Healthy === healthy).map(([name]) => name).sort();
  return { healthy: names(true), unhealthy: names(false) };
}
