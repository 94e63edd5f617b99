// Reads and writes as React hooks. A read is kept fresh by the event stream:
// live/affected.ts says which events concern it.
import { QueryClient, keepPreviousData, queryOptions, useMutation, useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { toast } from "../components/Toast";
import { ApiError, call, callPages, clusterFacts, type Body, type ClusterFacts, type Params, type Result } from "./client";
import { shared } from "./sharing";
import type { OperationName } from "./types.gen";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Infinity, // events say what is old
      gcTime: 60_000,
      retry: false, // the event stream's return fetches anew
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      networkMode: "always",
      structuralSharing: (then, now) => shared(then, now),
    },
    mutations: { networkMode: "always" },
  },
});

/** Lists that may be so long that they are read in pages. */
const paged = new Set<OperationName>(["Allocations.List"]);

export type ReadKey<K extends OperationName = OperationName> = readonly [op: K, params: Params<K>, body?: Body<K>];

export function reading<K extends OperationName>(op: K, params: Params<K>, body?: Body<K>) {
  return queryOptions<Result<K>, ApiError>({
    queryKey: [op, params, body ?? null],
    queryFn: ({ signal }) => (paged.has(op) ? callPages(op, params, signal) : call(op, params, body, signal)),
  });
}

/** Reads an operation and stays current. keep shows the last answer while another one is on its way. */
export function useRead<K extends OperationName>(
  op: K,
  params: Params<K>,
  options: { enabled?: boolean; keep?: boolean; body?: Body<K> } = {},
): UseQueryResult<Result<K>, ApiError> {
  return useQuery({
    ...reading(op, params, options.body),
    enabled: options.enabled ?? true,
    placeholderData: options.keep ? keepPreviousData : undefined,
  } as ReturnType<typeof reading<K>>);
}

/** An action. What it did is told by done, what went wrong is told as it is. */
export function useAct<A, R>(act: (args: A) => Promise<R>, done?: (result: R, args: A) => string | void) {
  return useMutation<R, Error, A>({
    mutationFn: act,
    onSuccess: (result, args) => {
      const text = done?.(result, args);
      if (text) toast(text, "ok");
    },
    onError: (e) => toast(explain(e), "bad"),
  });
}

/** An error in words that say what to do. */
export function explain(e: unknown): string {
  if (!(e instanceof ApiError)) return e instanceof Error ? e.message : String(e);
  if (!e.denied || e.message.includes("needs ")) return e.message;
  const need = e.capability === "" ? "" : ` It needs the capability “${e.capability}”.`;
  return `${e.message}.${need}`.replace("..", ".");
}

export const useClusterFacts = (): ClusterFacts => useSyncExternalStore(clusterFacts.subscribe, clusterFacts.get);
