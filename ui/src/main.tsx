import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import * as Tooltip from "@radix-ui/react-tooltip";
import { setNonce } from "get-nonce";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/query";
import { applyTheme, settings } from "./api/settings";
import { startHotkeys } from "./app/hotkeys";
import { nonce } from "./app/page";
import { router } from "./app/router";
import { live, startLive } from "./live/live";
import { Refresher } from "./live/refresher";
import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/components.css";
import "./styles/shell.css";

applyTheme();
setNonce(nonce());
startHotkeys();

const refresher = new Refresher(queryClient);
live.onBatch((batch) => refresher.take(batch));
live.onRestart((asOf) => refresher.since(asOf));
startLive();

// Nothing that one token or region has shown is left for the next.
let { token, region } = settings.get();
settings.subscribe(() => {
  const next = settings.get();
  if (next.token === token && next.region === region) return;
  ({ token, region } = next);
  void queryClient.resetQueries();
});

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <Tooltip.Provider>
          <RouterProvider router={router} />
        </Tooltip.Provider>
      </QueryClientProvider>
    </StrictMode>,
  );
}
