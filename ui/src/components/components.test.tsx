import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import * as Tooltip from "@radix-ui/react-tooltip";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { useState, type ReactNode } from "react";
import { describe, expect, it, vi } from "vitest";
import { ApiError } from "../api/client";
import { queryClient } from "../api/query";
import type { JobDiff } from "../api/types.gen";
import { startHotkeys } from "../app/hotkeys";
import { ScrollerContext } from "../app/scroller";
import { jobState, sum } from "../lib/status";
import { Failure } from "./Basics";
import { Confirm } from "./Dialog";
import { Diff } from "./Diff";
import { Badge, Name, StatusBar } from "./Status";
import { Table } from "./Table";

function Scroller({ children }: { children: ReactNode }) {
  const [element, setElement] = useState<HTMLElement | null>(null);
  return (
    <ScrollerContext value={element}>
      <div ref={setElement}>{element && children}</div>
    </ScrollerContext>
  );
}

/** Shows something where the router, hints and reads are at hand. */
async function show(node: ReactNode): Promise<void> {
  const root = createRootRoute({ component: () => <Scroller>{node}</Scroller> });
  const router = createRouter({ routeTree: root, history: createMemoryHistory() });
  render(
    <QueryClientProvider client={queryClient}>
      <Tooltip.Provider>
        <RouterProvider router={router as never} />
      </Tooltip.Provider>
    </QueryClientProvider>,
  );
  await waitFor(() => expect(document.body.querySelector("span, p, button, div > div")).not.toBeNull());
}

describe("names of somebody else", () => {
  it("are text, whatever is in them", async () => {
    await show(<Name>{'<img src=x onerror="alert(1)">\u0007'}</Name>);
    expect(document.querySelector("img")).toBeNull();
    expect(document.body.textContent).toBe('<img src=x onerror="alert(1)">␇');
  });
});

describe("states", () => {
  it("are told by a word beside the colour", async () => {
    await show(<Badge state={{ tone: "bad", text: "failed" }} />);
    expect(screen.getByText("failed")).toBeTruthy();
  });
  it("of a bar are told in words", async () => {
    await show(<StatusBar counts={{ ...sum(undefined), running: 2, queued: 1, complete: 9 }} />);
    expect(screen.getByRole("img").getAttribute("aria-label")).toBe("2 running, 1 unplaced");
  });
  it("of a job follow from what is wanted and what is there", () => {
    const job = { Status: "running", Stop: false, Type: "service", Periodic: false, ParameterizedJob: false };
    const counts = sum(undefined);
    expect(jobState(job, { ...counts, running: 2 }).text).toBe("running");
    expect(jobState(job, { ...counts, running: 2, queued: 1 }).text).toBe("degraded");
    expect(jobState(job, { ...counts, queued: 1 }).text).toBe("unplaced");
    expect(jobState({ ...job, Stop: true, Status: "dead" }, counts).text).toBe("stopped");
    expect(jobState({ ...job, Type: "batch", Status: "dead" }, { ...counts, failed: 1 }).tone).toBe("bad");
  });
});

describe("Table", () => {
  const rows = Array.from({ length: 50_000 }, (_, i) => ({ id: `row-${i}`, n: (i * 7919) % 50_000 }));
  const columns = [
    { id: "id", head: "Row", value: (r: (typeof rows)[0]) => r.id, cell: (r: (typeof rows)[0]) => r.id },
    { id: "n", head: "Number", value: (r: (typeof rows)[0]) => r.n, cell: (r: (typeof rows)[0]) => String(r.n) },
  ];
  it("keeps only the rows in view in the page", async () => {
    await show(<Table name="things" rows={rows} columns={columns} rowKey={(r) => r.id} />);
    expect(await screen.findByText("row-0")).toBeTruthy();
    expect(screen.getAllByRole("row").length).toBeLessThan(100);
    expect(screen.getByText("50,000 things")).toBeTruthy();
  });
  it("sorts by what a column is worth", async () => {
    await show(<Table name="things" rows={rows} columns={columns} rowKey={(r) => r.id} />);
    await userEvent.click(await screen.findByRole("button", { name: "Number" }));
    expect(screen.getAllByRole("row")[1]?.textContent).toMatch(/^row-00$/);
    await userEvent.click(screen.getByRole("button", { name: /^Number/ }));
    expect(screen.getAllByRole("row")[1]?.textContent).toContain("49999");
  });
  it("is moved through by j and k", async () => {
    startHotkeys();
    await show(<Table name="things" rows={rows} columns={columns} rowKey={(r) => r.id} keys />);
    await screen.findByText("row-0");
    await userEvent.keyboard("jjk");
    expect(document.querySelector(".cursor")?.textContent).toContain("row-0");
  });
});

describe("Confirm", () => {
  it("does nothing until the name is typed, and says what went wrong", async () => {
    const act = vi.fn(() => Promise.reject(new ApiError(403, "Permission denied", "Job.Deregister", "submit-job")));
    await show(
      <Confirm title="Purge?" label="Purge" danger typed="web" act={act} onClose={() => {}}>
        It is gone then.
      </Confirm>,
    );
    const button = await screen.findByRole("button", { name: "Purge" });
    expect((button as HTMLButtonElement).disabled).toBe(true);
    await userEvent.type(screen.getByRole("textbox"), "web");
    await userEvent.click(button);
    expect(act).toHaveBeenCalledTimes(1);
    expect((await screen.findByRole("alert")).textContent).toContain("submit-job");
  });
});

describe("Failure", () => {
  it("says what is missing and where to sign in", async () => {
    await show(<Failure error={new ApiError(403, "Permission denied", "Jobs.List", "list-jobs")} what="list of jobs" />);
    expect((await screen.findByText(/list-jobs/)).textContent).toContain("Permission denied");
    expect(screen.getByRole("link", { name: /Sign in/ })).toBeTruthy();
  });
});

describe("Diff", () => {
  it("shows what differs and not what does not", async () => {
    const diff = { Type: "Edited", ID: "web", Fields: [{ Type: "Edited", Name: "Priority", Old: "50", New: "<b>60</b>", Annotations: null }, { Type: "None", Name: "Type", Old: "service", New: "service", Annotations: null }], Objects: null, TaskGroups: null } as JobDiff;
    await show(<Diff diff={diff} />);
    const line = await screen.findByRole("listitem");
    expect(line.textContent).toBe("~Priority: 50 → <b>60</b>");
    expect(document.querySelector("b")).toBeNull();
  });
});
