/** Reviewing with the console of a service that is watched by the finance rules: inbox, daily review, overrides, four eyes. */
import { readFileSync } from "node:fs";
import { serve } from "./service.mjs";

const UNEXPLAINED = "Manual override without a reason";
const REASON = "Asked the officer: the reason stands in ticket 4711.";
const SEARCH = "Overrides that nobody explained";
const NOTE = "Both alerts discussed with the payments desk.";

/** The day on which the walk records. */
function reviewDay() {
  return new Date().toISOString().slice(0, 10);
}

/** What the rules must find: an override without a reason, and a payment released by the one who asked for it. */
export async function recordCases(service) {
  const token = service.token("writer");
  const person = { actor: "e.marsh", actor_type: "user", outcome: "success" };
  const amount = (value) => ({ amount: value, currency: "EUR" });
  const entries = [
    {
      ...person,
      event_type: "manual_override",
      entity_id: "LOAN-2041",
      old_value: { decision: "refused", ...amount(18_000) },
      new_value: { decision: "granted", ...amount(25_000) },
      context: { model_version: "credit-risk-5.2" },
    },
    { ...person, event_type: "payment_initiated", entity_id: "PAY-77", new_value: amount(4_900) },
    { ...person, event_type: "payment_released", entity_id: "PAY-77", new_value: amount(4_900) },
  ];
  const response = await fetch(`${service.base}/api/v1/entries`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(entries),
  });
  if (response.status !== 201) throw new Error(await response.text());
}

/** Opens the newest alert of the override without a reason, whatever became of it. */
export async function openAlert(page, base) {
  await page.goto(`${base}/alerts?state=all`);
  await page.locator(".alert-title", { hasText: UNEXPLAINED }).first().click();
  await page.locator(".panel .event").first().waitFor();
}

export async function openInbox(page, base) {
  await page.goto(`${base}/alerts`);
  await page.locator(".alert-title").first().waitFor();
}

export async function openReview(page, base) {
  await page.goto(`${base}/review?day=${reviewDay()}`);
  await page.locator(".figures").waitFor();
}

export async function openOverrides(page, base, view) {
  await page.goto(`${base}/overrides?view=${view}`);
  await page.locator("section.card tr").first().waitFor();
}

async function newest(page, eventType) {
  const base = new URL(page.url()).origin;
  const list = await page.request.get(`${base}/api/v1/entries?event_type=${eventType}&limit=1`);
  return (await list.json()).entries[0]?.entry;
}

/** The entry at which the alert was raised that a change of state is about. */
function overridden(change) {
  return change.context.indices.at(-1);
}

export async function inbox(page, service, check) {
  await page.goto(`${service.base}/alerts`);
  await page.locator(".alert-title", { hasText: UNEXPLAINED }).first().waitFor();
  check(true, "an alert of a rule stands in the inbox by itself");
  const badge = page.locator(".nav .count");
  await badge.waitFor();
  const before = Number.parseInt(await badge.innerText(), 10);
  check(before > 0, `the menu says how many alerts are open: ${before}`);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.locator(".panel .level").waitFor();
  check(new URL(page.url()).searchParams.has("alert"), "j, k and Enter open an alert, and the address says which");
  await page.keyboard.press("Escape");
  await page.locator(".panel").waitFor({ state: "detached" });

  await openAlert(page, service.base);
  await page.locator(".panel .event .open-entry").first().click();
  await page.locator(".stub .verdict").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".stub").waitFor({ state: "detached" });
  check(await page.locator(".panel .level").isVisible(), "the entry that caused an alert opens with its proof, and Escape leads back to the alert");

  await page.getByRole("button", { name: "Resolve" }).click();
  await page.getByText("Say why. Whoever").waitFor();
  check((await newest(page, "ledger.alert_resolved")) === undefined, "an alert is not resolved without a reason");
  await page.getByRole("textbox", { name: "Reason" }).fill(REASON);
  await page.getByRole("button", { name: "Acknowledge" }).click();
  await page.locator(".panel .changes", { hasText: REASON }).waitFor();
  const entry = await newest(page, "ledger.alert_acknowledged");
  check(entry?.reason === REASON, `acknowledging is an entry with its reason, by ${entry?.actor}`);
  const open = await page.request.get(`${service.base}/api/v1/alerts?state=open&limit=500`);
  const still = (await open.json()).alerts.some(({ title, indices }) => title === UNEXPLAINED && indices.includes(overridden(entry)));
  check(!still, "and it is open no more");
}

export async function signOff(page, service, check) {
  const day = reviewDay();
  await openReview(page, service.base);
  await page.getByLabel("Note").fill(NOTE);
  await page.getByRole("button", { name: `Sign the review of ${day}` }).click();
  await page.locator(".changes", { hasText: NOTE }).waitFor();
  const entry = await newest(page, "ledger.review_signed");
  check(entry?.entity_id === day && entry.reason === NOTE, `signing is an entry about the day, by ${entry?.actor}`);
  check(entry?.context.open_alerts >= 0, `and it holds what was shown: ${JSON.stringify(entry?.context)}`);
  await page.emulateMedia({ media: "print" });
  check(!(await page.locator(".side").isVisible()), "printed, the review stands alone");
  await page.emulateMedia({ media: "screen" });
}

export async function overrides(page, service, check) {
  await page.goto(`${service.base}/overrides?view=unexplained`);
  const row = page.getByRole("row", { name: /LOAN-2041/ });
  await row.waitFor();
  const told = await row.innerText();
  check(/No reason/.test(told) && /18.000 → 25.000/.test(told), `an override without a reason is told with its amounts: ${told.replaceAll(/\s+/g, " ")}`);
  const saved = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as CSV" }).click();
  check(readFileSync(await (await saved).path(), "utf8").includes("LOAN-2041"), "and is in the CSV file");
  await page.getByText("Four eyes").click();
  await page.getByRole("row", { name: /PAY-77/ }).waitFor();
  check(true, "who released what they had asked for is found");
}

export async function watchOf(page, service, check) {
  await page.goto(`${service.base}/integrity`);
  const words = page.getByText(/rules watch/);
  await words.waitFor();
  check(true, `Integrity says how the watch stands: ${await words.innerText()}`);
}

/** A search is kept for everybody, on a schedule, and removed again. */
export async function searches(page, service, check) {
  await page.goto(`${service.base}/sql`);
  await page.getByRole("button", { name: "Overrides without a reason" }).click();
  await page.getByRole("table").waitFor();
  await page.getByRole("button", { name: "Save …" }).click();
  await page.getByLabel("Name", { exact: true }).fill(SEARCH);
  await page.getByLabel(/In the service/).check();
  const choose = async (label, option) => {
    await page.getByRole("combobox", { name: label }).click();
    await page.getByRole("option", { name: option, exact: true }).click();
  };
  await choose("Run it", "every day");
  await choose("And raise", "An alert when it finds other rows than before");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  const item = page.locator(".shared-search", { hasText: SEARCH });
  await item.waitFor();
  check(/every day · \d+ rows?/.test(await item.innerText()), `a search is kept in the service: ${(await item.innerText()).replaceAll(/\s+/g, " ")}`);
  const entry = await newest(page, "ledger.search_saved");
  check(entry?.entity_id === SEARCH && entry.context.every_minutes === 1_440, `keeping it is an entry, by ${entry?.actor}`);
}

export async function readersDecideNothing(browser, service, check) {
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(`${service.base}/sign-in`);
  await page.getByLabel("Token").fill(service.token("reader"));
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByRole("link", { name: "Alerts" }).waitFor();
  await openAlert(page, service.base);
  const buttons = await page.getByRole("button", { name: /Acknowledge|Resolve|False positive|Open again/ }).count();
  await openReview(page, service.base);
  await page.locator(".changes", { hasText: NOTE }).waitFor();
  const sign = await page.getByRole("button", { name: /^Sign the review/ }).count();
  await page.goto(`${service.base}/sql`);
  await page.locator(".shared-search", { hasText: SEARCH }).waitFor();
  const remove = await page.getByRole("button", { name: /for everybody$/ }).count();
  check(buttons + sign + remove === 0, "a reader reads alerts and reviews, and is offered nothing to decide or to sign");
  await page.context().close();
}

/** Where the ledger is only read, an administrator too is offered nothing that would be recorded. */
export async function readOnlyDecidesNothing(browser, service, check) {
  const reading = await serve(service.ledger, "--read-only");
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(30_000);
  try {
    await page.goto(reading.link);
    await page.getByRole("link", { name: "Alerts" }).waitFor();
    await openAlert(page, reading.base);
    await page.getByText("alerts are decided at the service that records").waitFor();
    const buttons = await page.getByRole("button", { name: /Acknowledge|Resolve|False positive|Open again/ }).count();
    await page.goto(`${reading.base}/review`);
    await page.getByText("reviews are signed at the service that records").waitFor();
    const sign = await page.getByRole("button", { name: /^Sign the review/ }).count();
    await page.goto(`${reading.base}/integrity`);
    await page.getByText("Whether rules watch this ledger is known at the service that records").waitFor();
    const unwatched = await page.getByText("No rules watch").count();
    check(buttons + sign + unwatched === 0, "an administrator of a service that only reads is offered nothing to decide or to sign");
  } finally {
    await page.context().close();
    await reading.end();
  }
}
