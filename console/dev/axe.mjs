/** Runs axe-core on every page, light and dark, wide and narrow; any violation fails. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { openBrowser, PAGES, startMock, visit } from "./browser.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FORMS = [
  { colorScheme: "light", viewport: { width: 1440, height: 900 } },
  { colorScheme: "dark", viewport: { width: 1440, height: 900 } },
  { colorScheme: "light", viewport: { width: 390, height: 844 } },
];

const mock = await startMock(7497);
const browser = await openBrowser();
let violations = 0;
try {
  for (const form of FORMS) {
    const context = await browser.newContext(form);
    const page = await context.newPage();
    for (const [name, path] of PAGES) {
      await visit(page, mock.base, path);
      await page.evaluate(axe);
      const result = await page.evaluate(() =>
        globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }),
      );
      for (const { id, help, nodes } of result.violations) {
        violations += 1;
        console.error(`${name} (${form.colorScheme}, ${form.viewport.width} px): ${id}: ${help}`);
        for (const node of nodes.slice(0, 3))
          console.error(
            `    ${node.target.join(" ")}  ${node.html.slice(0, 160)}\n    ${node.failureSummary.split("\n")[1] ?? ""}`,
          );
      }
    }
    await context.close();
  }
} finally {
  await browser.close();
  mock.stop();
}
console.log(violations === 0 ? "axe found no violation" : `axe found ${violations} violations`);
process.exitCode = violations === 0 ? 0 : 1;
