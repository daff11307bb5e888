#!/usr/bin/env python3
"""Of this repository (Apache-2.0; aiosmtpd, which it uses, is Apache-2.0 too). SMTP sink with an HTTP API. pip install aiosmtpd==1.4.6
usage: smtp_sink.py [SMTP_PORT] [HTTP_PORT] [--auth USER:PASS] [--tls CERT KEY [--implicit]]   (loopback only)
GET /messages -> [{from,to,subject,text,html,headers,raw}]   DELETE /messages -> clears   GET /health -> ok"""
import argparse, json, ssl, threading
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

ap = argparse.ArgumentParser()
ap.add_argument("smtp", nargs="?", type=int, default=1025)
ap.add_argument("http", nargs="?", type=int, default=8025)
ap.add_argument("--auth")
ap.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
ap.add_argument("--implicit", action="store_true", help="TLS from the first byte")
a = ap.parse_args()
box, lock = [], threading.Lock()

class Sink:
    async def handle_DATA(self, server, session, env):
        m = message_from_bytes(env.content, policy=policy.default)
        def part(kind):
            p = m.get_body(preferencelist=(kind,))
            return p.get_content() if p else None
        with lock:
            box.append({"from": env.mail_from, "to": env.rcpt_tos, "subject": m["subject"], "text": part("plain"), "html": part("html"),
                        "headers": [[k, str(v)] for k, v in m.items()], "tls": session.ssl is not None, "raw": env.content.decode("utf-8", "replace")})
        return "250 2.0.0 stored"

class Api(BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def reply(self, body, code=200):
        b = json.dumps(body).encode()
        self.send_response(code); self.send_header("content-type", "application/json"); self.send_header("content-length", str(len(b))); self.end_headers(); self.wfile.write(b)
    def do_GET(self):
        with lock: self.reply(list(box) if self.path == "/messages" else "ok")
    def do_DELETE(self):
        with lock: box.clear(); self.reply("cleared")

kw = {}
if a.tls:
    ctx = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH); ctx.load_cert_chain(*a.tls); kw.update(ssl_context=ctx) if a.implicit else kw.update(tls_context=ctx, require_starttls=True)
if a.auth:
    u, p = a.auth.encode().split(b":", 1)
    def auth(server, session, envelope, mech, data):
        good = isinstance(data, LoginPassword) and (data.login, data.password) == (u, p)
        return AuthResult(success=good, handled=False)
    kw.update(authenticator=auth, auth_required=True, auth_require_tls=bool(a.tls) and not a.implicit)
Controller(Sink(), hostname="127.0.0.1", port=a.smtp, **kw).start()
print(f"smtp 127.0.0.1:{a.smtp} http 127.0.0.1:{a.http}", flush=True)
ThreadingHTTPServer(("127.0.0.1", a.http), Api).serve_forever()
