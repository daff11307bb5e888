/** A stand-in for `counterfoil serve`, for development: made-up data, a real tree. `/mock/tamper?kind=…` breaks it on purpose. */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { answer } from "./answers.mjs";
import { canonical, makeEvents } from "./events.mjs";
import { Reviewing } from "./review.mjs";
import { Tree } from "./tree.mjs";

const PORT = Number(process.env.PORT ?? 7499);
const SIZE = Number(process.env.SIZE ?? 6000);
const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const tree = new Tree("bank.example/audit", Buffer.alloc(32, 7));
const stranger = new Tree("bank.example/audit", Buffer.alloc(32, 9));
const rows = [];
const streams = new Set();
const state = { signedIn: true, role: process.env.ROLE ?? "admin", tamper: "none", running: null };
const started = new Date().toISOString();
const counters = new Map();

function record({ at, event }) {
  const source = event.actor_type === "service" ? "erp-1" : event.actor;
  const sequence = (counters.get(source) ?? 0) + (tree.size === 3000 ? 3 : 1);
  counters.set(source, sequence);
  const time = new Date(at).toISOString().replace("Z", "250Z").replace(/0+Z$/, "Z");
  const entry = {
    ...event,
    timestamp: time,
    recorded_at: time,
    recorder: "svc-agents",
    ...(event.actor_type === "user" ? {} : { source, sequence }),
  };
  const text = canonical(entry);
  rows.push({ index: tree.size, at, entry, text });
  tree.append(text);
}

if (SIZE > 0) for (const event of makeEvents(SIZE, 45, Date.now())) record(event);

const reviewing = new Reviewing(rows);

const RUN = {
  of: "ledger",
  extent: "whole",
  runs: 1,
  verified: true,
  anchored: false,
  findings: [],
  findings_total: 0,
};
const SCHEDULE = [
  ["ledger", "new", 300],
  ["ledger", "whole", 86400],
  ["ledger", "scrub", 21600],
].map(([of, extent, every_seconds]) => ({
  of,
  extent,
  every_seconds,
  running_since: null,
  last_at: new Date(Date.now() - 120_000).toISOString(),
  findings: 0,
  next_at: new Date(Date.now() + 180_000).toISOString(),
  late: false,
  faults: 0,
  fault: null,
}));
const ago = (hours) => new Date(Date.now() - hours * 3_600_000).toISOString();
const runs = [
  { ...RUN, started_at: ago(5), finished_at: ago(4.98), tree_size: Math.max(0, SIZE - 90) },
  { ...RUN, started_at: ago(29), finished_at: ago(28.98), tree_size: Math.floor(SIZE * 0.97) },
  {
    ...RUN,
    verified: false,
    started_at: ago(53),
    finished_at: ago(52.98),
    tree_size: Math.floor(SIZE * 0.94),
    findings_total: 2,
    findings: [
      {
        kind: "block-digest",
        class: "tampered",
        file: "segments/00000000000000002048.parquet",
        offset: 131072,
        index: 2311,
        message: "block 2 is not the one that was sealed",
      },
      {
        kind: "sequence-gap",
        class: "incomplete",
        file: null,
        offset: null,
        index: 3000,
        message: "source erp-1: sequence 1204 to 1205 are missing",
      },
    ],
  },
];
const tokens = [
  {
    id: "t1",
    name: "svc-agents",
    role: "writer",
    prefixes: ["invoice_", "credit_"],
    created_at: ago(900),
    expires_at: null,
    last_used_at: ago(0.01),
  },
  {
    id: "t2",
    name: "m.keller",
    role: "admin",
    prefixes: [],
    created_at: ago(900),
    expires_at: null,
    last_used_at: ago(0.2),
  },
  {
    id: "t3",
    name: "Ernst external audit",
    role: "auditor",
    prefixes: [],
    created_at: ago(300),
    expires_at: ago(-400),
    last_used_at: null,
  },
];

const placed = ({ index, text }) => `{"index":${index},"entry":${text}}`;

function list(params) {
  const one = (name) => params.getAll(name);
  const cursor = params.get("cursor") ? Number(params.get("cursor")) : rows.length;
  const limit = Number(params.get("limit") ?? 50);
  const [from, to, q] = ["from", "to", "q"].map((name) => params.get(name));
  const names = [
    "event_type",
    "actor",
    "actor_type",
    "entity_id",
    "entity_type",
    "outcome",
    "trace_id",
    "source",
    "recorder",
  ];
  const found = [];
  let at = cursor - 1;
  for (; at >= 0 && found.length < limit; at -= 1) {
    const { entry, at: time, text } = rows[at];
    if ((from && time < Date.parse(from)) || (to && time >= Date.parse(to))) continue;
    if (q && !text.toLowerCase().includes(q.toLowerCase())) continue;
    if (names.every((name) => one(name).length === 0 || one(name).includes(entry[name]))) found.push(rows[at]);
  }
  const next = at >= 0 ? `"${at + 1}"` : "null";
  return `{"entries":[${found.map(placed).join(",")}],"next_cursor":${next},"tree_size":${rows.length}}`;
}

function status() {
  const segments = [];
  for (let first = 0; first + 1024 <= tree.size; first += 1024)
    segments.push({ first, count: 1024, file: `segments/${String(first).padStart(20, "0")}.parquet` });
  const vkey = state.tamper === "key" ? stranger.vkey : tree.vkey;
  return {
    origin: tree.origin,
    verifier_key: vkey,
    tree_size: tree.size,
    root_hash: tree.root().toString("hex"),
    sealed_size: segments.length * 1024,
    segment_span: 1024,
    segments,
    checkpoint: tree.checkpoint(),
    fault: null,
    read_from: null,
    shipping: {
      to: "s3://bank-audit/payments",
      shipped_size: tree.size - 3,
      lag_entries: 3,
      lag_seconds: 2.4,
      last_shipped_at: new Date(Date.now() - 4_000).toISOString(),
      failures: 0,
      fault: null,
      stopped: false,
      objects: 12,
      bytes: 48_213,
    },
    version: "0.1.0",
    started_at: started,
  };
}

function checkpoint() {
  if (state.tamper === "rollback") return tree.checkpoint(tree.size - 500);
  const text = tree.checkpoint();
  if (state.tamper === "signature") return text.replace(/\n(\d+)\n/, (_, size) => `\n${Number(size) - 1}\n`);
  if (state.tamper === "fork") {
    stranger.key = tree.key;
    stranger.keyId = tree.keyId;
    stranger.leaves = [...tree.leaves];
    stranger.leaves[100] = Buffer.alloc(32, 1);
    stranger.entries = tree.entries;
    stranger.complete = new Map();
    return stranger.checkpoint();
  }
  return text;
}

function tlog(path) {
  if (path === "checkpoint") return { type: "text/plain; charset=utf-8", body: checkpoint() };
  const match = /^tile\/(entries|\d+)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path);
  if (!match) return undefined;
  const tile = Number(match[2].replaceAll(/[x/]/g, ""));
  const width = Number(match[3] ?? 256);
  const source = state.tamper === "fork" && stranger.leaves.length ? stranger : tree;
  let body = match[1] === "entries" ? tree.bundle(tile, width) : source.tile(Number(match[1]), tile, width);
  if (state.tamper === "entry" && match[1] === "entries")
    body = Buffer.from(body.toString("latin1").replaceAll("approved", "refused!"), "latin1");
  if (state.tamper === "tile" && match[1] === "0")
    body = Buffer.from(body.map((byte, i) => (i % 32 === 3 ? byte ^ 1 : byte)));
  return { type: "application/octet-stream", body };
}

const problem = (status, kind, detail) => ({
  status,
  type: "application/problem+json",
  body: JSON.stringify({
    type: `urn:counterfoil:problem:${kind}`,
    title: kind[0].toUpperCase() + kind.slice(1),
    status,
    kind,
    detail,
  }),
});
const json = (value, status = 200) => ({
  status,
  type: "application/json",
  body: typeof value === "string" ? value : JSON.stringify(value),
});

function verification(method) {
  if (method === "POST") {
    if (state.running) return problem(429, "busy", "a verification is running");
    state.running = { started_at: new Date().toISOString(), checked: 0, total: tree.size };
    const timer = setInterval(() => {
      state.running.checked = Math.min(tree.size, state.running.checked + Math.ceil(tree.size / 12));
      if (state.running.checked < tree.size) return;
      clearInterval(timer);
      runs.unshift({
        ...RUN,
        started_at: state.running.started_at,
        finished_at: new Date().toISOString(),
        tree_size: tree.size,
      });
      state.running = null;
    }, 400);
    return json({}, 202);
  }
  return json({ running: state.running, last: runs[0] ?? null, schedule: SCHEDULE, runs });
}

function sources() {
  return {
    sources: [
      {
        recorder: "svc-agents",
        source: "erp-1",
        last: counters.get("erp-1") ?? 0,
        gaps: [[1204, 1205]],
        last_recorded_at: ago(0.02),
        silent_seconds: 72,
      },
      {
        recorder: "svc-agents",
        source: "invoice-bot",
        last: counters.get("invoice-bot") ?? 0,
        gaps: [],
        last_recorded_at: ago(0.05),
        silent_seconds: 180,
      },
      {
        recorder: "svc-agents",
        source: "risk-agent",
        last: counters.get("risk-agent") ?? 0,
        gaps: [],
        last_recorded_at: ago(0.1),
        silent_seconds: 360,
      },
      {
        recorder: "svc-kyc",
        source: "kyc-agent",
        last: counters.get("kyc-agent") ?? 0,
        gaps: [],
        last_recorded_at: ago(76),
        silent_seconds: 76 * 3600,
      },
    ],
    tree_size: tree.size,
  };
}

function query(body, accept) {
  const { sql } = JSON.parse(body);
  const result = answer(sql, rows, tree.size);
  if (!result) return problem(400, "invalid", `SQL only reads: "${sql.trim().split(/\s/)[0]}" is refused`);
  if (accept.includes("csv"))
    return {
      status: 200,
      type: "text/csv",
      body: [result.columns.map(({ name }) => name), ...result.rows].map((row) => row.join(",")).join("\n"),
    };
  if (accept.includes("parquet")) return { status: 200, type: "application/vnd.apache.parquet", body: "PAR1" };
  return json(result);
}

function tokenRoute(method, id, body) {
  if (state.role !== "admin") return problem(403, "denied", "only an admin sees tokens");
  if (method === "GET") return json({ tokens });
  if (method === "DELETE") {
    tokens.splice(
      tokens.findIndex((token) => token.id === id),
      1,
    );
    return { status: 204 };
  }
  const token = { id: `t${Date.now()}`, created_at: new Date().toISOString(), last_used_at: null, ...JSON.parse(body) };
  tokens.push(token);
  return json({ ...token, token: "cf_2hJk81LwQmZr5vTtY7pXbN3sKcD9fGaE" }, 201);
}

function reviewRoute(method, path, url, body) {
  const mayReview = ["reviewer", "admin"].includes(state.role);
  const denied = problem(403, "denied", `${state.role} has no right to review`);
  if (path === "watch") return json(reviewing.watch());
  if (path === "alerts") return json(reviewing.list(url.searchParams));
  if (path === "reviews") return json({ reviews: reviewing.signed });
  const day = /^reviews\/([\d-]+)$/.exec(path)?.[1];
  if (day && method === "GET") return json(reviewing.review(day));
  if (day) {
    if (!mayReview) return denied;
    reviewing.sign(day, "m.keller", JSON.parse(body).note);
    return json({ index: tree.size - 1 }, 201);
  }
  const [, id, changing] = /^alerts\/([^/]+)(\/state)?$/.exec(path) ?? [];
  const alert = reviewing.alerts.find((one) => one.id === id);
  if (!alert) return problem(404, "not-found", `there is no alert ${id}`);
  if (!changing) return json({ ...reviewing.shown(alert), history: alert.history });
  if (!mayReview) return denied;
  return reviewing.decide(alert, JSON.parse(body), "m.keller")
    ? json({ index: tree.size - 1 }, 201)
    : problem(409, "conflict", "the alert is in this state already");
}

function api(method, url, body, accept) {
  const path = url.pathname.slice("/api/v1/".length);
  if (path === "session" && method === "POST") {
    if (!JSON.parse(body).token.startsWith("cf_")) return problem(401, "unauthenticated", "this token is not known");
    state.signedIn = true;
    return json({ name: "m.keller", role: state.role, expires_at: ago(-12), read_only: false });
  }
  if (!state.signedIn) return problem(401, "unauthenticated", "no token");
  if (path === "session" && method === "DELETE") {
    state.signedIn = false;
    return { status: 204 };
  }
  if (path === "session") return json({ name: "m.keller", role: state.role, expires_at: ago(-12) });
  if (path === "entries") return json(list(url.searchParams));
  const entry = /^entries\/(\d+)$/.exec(path);
  if (entry) {
    const row = rows[Number(entry[1])];
    if (!row) return problem(404, "not-found", `there is no entry ${entry[1]}`);
    return json(
      `{"index":${row.index},"leaf_hash":"${tree.leaves[row.index].toString("hex")}","canonical":${JSON.stringify(row.text)},"entry":${row.text}}`,
    );
  }
  const history = /^entities\/(.+)\/history$/.exec(path);
  if (history) {
    const id = decodeURIComponent(history[1]);
    const until = Date.parse(url.searchParams.get("as_of") ?? "9999-01-01");
    const own = rows.filter(({ entry, at }) => entry.entity_id === id && at <= until);
    return json(
      `{"entity_id":${JSON.stringify(id)},"entries":[${own.map(placed).join(",")}],"next_cursor":null,"tree_size":${tree.size}}`,
    );
  }
  if (path === "status") return json(status());
  if (path === "sources") return json(sources());
  if (path === "catalog")
    return json({
      types: [...new Set(rows.map(({ entry }) => entry.event_type))].map((name) => ({
        name,
        description: "",
        required: [],
      })),
    });
  if (path === "verification") return verification(method);
  if (path === "query") return query(body, accept);
  if (path === "checkpoint") return { status: 200, type: "text/plain; charset=utf-8", body: checkpoint() };
  if (path === "bundles") return json({ format: "counterfoil-bundle/v1", origin: tree.origin });
  if (/^(alerts|reviews|watch)/.test(path)) return reviewRoute(method, path, url, body);
  const token = /^tokens(?:\/(.+))?$/.exec(path);
  if (token) return tokenRoute(method, token[1], body);
  return problem(404, "not-found", `there is no ${url.pathname}`);
}

async function file(path) {
  const name = normalize(path).replace(/^(\.\.[/\\])+/, "");
  try {
    return {
      status: 200,
      type: TYPES[extname(name)] ?? "application/octet-stream",
      body: await readFile(join(DIST, name)),
    };
  } catch {
    return { status: 200, type: TYPES[".html"], body: await readFile(join(DIST, "index.html")) };
  }
}

function stream(response, from) {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  for (const row of rows.slice(from)) response.write(`id: ${row.index}\ndata: ${placed(row)}\n\n`);
  streams.add(response);
  response.on("close", () => streams.delete(response));
}

if (SIZE > 0 && !process.env.STILL) {
  let extra = 0;
  setInterval(() => {
    extra += 1;
    const [{ event }] = makeEvents(1, 0, Date.now()).slice(0, 1);
    record({ at: Date.now(), event: { ...event, entity_id: `${event.entity_id}-live${extra}` } });
    for (const response of streams) response.write(`id: ${rows.at(-1).index}\ndata: ${placed(rows.at(-1))}\n\n`);
  }, 3000);
}

createServer(async (request, response) => {
  const url = new URL(request.url, `http://127.0.0.1:${PORT}`);
  const body = await new Promise((resolve) => {
    let text = "";
    request.on("data", (part) => {
      text += part;
    });
    request.on("end", () => resolve(text));
  });
  if (url.pathname === "/mock/tamper") state.tamper = url.searchParams.get("kind") ?? "none";
  if (url.pathname === "/mock/role") state.role = url.searchParams.get("role") ?? "admin";
  if (url.pathname === "/api/v1/stream") return stream(response, Number(url.searchParams.get("from") ?? rows.length));
  let result;
  if (url.pathname.startsWith("/mock/")) result = json(state.tamper);
  else if (url.pathname.startsWith("/api/v1/")) {
    const safe = request.method === "GET" || request.headers["x-counterfoil"] === "1";
    result = safe
      ? api(request.method, url, body, request.headers.accept ?? "")
      : problem(403, "denied", "the header X-Counterfoil is missing");
  } else if (url.pathname.startsWith("/tlog/"))
    result = tlog(url.pathname.slice(6)) ?? problem(404, "not-found", "no such tile");
  else result = await file(url.pathname);
  response.writeHead(result.status ?? 200, {
    ...(result.type ? { "Content-Type": result.type } : {}),
    "Content-Security-Policy": CSP,
  });
  response.end(result.body);
}).listen(PORT, "127.0.0.1", () => console.log(`mock ledger of ${tree.size} entries on http://127.0.0.1:${PORT}`));
