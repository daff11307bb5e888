/**
 * Chromium walks through the console of a real service:
 *   COUNTERFOIL=path node interop/browser/walk.mjs [--full] [--screenshots FOLDER]
 * Short: signs in, reads the Overview and the Trail, checks a proof. Full: every page, axe on each, light and dark and
 * narrow, a token made and revoked, alerts raised by the finance rules and decided on, a day signed, a verification run, and a
 * segment tampered with on disk, which must be told.
 */
import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { openBrowser } from "../../console/dev/browser.mjs";
import {
  inbox,
  openAlert,
  openInbox,
  openOverrides,
  openReview,
  overrides,
  readOnlyDecidesNothing,
  readersDecideNothing,
  recordCases,
  searches,
  signOff,
  watchOf,
} from "./review.mjs";
import { counterfoil, fill, serve } from "./service.mjs";

const full = process.argv.includes("--full");
const shots = process.argv.includes("--screenshots") ? process.argv[process.argv.indexOf("--screenshots") + 1] : null;
const axe = readFileSync(createRequire(import.meta.resolve("../../console/dev/axe.mjs")).resolve("axe-core/axe.min.js"), "utf8");

let passed = 0;
let failed = 0;
function check(holds, what) {
  if (holds) passed += 1;
  else failed += 1;
  console.log(`${holds ? "ok  " : "FAIL"}  ${what}`);
}

/** A page that counts every error of the console and of the network as a failure. */
async function open(browser, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
  return page;
}

async function settle(page) {
  await page.waitForLoadState("networkidle", { timeout: 5_000 }).catch(() => {});
  await page.waitForTimeout(300);
}

async function examine(page, name) {
  await page.evaluate(axe);
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run({ runOnly }), tags);
  const told = violations.map(({ id, nodes }) => `${id} at ${nodes[0].target.join(" ")}`).join("; ");
  check(violations.length === 0, `${name}: axe finds no violation of WCAG 2.1 AA ${told}`);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(wider <= 0, `${name}: nothing stands out sideways`);
}

async function openOverride(page, base) {
  await page.goto(`${base}/trail?event_type=manual_override`);
  await page.locator(".event-side button").first().click();
  await page.locator(".stub .verdict").waitFor();
}

/** Pages that are long, or lie over another: their picture is what the screen shows. */
const SCREENS = ["entry", "trail", "alerts", "alert", "overrides"];

const pages = (entity) => [
  ["overview", async (page, base) => page.goto(`${base}/`)],
  ["trail", async (page, base) => page.goto(`${base}/trail`)],
  ["entry", openOverride],
  ["entity", async (page, base) => page.goto(`${base}/entity/${entity}`)],
  ["alerts", openInbox],
  ["alert", openAlert],
  ["review", openReview],
  ["overrides", async (page, base) => openOverrides(page, base, "overrides")],
  ["four-eyes", async (page, base) => openOverrides(page, base, "four-eyes")],
  [
    "sql",
    async (page, base) => {
      await page.goto(`${base}/sql`);
      await page.getByRole("button", { name: "Events by type" }).click();
      await page.getByText("Chart").click();
    },
  ],
  ["integrity", async (page, base) => page.goto(`${base}/integrity`)],
  ["access", async (page, base) => page.goto(`${base}/access`)],
];

async function every(browser, service, state, entity) {
  const forms = [
    ["light", { viewport: { width: 1440, height: 900 }, colorScheme: "light" }],
    ["dark", { viewport: { width: 1440, height: 900 }, colorScheme: "dark" }],
    ["1000", { viewport: { width: 1000, height: 800 }, colorScheme: "light" }],
    ["390", { viewport: { width: 390, height: 844 }, colorScheme: "light" }],
  ];
  for (const [form, options] of forms) {
    const page = await open(browser, { ...options, storageState: state });
    for (const [name, go] of pages(entity)) {
      await go(page, service.base);
      await settle(page);
      await examine(page, `${name}, ${form}`);
      if (shots && ["light", "dark"].includes(form)) {
        mkdirSync(shots, { recursive: true });
        await page.screenshot({ path: join(shots, `${name}-${form}.png`), fullPage: !SCREENS.includes(name) });
      }
    }
    check(page.errors.length === 0, `${form}: no error in the browser ${page.errors.join("; ")}`);
    await page.context().close();
  }
}

async function signIn(page, service) {
  await page.goto(service.link);
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await settle(page);
  check(!page.url().includes("code="), "the one-time link signs in and leaves the address");
  const stranger = await open(page.context().browser(), {});
  await stranger.goto(service.link);
  await stranger.getByRole("button", { name: /sign in/i }).waitFor();
  await stranger.getByText("This link was used already or is too old").waitFor();
  check(true, "the link works once: a second browser is told so and asked for a token");
  await stranger.getByLabel("Token").fill(service.token("writer"));
  await stranger.getByRole("button", { name: "Sign in", exact: true }).click();
  await stranger.getByRole("link", { name: "Access" }).waitFor();
  check((await stranger.locator(".nav a").count()) === 1, "a writer's menu has the one page that answers a writer");
  await stranger.goto(`${service.base}/trial`);
  await stranger.getByRole("navigation").waitFor();
  check(true, "a mistyped address is a page of the console");
  await stranger.context().close();
}

async function trail(page, service) {
  await page.goto(`${service.base}/trail`);
  await page.locator(".event-side").first().waitFor();
  await page.getByLabel("Text").fill("register number");
  await page.keyboard.press("Enter");
  await settle(page);
  check(page.url().includes("q="), "a filter stands in the address");
  await page.goto(`${service.base}/trail`);
  await page.locator(".event-side").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator(".stub .verdict").waitFor();
  check(true, "j, j and Enter open an entry");
  await page.keyboard.press("Escape");
  await page.locator(".stub").waitFor({ state: "detached" });
  await openOverride(page, service.base);
  const verdict = await page.locator(".stub .verdict").innerText();
  check(/Proven here/.test(verdict), `the proof panel proves the entry in the browser: ${verdict.split("\n")[0]}`);
}

async function live(page, service) {
  await page.goto(`${service.base}/trail`);
  await page.getByRole("button", { name: "Follow live" }).click();
  await page.waitForTimeout(500);
  const token = service.token("writer");
  await fetch(`${service.base}/api/v1/entries`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ event_type: "invoice_paid", actor: "live-writer", entity_id: "INV-LIVE-1" }),
  });
  await page.getByText("INV-LIVE-1").first().waitFor();
  check(true, "an entry that is recorded now appears in the live trail");
}

async function sql(page, service) {
  await page.goto(`${service.base}/sql`);
  await page.locator(".cm-content").click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("SELECT nothing_such FROM audit_log");
  await page.keyboard.press("ControlOrMeta+Enter");
  await page.getByText("nothing_such").nth(1).waitFor();
  check(true, "a wrong statement is told with its reason");
}

async function access(page, service) {
  await page.goto(`${service.base}/access`);
  await page.getByRole("button", { name: "Make a token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name").fill("report-service");
  await dialog.getByRole("button", { name: "Make the token" }).click();
  await page.getByText(/cf_/).first().waitFor();
  const token = (await page.getByText(/cf_/).first().innerText()).match(/cf_[\w-]+/)?.[0];
  const works = () => fetch(`${service.base}/api/v1/checkpoint`, { headers: { authorization: `Bearer ${token}` } });
  check((await works()).status === 200, "a token that was made in the browser works");
  counterfoil("token", "revoke", service.ledger, "report-service");
  check((await works()).status === 401, "and ends when it is revoked");
}

async function verification(page, service) {
  await page.goto(`${service.base}/integrity`);
  await page.getByRole("button", { name: "Run one now" }).click();
  await page.getByText(/verified/i).first().waitFor();
  check(true, "a verification that is run from the browser ends well");
}

/** Changes a byte of a sealed segment behind the service's back. */
async function tamper(page, service) {
  counterfoil("seal", service.ledger);
  const folder = join(service.ledger, "segments");
  const name = readdirSync(folder).find((file) => file.endsWith(".parquet"));
  const path = join(folder, name);
  chmodSync(path, 0o644);
  const bytes = readFileSync(path);
  bytes[Math.floor(bytes.length / 3)] ^= 1;
  writeFileSync(path, bytes);
  await page.goto(`${service.base}/integrity`);
  await page.getByRole("button", { name: "Run one now" }).click();
  await page.getByText(name).nth(1).waitFor();
  await settle(page);
  const told = await page.locator(".findings").first().innerText();
  check(told.includes(name), `Integrity names the file that was changed: ${told.split("\n")[0]}`);
  if (shots) await page.screenshot({ path: join(shots, "tampered-light.png"), fullPage: true });
  await page.goto(`${service.base}/trail?entry=3`);
  await settle(page);
  if (shots) await page.screenshot({ path: join(shots, "tampered-entry-light.png") });
  const told2 = page.locator(".stub .verdict, [role=alert]").first();
  await told2.waitFor();
  const verdict = await told2.innerText();
  check(!/Proven here/.test(verdict), `the proof panel does not prove an entry of it: ${verdict.split("\n")[0]}`);
  await page.goto(`${service.base}/alerts`);
  await page.getByText("The verification found that the ledger was changed").first().waitFor();
  check(true, "and the inbox says so, although the entries cannot all be read");
  if (shots) await page.screenshot({ path: join(shots, "tampered-alerts-light.png") });
}

const service = await serve();
const browser = await openBrowser();
try {
  check(service.startedIn < 5_000, `the service on a fresh ledger answers after ${service.startedIn} ms`);
  await fill(service, full ? 4_000 : 400);
  const page = await open(browser, { viewport: { width: 1440, height: 900 } });
  await signIn(page, service);
  const state = await page.context().storageState();
  await trail(page, service);
  if (full) {
    const found = await page.evaluate(async () => {
      const list = await fetch("/api/v1/entries?event_type=manual_override&entity_type=invoice&limit=1");
      return (await list.json()).entries[0].entry.entity_id;
    });
    await live(page, service);
    await sql(page, service);
    await access(page, service);
    await recordCases(service);
    await inbox(page, service, check);
    await signOff(page, service, check);
    await overrides(page, service, check);
    await searches(page, service, check);
    await watchOf(page, service, check);
    await readersDecideNothing(browser, service, check);
    await readOnlyDecidesNothing(browser, service, check);
    await verification(page, service);
    await every(browser, service, state, found);
    await tamper(page, service);
  } else {
    await examine(page, "trail");
    check(page.errors.length === 0, `no error in the browser ${page.errors.join("; ")}`);
  }
} finally {
  await browser.close();
  await service.end();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
