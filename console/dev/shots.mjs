/** Screenshots of every page in the widths and colours that must look right: `npm run shots -- FOLDER [PAGE…]`. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { openBrowser, PAGES, startMock, visit } from "./browser.mjs";

const [folder = "/tmp/console-shots", ...only] = process.argv.slice(2);
const FORMS = [
  ["light", { width: 1440, height: 900 }, "light"],
  ["dark", { width: 1440, height: 900 }, "dark"],
  ["1000", { width: 1000, height: 800 }, "light"],
  ["390", { width: 390, height: 844 }, "light"],
];

await mkdir(folder, { recursive: true });
const mock = await startMock(7498);
const browser = await openBrowser();
try {
  for (const [form, viewport, colorScheme] of FORMS) {
    const context = await browser.newContext({ viewport, colorScheme });
    const page = await context.newPage();
    page.on("pageerror", (error) => console.error(form, error.message));
    page.on("console", (message) => message.type() === "error" && console.error(form, message.text()));
    for (const [name, path] of PAGES) {
      if (only.length && !only.includes(name)) continue;
      await visit(page, mock.base, path);
      await page.screenshot({
        path: join(folder, `${name}-${form}.png`),
        fullPage: !["entry", "alert", "overrides"].includes(name),
      });
    }
    await context.close();
  }
} finally {
  await browser.close();
  mock.stop();
}
