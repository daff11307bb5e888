"""What people do with the application: real requests against BASE, with the cookies of each person."""

from __future__ import annotations

import http.cookiejar
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

BASE = sys.argv[1]
PASSWORD = os.environ["APP_PASSWORD"]


class Person:
    """A browser."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def post(self, path: str, said: Any = None, **form: str) -> int:
        body = urllib.parse.urlencode(form).encode() if form else json.dumps(said or {}).encode()
        kind = "application/x-www-form-urlencoded" if form else "application/json"
        try:
            with self._opener.open(urllib.request.Request(BASE + path, body, {"Content-Type": kind})) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as refused:
            status = refused.code
        print(status, "POST", path)
        return status


payer, releaser = Person(), Person()
assert payer.post("/payments/PAY-1", {"amount": 900}) == 401
assert payer.post("/login", user="p.payer", password="a guess") == 401
assert payer.post("/login", user="p.payer", password=PASSWORD) == 200
assert releaser.post("/login", user="r.releaser", password=PASSWORD) == 200
for number in range(1, 11):
    assert payer.post(f"/payments/PAY-{number}", {"amount": 900, "beneficiary": "ACME", "iban": "DE02"}) == 201
assert payer.post("/payments/PAY-1/release") == 403
assert releaser.post("/payments/PAY-1/release") == 200
assert releaser.post("/payments/PAY-99/release") == 404
assert payer.post("/payments/PAY-1", {"amount": 900}) == 500  # a second time: the database refuses
assert payer.post("/logout") == 200
