/** Stands in for SQL: it knows the shapes of the console's own queries and gives a few rows for any other. */
const column = (name, type) => ({ name, type });

function groupCount(rows, keyOf) {
  const groups = new Map();
  for (const row of rows) {
    const key = keyOf(row);
    const slot = JSON.stringify(key);
    const group = groups.get(slot) ?? { key, rows: [] };
    group.rows.push(row);
    groups.set(slot, group);
  }
  return [...groups.values()];
}

function within(rows, sql) {
  const from = /(?:timestamp|recorded_at) >= '([^']+)'/.exec(sql)?.[1];
  const to = /(?:timestamp|recorded_at) < '([^']+)'/.exec(sql)?.[1];
  const dayAgo = sql.includes("now() - interval '24 hours'") ? Date.now() - 86_400_000 : 0;
  const type = /event_type = '([^']+)'/.exec(sql)?.[1];
  const outcome = /outcome = '([^']+)'/.exec(sql)?.[1];
  return rows.filter(({ at, entry }) => {
    if (from && at < Date.parse(from)) return false;
    if (to && at >= Date.parse(to)) return false;
    if (type && !sql.includes("FILTER") && entry.event_type !== type) return false;
    return (!outcome || sql.includes("FILTER") || entry.outcome === outcome) && at >= dayAgo;
  });
}

const UNITS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

function bins(rows, sql, width) {
  const step = width * 1;
  const binOf = ({ at }) => new Date(Math.floor(at / step) * step).toISOString();
  if (sql.includes("event_type, outcome")) {
    const groups = groupCount(rows, (row) => [binOf(row), row.entry.event_type, row.entry.outcome ?? null]);
    return {
      columns: [
        column("t", "timestamp"),
        column("event_type", "text"),
        column("outcome", "text"),
        column("n", "integer"),
      ],
      rows: groups.map(({ key, rows: own }) => [...key, own.length]),
    };
  }
  const groups = groupCount(rows, (row) => [binOf(row)]).sort((a, b) => (a.key[0] < b.key[0] ? -1 : 1));
  return {
    columns: [column("t", "timestamp"), column("n", "integer")],
    rows: groups.map(({ key, rows: own }) => [...key, own.length]),
  };
}

function models(rows, sql) {
  const groups = groupCount(
    rows.filter(({ entry }) => entry.context?.model_version),
    ({ entry }) => [entry.context.model_version],
  );
  const wanted = sql.includes("last_value") ? "overridden" : "decisions";
  const counted = ({ entry }) => (entry.event_type === "manual_override") === (wanted === "overridden");
  return {
    columns: [column("model", "text"), column(wanted, "integer")],
    rows: groups.map(({ key, rows: own }) => [...key, own.filter(counted).length]),
  };
}

/** The rows of the Overrides page. */
function overrides(rows, sql) {
  const names = ["index", "timestamp", "actor", "event_type", "entity_id"];
  const told = ({ index, entry }) => [index, entry.timestamp, entry.actor, entry.event_type, entry.entity_id];
  if (sql.includes("AS approval")) {
    const approvals = rows.filter(({ entry }) => entry.event_type === "invoice_approved").slice(-3);
    const asked = (row, n) => (n === 1 ? [null, null] : [row.index - 1, "invoice_approval_requested"]);
    return {
      columns: [...names, "request", "requested"].map((name) => column(name, "text")),
      rows: approvals.map((row, n) => [...told(row), ...asked(row, n)]),
    };
  }
  const own = rows.filter(({ entry }) => entry.event_type === "manual_override").toReversed();
  return {
    columns: [...names, "model", "reason", "old_value", "new_value", "old_value_type", "new_value_type"].map((name) =>
      column(name, "text"),
    ),
    rows: own.map((row, n) => [
      ...told(row),
      row.entry.context.model_version,
      n % 7 === 2 ? null : row.entry.reason,
      JSON.stringify({ ...(n % 3 ? {} : { amount_minor: 184_000 + n }), ...row.entry.old_value }),
      JSON.stringify({ ...(n % 3 ? {} : { amount_minor: 90_000 }), ...row.entry.new_value }),
      "object",
      "object",
    ]),
  };
}

const MEMBERS = [
  "timestamp",
  "event_type",
  "actor",
  "actor_type",
  "on_behalf_of",
  "entity_id",
  "outcome",
  "reason",
  "old_value",
  "new_value",
  "context",
  "trace_id",
];

function everything(rows) {
  const text = (value) =>
    value === undefined
      ? null
      : typeof value === "object"
        ? JSON.stringify(value, (_, v) => (typeof v === "bigint" ? Number(v) : v))
        : value;
  return {
    columns: [
      column("index", "integer"),
      ...MEMBERS.map((name) => column(name, name === "timestamp" ? "timestamp" : "text")),
    ],
    rows: rows.map(({ index, entry }) => [index, ...MEMBERS.map((name) => text(entry[name]))]),
  };
}

export function answer(sql, rows, treeSize) {
  const done = (result, complete = true, problem) => ({
    ...result,
    complete,
    ...(problem ? { problem } : {}),
    tree_size: treeSize,
  });
  if (!/^\s*(--.*\n\s*)*(select|with|describe|explain)\b/i.test(sql)) return undefined;
  const chosen = within(rows, sql);
  const recent = within(rows, sql.replaceAll("event_type =", ""));
  if (sql.includes("old_value_type") || sql.includes("AS approval"))
    return done(overrides(within(rows, sql.replaceAll(/event_type/g, "")), sql));
  const bin = /date_bin\(interval '(\d+) (minute|hour|day)s?'/.exec(sql);
  if (bin) return done(bins(chosen, sql, Number(bin[1]) * UNITS[bin[2]]));
  if (/min\((timestamp|recorded_at)\)/.test(sql)) {
    const iso = (row) => (row ? new Date(row.at).toISOString() : null);
    return done({
      columns: [column("first", "timestamp"), column("last", "timestamp"), column("n", "integer")],
      rows: [[iso(rows[0]), iso(rows.at(-1)), rows.length]],
    });
  }
  if (sql.includes("AS overridden FROM (") || sql.includes("AS decisions FROM audit_log WHERE"))
    return done(models(recent, sql));
  const single = /^SELECT (event_type|actor), count/.exec(sql);
  if (single || /GROUP BY 1/.test(sql)) {
    const name = single?.[1] ?? /SELECT\s+(\w+)/.exec(sql)?.[1] ?? "event_type";
    const groups = groupCount(chosen, ({ entry }) => entry[name] ?? null).sort((a, b) => b.rows.length - a.rows.length);
    return done({
      columns: [column(name, "text"), column("n", "integer")],
      rows: groups.map(({ key, rows: own }) => [key, own.length]),
    });
  }
  if (sql.includes("pg_sleep"))
    return done(everything(chosen.slice(0, 20)), false, {
      kind: "unavailable",
      title: "Unavailable",
      status: 503,
      detail: "the query reached its limit of 30 seconds",
    });
  return done(everything(chosen.slice(0, 2000)));
}
