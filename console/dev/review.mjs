/** Made-up alerts, reviews and the state of a watch over the mock's entries. */
const HOUR = 3_600_000;
const ago = (hours) => new Date(Date.now() - hours * HOUR).toISOString();
const dayOf = (time) => new Date(time).toISOString().slice(0, 10);

const RULES = [
  {
    rule_id: "596e7ef6-520a-4605-b07c-8d2525ffbd5b",
    title: "Manual override without a reason",
    level: "high",
    author: "Counterfoil",
    description:
      "A person decided otherwise than a model, reversed a decision or adjusted a figure, and the entry does not say why. Why it matters: without the reason nobody can tell correction from concealment, and oversight of the model has no feedback.",
    references: ["https://www.law.cornell.edu/uscode/text/15/7262", "javascript:alert(1)"],
    tags: ["sox.404", "eu_ai_act.14", "eu_ai_act.26"],
  },
  {
    rule_id: "b78d2867-7787-4f83-a6a8-0c36b0c7be6b",
    title: "Approver approved what they had asked for",
    level: "critical",
    author: "Counterfoil",
    description:
      "One person asked for, proposed or initiated something and then approved it. Why it matters: four eyes were asked for and two looked.",
    references: ["https://www.law.cornell.edu/uscode/text/15/7262"],
    tags: ["sox.404", "four_eyes"],
  },
  {
    rule_id: "detector.gap",
    title: "Numbers of a source are missing",
    level: "medium",
    author: null,
    description: null,
    references: [],
    tags: ["completeness"],
  },
  {
    rule_id: "41c1d0a8-6d0d-4a9e-a7a0-000000000004",
    title: "Bulk changes by one actor",
    level: "low",
    author: "Kim from Compliance",
    description: "One actor changed more entities within ten minutes than people do by hand.",
    references: ["https://intranet.example/policy/12"],
    tags: ["sox.404"],
  },
  {
    rule_id: "41c1d0a8-6d0d-4a9e-a7a0-000000000005",
    title: "Model version is new here",
    level: "informational",
    author: "Counterfoil",
    description: "A model version acted for the first time.",
    references: [],
    tags: [],
  },
];

function alertOf(rule, n, { row, others, hours, ...rest }) {
  return {
    id: `alert-${String(n).padStart(32, "0")}`,
    index: row.index,
    raised_at: ago(hours),
    ...RULES[rule],
    indices: [...others.map(({ index }) => index), row.index],
    group: [{ field: "actor", value: row.entry.actor }],
    value: null,
    why: null,
    drill: false,
    history: [],
    ...rest,
  };
}

const change = (state, by, hours, reason, index) => ({ index, state, by, at: ago(hours), reason });

/** Answers what `/alerts`, `/watch` and `/reviews` ask; everything else is not its business. */
export class Reviewing {
  alerts = [];
  signed = [];

  constructor(rows) {
    this.rows = rows;
    const overrides = rows.filter(({ entry }) => entry.event_type === "manual_override").toReversed();
    const agents = rows.filter(({ entry }) => entry.actor_type === "ai_agent").toReversed();
    if (overrides.length < 20) return;
    const on = (row) => [
      ...[{ field: "actor", value: row.entry.actor }],
      { field: "entity_id", value: row.entry.entity_id },
    ];
    const cases = [
      [0, { row: overrides[0], others: [], hours: 0.2, group: on(overrides[0]) }],
      [1, { row: overrides[1], others: [overrides[4]], hours: 1.1, group: on(overrides[1]) }],
      [
        3,
        {
          row: agents[0],
          others: agents.slice(1, 41).toReversed(),
          hours: 2.3,
          value: 412,
          group: [{ field: "actor", value: "j.doe\u202e\u200b" }],
        },
      ],
      [
        2,
        {
          row: agents[3],
          others: [],
          hours: 5,
          why: "erp-1: 1204 to 1205 are missing.",
          group: [{ field: "source", value: "erp-1" }],
          value: 2,
          history: [change("acknowledged", "m.keller", 4, "Asked the ERP team; their queue was restarted.", 5990)],
        },
      ],
      [0, { row: overrides[2], others: [], hours: 7, group: on(overrides[2]), drill: true }],
      [
        4,
        {
          row: agents[5],
          others: [],
          hours: 19,
          group: [{ field: "context.model_version", value: "credit-risk-6.0-rc1" }],
        },
      ],
      [
        0,
        {
          row: overrides[8],
          others: [],
          hours: 26,
          group: on(overrides[8]),
          history: [
            change("acknowledged", "a.okafor", 25, null, 5901),
            change(
              "resolved",
              "m.keller",
              23,
              "Called the officer: the reason stands in ticket 4711, added as a note.",
              5930,
            ),
          ],
        },
      ],
      [
        3,
        {
          row: agents[60],
          others: agents.slice(61, 70).toReversed(),
          hours: 40,
          history: [change("false_positive", "m.keller", 30, "The yearly re-match, announced.", 5800)],
        },
      ],
    ];
    this.alerts = cases.map(([rule, about], n) => alertOf(rule, n, about));
    for (let back = 2; back < 30; back += 1) {
      if (back === 6 || back === 13) continue;
      this.sign(
        dayOf(Date.now() - back * 24 * HOUR),
        back % 3 ? "m.keller" : "a.okafor",
        back === 2 ? "Two overrides discussed with the credit desk; one ticket opened." : null,
        back * 24 - 26,
      );
    }
  }

  sign(day, by, note, hours = 0) {
    this.signed.unshift({
      index: Math.max(0, this.rows.length - 1),
      day,
      by,
      at: ago(Math.max(0, hours)),
      note,
      counts: {},
    });
    this.signed.sort((a, b) => (a.day < b.day ? 1 : -1));
  }

  shown(alert) {
    const { history, ...rest } = alert;
    const last = history.at(-1);
    const said = {
      state: last?.state ?? "open",
      state_by: last?.by ?? null,
      state_at: last?.at ?? null,
      state_reason: last?.reason ?? null,
    };
    return { ...rest, ...said };
  }

  list(params) {
    const levels = ["informational", "low", "medium", "high", "critical"];
    const states = {
      active: ["open", "acknowledged"],
      open: ["open"],
      acknowledged: ["acknowledged"],
      closed: ["resolved", "false_positive"],
    }[params.get("state") ?? "active"];
    const least = levels.indexOf(params.get("level") ?? "informational");
    const alerts = this.alerts
      .map((alert) => this.shown(alert))
      .filter(({ state, level }) => (!states || states.includes(state)) && levels.indexOf(level) >= least);
    return { alerts, next_cursor: null, unread: null, tree_size: this.rows.length };
  }

  review(day) {
    const own = this.rows.filter(({ at }) => dayOf(at) === day);
    const types = new Map();
    for (const { entry } of own) types.set(entry.event_type, (types.get(entry.event_type) ?? 0) + 1);
    const overrides = own.filter(({ entry }) => entry.event_type === "manual_override");
    const alerts = this.alerts.filter(({ raised_at }) => raised_at.startsWith(day)).map((alert) => this.shown(alert));
    return {
      day,
      from_index: own[0]?.index ?? null,
      to_index: own.at(-1)?.index ?? null,
      entries: own.length,
      by_type: [...types].map(([event_type, count]) => ({ event_type, count })).sort((a, b) => b.count - a.count),
      overrides: overrides.slice(0, 100).map(({ index, entry }, n) => ({
        index,
        actor: entry.actor,
        entity_id: entry.entity_id,
        reason: n === 1 ? null : entry.reason,
      })),
      overrides_without_reason: overrides.length > 1 ? 1 : 0,
      overrides_total: overrides.length,
      denied: own.filter(({ entry }) => entry.outcome === "denied").length,
      failed: own.filter(({ entry }) => entry.outcome === "failure").length,
      alerts,
      alerts_total: alerts.length,
      open_alerts: this.list(new URLSearchParams({ state: "open" })).alerts.length,
      verifications: own.length
        ? [
            { index: own[0].index, verified: true, at: `${day}T02:00:00Z` },
            { index: own.at(-1).index, verified: true, at: `${day}T14:00:00Z` },
          ]
        : [],
      gaps: 0,
      signed: this.signed.filter((one) => one.day === day),
    };
  }

  watch() {
    if (this.rows.length === 0) return { rules: null, sinks: [], conditions: [] };
    return {
      rules: {
        folder: "/etc/counterfoil/rules",
        loaded: 14,
        skipped: [
          {
            file: "payments-eu.yml",
            document: 2,
            reason: 'line 12: "amount|gt" is no field modifier; there are gt, gte, lt, lte',
          },
        ],
        cursor: this.rows.length,
        behind: 0,
        fault: null,
      },
      sinks: [
        {
          name: "desk",
          type: "smtp",
          address: "mail.bank.example:587",
          last_success: ago(0.2),
          last_answer: "250 queued",
          failing_since: null,
          last_error: null,
          failures: 0,
          dead_letters: 0,
          waiting: 0,
          behind: 0,
        },
        {
          name: "siem",
          type: "splunk",
          address: "https://hec.bank.example:8088",
          last_success: ago(3),
          last_answer: null,
          failing_since: ago(0.4),
          last_error: "connection refused",
          failures: 14,
          dead_letters: 2,
          waiting: 31,
          behind: 88,
        },
      ],
      conditions: [
        {
          id: "ship-lag",
          title: "The copy is late",
          level: "high",
          since: ago(0.3),
          reason: "3 entries wait since 18 minutes for s3://bank-audit/payments",
        },
      ],
    };
  }

  decide(alert, { state, reason }, by) {
    if (this.shown(alert).state === state) return false;
    alert.history.push({
      index: this.rows.length - 1,
      state,
      by,
      at: new Date().toISOString(),
      reason: reason ?? null,
    });
    return true;
  }
}
