/**
 * How long a person waits in Chromium: COUNTERFOIL=path node interop/browser/speed.mjs LEDGER [OUT.json]
 * Each figure is the median of five, from the click to what was asked for on the screen.
 */
import { writeFileSync } from "node:fs";
import { openBrowser } from "../../console/dev/browser.mjs";
import { serve } from "./service.mjs";

const [ledger, out] = process.argv.slice(2);
const service = await serve(ledger);
const browser = await openBrowser();
const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
page.setDefaultTimeout(60_000);
await page.goto(service.link);
await page.getByRole("heading", { name: "Overview" }).waitFor();
await page.waitForLoadState("networkidle");

/** Milliseconds until the page has gone to an address of the console and shows what it should. */
const goTo = (path, shown) =>
  page.evaluate(
    async ([path, shown]) => {
      const before = document.querySelector(shown)?.textContent;
      const since = performance.now();
      history.pushState({}, "", path);
      dispatchEvent(new PopStateEvent("popstate"));
      for (;;) {
        const found = document.querySelector(shown);
        const busy = document.querySelector("[aria-busy=true], .mantine-Loader-root, .mantine-Skeleton-root");
        if (found && !busy && found.textContent !== before) return performance.now() - since;
        if (performance.now() - since > 15_000) throw new Error(`${path} never showed ${shown}`);
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    },
    [path, shown],
  );

async function median(from, path, shown) {
  const times = [];
  for (let round = 0; round < 5; round += 1) {
    await page.goto(service.base + from);
    await page.waitForLoadState("networkidle");
    times.push(await goTo(path, shown));
  }
  return Math.round(times.sort((a, b) => a - b)[2]);
}

const size = await page.evaluate(async () => (await (await fetch("/api/v1/status")).json()).tree_size);
const known = await page.evaluate(async () => {
  const { entries } = await (await fetch("/api/v1/entries?limit=500")).json();
  return entries.map(({ entry }) => entry).find(({ event_type }) => !event_type.startsWith("ledger."));
});
const figures = {
  tree_size: size,
  service_start_ms: service.startedIn,
  overview_ms: await median("/sql", "/", "main canvas, main .u-legend"),
  trail_first_page_ms: await median("/sql", "/trail", ".event-side"),
  filter_by_type_ms: await median("/sql", "/trail?event_type=manual_override", ".event-side"),
  filter_by_actor_ms: await median("/sql", `/trail?actor=${encodeURIComponent(known.actor)}`, ".event-side"),
  filter_by_entity_ms: await median("/sql", `/trail?entity_id=${encodeURIComponent(known.entity_id)}`, ".event-side"),
};
await browser.close();
await service.end();
console.log(JSON.stringify(figures, null, 2));
if (out) writeFileSync(out, `${JSON.stringify(figures, null, 2)}\n`);
