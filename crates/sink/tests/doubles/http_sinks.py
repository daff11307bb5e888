#!/usr/bin/env python3
"""Of this repository (Apache-2.0). One loopback double for outgoing alerts: Splunk HEC, PagerDuty Events v2, Slack incoming webhook, generic webhook. Standard library only.
usage: http_sinks.py PORT [--fail N] [--delay MS] [--poison TEXT] [--ack-after N]
--fail N: answers 503 to the first N posts of each path; --poison TEXT: answers 400 to a body that has it; --ack-after N: events
are kept only when their acknowledgement was asked for N times in vain (an indexer that takes its time)
POST /services/collector[/event]  Authorization: Splunk TOKEN   HEC: concatenated or newline-separated JSON objects, gzip; token "test-token"
POST /services/collector/ack           indexer acknowledgement (channel header x-splunk-request-channel)
GET  /services/collector/health        17 = healthy
POST /v2/enqueue                       PagerDuty Events API v2: 202 + dedup_key; 400 with errors on a malformed event
POST /services/T0/B0/x                 Slack incoming webhook: 200 "ok", 400 "invalid_payload" / "no_text"
POST /hook/...                         anything; kept whole with headers (for HMAC checks)
GET  /_received                        all of it   DELETE /_received  clears
"""
import argparse, gzip, itertools, json, threading, time, uuid
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
ap = argparse.ArgumentParser(); ap.add_argument("port", type=int); ap.add_argument("--fail", type=int, default=0); ap.add_argument("--delay", type=int, default=0); ap.add_argument("--poison"); ap.add_argument("--ack-after", type=int, default=0); a = ap.parse_args()
got, acks, asked, ids, fails, lock = [], {}, Counter(), itertools.count(), Counter(), threading.Lock()

def objects(text):   # HEC takes JSON objects one after another, with or without white space between
    d, i, out = json.JSONDecoder(), 0, []
    while True:
        while i < len(text) and text[i].isspace(): i += 1
        if i >= len(text): return out
        o, i = d.raw_decode(text, i); out.append(o)

class H(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *x): pass
    def say(self, code, body, ctype="application/json"):
        b = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code); self.send_header("content-type", ctype); self.send_header("content-length", str(len(b))); self.end_headers(); self.wfile.write(b)
    def do_DELETE(self):
        with lock: got.clear(); fails.clear()
        self.say(200, "cleared")
    def do_GET(self):
        if self.path == "/_received":
            with lock: return self.say(200, list(got))
        if self.path.startswith("/services/collector/health"): return self.say(200, {"text": "HEC is healthy", "code": 17})
        self.say(404, {})
    def do_POST(self):
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.split("?")[0]
        if a.delay: time.sleep(a.delay / 1000)
        with lock:
            fails[path] += 1
            if fails[path] <= a.fail: return self.say(503, {"text": "Server is busy", "code": 9})
        if self.headers.get("content-encoding") == "gzip": raw = gzip.decompress(raw)
        text = raw.decode("utf-8", "replace")
        if a.poison and a.poison in text and not path.startswith("/services/collector"): return self.say(400, {"text": "poisoned"})
        def keep(kind, body):
            with lock: got.append({"kind": kind, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body})
        if path.startswith("/services/collector"):
            auth = self.headers.get("authorization")
            if not auth: return self.say(401, {"text": "Token is required", "code": 2})
            if not auth.startswith("Splunk "): return self.say(401, {"text": "Invalid authorization", "code": 3})
            if auth != "Splunk test-token": return self.say(403, {"text": "Invalid token", "code": 4})
            chan = self.headers.get("x-splunk-request-channel")
            if path.endswith("/ack"):
                if not chan: return self.say(400, {"text": "Data channel is missing", "code": 10})
                said = {}
                with lock:
                    for i in json.loads(text)["acks"]:
                        asked[(chan, i)] += 1
                        said[str(i)] = (chan, i) in acks and asked[(chan, i)] > a.ack_after
                        if said[str(i)]: got.extend(acks.pop((chan, i)))
                return self.say(200, {"acks": said})
            if not text.strip(): return self.say(400, {"text": "No data", "code": 5})
            try: evs = objects(text)
            except ValueError: return self.say(400, {"text": "Invalid data format", "code": 6, "invalid-event-number": 0})
            for n, e in enumerate(evs):
                if "event" not in e: return self.say(400, {"text": "Event field is required", "code": 12, "invalid-event-number": n})
                if e["event"] in ("", {}): return self.say(400, {"text": "Event field cannot be blank", "code": 13, "invalid-event-number": n})
            for n, e in enumerate(evs):
                if a.poison and a.poison in json.dumps(e): return self.say(400, {"text": "Invalid data format", "code": 6, "invalid-event-number": n})
            whole = [{"kind": "hec", "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": e} for e in evs]
            if not chan: got.extend(whole)
            r = {"text": "Success", "code": 0}
            if chan:
                with lock: i = next(ids); acks[(chan, i)] = whole
                r["ackId"] = i
            return self.say(200, r)
        if path.startswith("/services/T"):
            try: o = json.loads(text)
            except ValueError: return self.say(400, "invalid_payload", "text/plain")
            if not (o.get("text") or o.get("blocks") or o.get("attachments")): return self.say(400, "no_text", "text/plain")
            keep("slack", o); return self.say(200, "ok", "text/plain")
        if path == "/v2/enqueue":
            try: o = json.loads(text)
            except ValueError: o = {}
            err = [f"'{k}' is missing or blank" for k in ("routing_key", "event_action") if not o.get(k)]
            act = o.get("event_action")
            if act and act not in ("trigger", "acknowledge", "resolve"): err.append("'event_action' is invalid")
            if act == "trigger":
                p = o.get("payload") or {}
                err += [f"'payload.{k}' is missing or blank" for k in ("summary", "source", "severity") if not p.get(k)]
                if p.get("severity") and p["severity"] not in ("critical", "error", "warning", "info"): err.append("'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')")
                if len(p.get("summary") or "") > 1024: err.append("'payload.summary' is too long (1024)")
            elif act and not o.get("dedup_key"): err.append("'dedup_key' is missing or blank")
            if len(raw) > 512 * 1024: return self.say(413, {"status": "too large"})
            if err: return self.say(400, {"status": "invalid event", "message": "Event object is invalid", "errors": err})
            keep("pagerduty", o); return self.say(202, {"status": "success", "message": "Event processed", "dedup_key": o.get("dedup_key") or uuid.uuid4().hex})
        keep("hook", text); self.say(200, {"ok": True})
print(f"http sinks 127.0.0.1:{a.port}", flush=True)
ThreadingHTTPServer(("127.0.0.1", a.port), H).serve_forever()
