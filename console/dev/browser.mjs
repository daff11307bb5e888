import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const CHROMIUM = [process.env.CHROMIUM, "/usr/lib/chromium/chromium", "/usr/bin/chromium"].find(
  (path) => path && existsSync(path),
);

export const PAGES = [
  ["overview", "/"],
  ["trail", "/trail"],
  ["entry", "/trail?event_type=manual_override&entry=first"],
  ["entity", "/entity/first"],
  ["alerts", "/alerts"],
  ["alert", "/alerts?alert=first"],
  ["review", "/review"],
  ["overrides", "/overrides"],
  ["four-eyes", "/overrides?view=four-eyes"],
  ["sql", "/sql"],
  ["answer", "/sql?run"],
  ["integrity", "/integrity"],
  ["access", "/access"],
  ["sign-in", "/sign-in"],
];

export async function startMock(port, environment = {}) {
  const child = spawn(process.execPath, [fileURLToPath(new URL("mock.mjs", import.meta.url))], {
    env: { ...process.env, PORT: String(port), STILL: "1", ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  return { base: `http://127.0.0.1:${port}`, stop: () => child.kill() };
}

export function openBrowser() {
  return chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
}

export async function visit(page, base, path) {
  if (path.endsWith("entry=first")) {
    await page.goto(`${base}${path.replace("&entry=first", "")}`);
    await page.locator(".event-side button").first().click();
    await page.locator(".stub .verdict").waitFor();
  } else if (path.endsWith("alert=first")) {
    await page.goto(base + path.replace("?alert=first", ""));
    await page.locator(".alert-title").nth(1).click();
    await page.locator(".panel .event").first().waitFor();
  } else if (path === "/sql?run") {
    await page.goto(`${base}/sql`);
    await page.getByRole("button", { name: "Events by type" }).click();
    await page.getByText("Chart").click();
  } else if (path === "/entity/first") {
    const found = await fetch(`${base}/api/v1/entries?event_type=manual_override&entity_type=invoice&limit=1`);
    const { entries } = await found.json();
    await page.goto(`${base}/entity/${entries[0].entry.entity_id}`);
  } else {
    await page.goto(base + path);
  }
  await page.waitForLoadState("networkidle");
  await page.waitForTimeout(300);
}
