/** Made-up but plausible finance workflows; the same seed gives the same events. */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const rnd = random(2041);
const pick = (list) => list[Math.floor(rnd() * list.length)];
const chance = (p) => rnd() < p;
const hex = (digits) => Array.from({ length: digits }, () => Math.floor(rnd() * 16).toString(16)).join("");
const MODELS = {
  invoice: ["invoice-match-2.10.3", "invoice-match-2.11.0"],
  credit: ["credit-risk-5.2", "credit-risk-6.0-rc1"],
  kyc: ["kyc-screen-3.4"],
};
const PEOPLE = ["m.keller", "j.doe", "a.okafor", "s.lindqvist"];

export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value && typeof value === "object") {
    const members = Object.keys(value)
      .filter((name) => value[name] !== undefined)
      .sort()
      .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
    return `{${members.join(",")}}`;
  }
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

function invoice(n) {
  const entity_id = `INV-${String(n).padStart(6, "0")}`;
  const trace_id = hex(32);
  const amount = Math.floor(rnd() * 4_000_000) + 1999;
  const model_version = pick(MODELS.invoice);
  const confidence = Math.round((0.7 + rnd() * 0.3) * 1000) / 1000;
  const common = { entity_id, entity_type: "invoice", trace_id };
  const vendor = pick(["Harbour Tooling AG", "Nordlicht Papier GmbH", "Ateliers Bréval", "Kestrel Freight Ltd"]);
  const events = [
    {
      ...common,
      event_type: "invoice_received",
      actor: "mail-gateway",
      actor_type: "service",
      outcome: "success",
      new_value: { status: "received", amount_minor: amount, currency: "EUR", vendor },
    },
    {
      ...common,
      event_type: "invoice_matched",
      actor: "invoice-bot",
      actor_type: "ai_agent",
      on_behalf_of: "accounts-payable",
      outcome: chance(0.04) ? "failure" : "success",
      old_value: { status: "received" },
      new_value: { status: "matched", purchase_order: `PO-${40000 + Math.floor(rnd() * 9000)}` },
      context: { model_version, confidence },
    },
  ];
  if (confidence < 0.76 || chance(0.06)) {
    events.push({
      ...common,
      event_type: "invoice_approved",
      actor: "invoice-bot",
      actor_type: "ai_agent",
      on_behalf_of: "accounts-payable",
      outcome: "success",
      old_value: { status: "matched" },
      new_value: { status: "approved" },
      context: { model_version, confidence },
    });
    events.push({
      ...common,
      event_type: "manual_override",
      actor: pick(PEOPLE),
      actor_type: "user",
      outcome: "success",
      old_value: { status: "approved" },
      new_value: { status: "held", review_until: "2026-12-04" },
      reason: pick([
        "Supplier changed its bank account two days ago; called back, no answer yet.",
        "Duplicate of an invoice that was paid in October.",
        "Amount does not agree with the goods receipt: 40 units, not 400.",
      ]),
      context: { model_version, confidence, four_eyes: pick(PEOPLE) },
    });
  } else {
    events.push({
      ...common,
      event_type: "invoice_approved",
      actor: "invoice-bot",
      actor_type: "ai_agent",
      on_behalf_of: "accounts-payable",
      outcome: "success",
      old_value: { status: "matched" },
      new_value: { status: "approved" },
      context: { model_version, confidence },
    });
    events.push({
      ...common,
      event_type: "payment_released",
      actor: "pay-run",
      actor_type: "service",
      outcome: chance(0.05) ? "denied" : "success",
      old_value: { status: "approved" },
      new_value: { status: "paid", paid_minor: amount },
      ...(chance(0.5) ? {} : { reason: "Weekly payment run" }),
    });
  }
  return events;
}

function credit(n) {
  const entity_id = `APP-${String(n).padStart(5, "0")}`;
  const trace_id = hex(32);
  const model_version = pick(MODELS.credit);
  const score = Math.floor(480 + rnd() * 370);
  const common = { entity_id, entity_type: "credit_application", trace_id };
  const decision = score > 600 ? "granted" : "refused";
  const events = [
    {
      ...common,
      event_type: "credit_score_computed",
      actor: "risk-agent",
      actor_type: "ai_agent",
      outcome: "success",
      new_value: { score, band: score > 700 ? "A" : score > 600 ? "B" : "C" },
      context: { model_version, confidence: Math.round((0.6 + rnd() * 0.4) * 1000) / 1000, features_used: 42 },
    },
    {
      ...common,
      event_type: "credit_decided",
      actor: "risk-agent",
      actor_type: "ai_agent",
      outcome: "success",
      old_value: { decision: "pending" },
      new_value: { decision, limit_minor: score * 1000 },
      context: { model_version },
    },
  ];
  if (chance(model_version.endsWith("rc1") ? 0.22 : 0.07)) {
    events.push({
      ...common,
      event_type: "manual_override",
      actor: pick(PEOPLE),
      actor_type: "user",
      outcome: "success",
      old_value: { decision },
      new_value: { decision: decision === "granted" ? "refused" : "granted" },
      reason: "Income statement was read wrongly by the model; corrected from the original document.",
      context: { model_version },
    });
  }
  return events;
}

function kyc(n) {
  const entity_id = `CUST-${String(n).padStart(5, "0")}`;
  return [
    {
      event_type: "kyc_check",
      entity_id,
      entity_type: "customer",
      actor: "kyc-agent",
      actor_type: "ai_agent",
      trace_id: hex(32),
      outcome: chance(0.08) ? "failure" : "success",
      new_value: { status: chance(0.1) ? "review" : "clear", lists: ["EU", "OFAC"] },
      context: { model_version: MODELS.kyc[0] },
    },
    ...(chance(0.05)
      ? [
          {
            event_type: "document_access",
            entity_id,
            entity_type: "customer",
            actor: "report-agent",
            actor_type: "ai_agent",
            outcome: "denied",
            reason: "The agent's mandate does not cover identity documents.",
          },
        ]
      : []),
  ];
}

function oddities() {
  return [
    {
      event_type: "balance_reported",
      entity_id: "ACC-9007199254740993",
      actor: "core-bank",
      actor_type: "service",
      outcome: "success",
      new_value: { balance_minor: 9007199254740993n, units: 123456789012345678901234567890n, rate: 1.1 },
    },
    {
      event_type: "note_added",
      entity_id: "INV-000012",
      entity_type: "invoice",
      actor: "j.doe\u202e\u200b",
      actor_type: "user",
      outcome: "success",
      reason: "<script>alert(1)</script> and \u202Eneddih txet\u202C, a bell \u0007 and a tab\there",
      context: { __proto__: "kept", html: "<img src=x onerror=alert(1)>" },
    },
  ];
}

/** Events in the order of time, from `days` ago until now. */
export function makeEvents(count, days, now) {
  const flows = [];
  let total = 0;
  for (let n = 1; total < count; n += 1) {
    const flow = chance(0.55) ? invoice(n) : chance(0.6) ? credit(n) : kyc(n);
    flows.push(flow);
    total += flow.length;
  }
  const events = [];
  for (const flow of flows) {
    let at = now - rnd() * days * 86_400_000;
    const hour = new Date(at).getUTCHours();
    if ((hour < 6 || hour > 19) && chance(0.8)) at -= 9 * 3_600_000;
    for (const event of flow) {
      at += 1000 + rnd() * 1_200_000;
      events.push({ at: Math.min(at, now - 5000), event });
    }
  }
  oddities().forEach((event, i) => {
    events.push({ at: now - 4000 + i, event });
  });
  return events.sort((a, b) => a.at - b.at);
}
