"""What people do with the application: real requests against BASE, printed with their answers."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

BASE = sys.argv[1]
PASSWORD = os.environ["APP_PASSWORD"]


def post(
    path: str, said: Any = None, *, token: str = "", form: bool = False, trace: str = "", quiet: bool = False
) -> dict[str, Any]:
    body = urllib.parse.urlencode(said).encode() if form else json.dumps(said or {}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if trace:
        headers["traceparent"] = f"00-{trace}-00f067aa0ba902b7-01"
    try:
        with urllib.request.urlopen(urllib.request.Request(BASE + path, body, headers), timeout=30) as answer:
            status, told = answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        status, told = refused.code, json.load(refused)
    if not quiet:
        print(f"{status} POST {path}", told.get("status") or told.get("detail") or "signed in")
    return {"http": status, **told}


def login(name: str, password: str = PASSWORD) -> str:
    answer = post("/token", {"username": name, "password": password}, form=True)
    return str(answer.get("access_token", ""))


login("a.clerk", "a guess")
clerk = login("a.clerk")
for number, amount in (("INV-1", 8_000), ("INV-2", 45_000), ("INV-3", 90_000)):
    invoice = {"number": number, "supplier": "ACME", "amount": amount, "iban": "DE02120300000000202051"}
    assert post("/invoices", invoice, token=clerk)["http"] == 201
assert post("/invoices/INV-1/approve", token=clerk, trace="4bf92f3577b34da6a3ce929d0e0e4736")["http"] == 200
assert post("/invoices/INV-2/approve", token=clerk)["http"] == 403
assert post("/invoices/INV-1/approve", token="forged")["http"] == 401
controller = login("c.controller")
assert post("/invoices/INV-2/approve", token=controller)["http"] == 200
assert post("/invoices/INV-3/approve", token=controller)["http"] == 403
assert post("/invoices/INV-3/override", {"reason": "board approved it"}, token=clerk)["http"] == 403
assert post("/invoices/INV-3/override", {"reason": "board approved it"}, token=controller)["http"] == 200
assert post("/invoices/INV-3/approve", token=clerk)["http"] == 403
assert post("/invoices/INV-9/approve", token=clerk)["http"] == 404
for count in range(30):
    invoice = {"number": f"BULK-{count}", "supplier": "ACME", "amount": 100 + count, "iban": "DE0"}
    assert post("/invoices", invoice, token=clerk, quiet=True)["http"] == 201
print("30 more invoices")
