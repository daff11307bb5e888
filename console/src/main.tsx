import "./styles/mantine.css";
import "uplot/dist/uPlot.min.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/diff.css";
import "./styles/controls.css";
import "./styles/trail.css";
import "./styles/entry.css";
import "./styles/entity.css";
import "./styles/sql.css";
import "./styles/integrity.css";
import "./styles/overview.css";
import "./styles/review.css";
import { MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { theme } from "./theme";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        <App />
      </MantineProvider>
    </StrictMode>,
  );
}
