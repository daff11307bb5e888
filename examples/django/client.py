"""What people do with the application: real requests against BASE, with the cookies of each person."""

from __future__ import annotations

import http.cookiejar
import os
import sys
import urllib.error
import urllib.parse
import urllib.request

BASE = sys.argv[1]
PASSWORD = os.environ["APP_PASSWORD"]


class Stay(urllib.request.HTTPRedirectHandler):
    """Answers with a redirection as it is."""

    def redirect_request(self, *_: object) -> None:
        return None


class Person:
    """A browser."""

    def __init__(self) -> None:
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._cookies), Stay)
        self._opener.open(f"{BASE}/login/").close()

    def post(self, path: str, **form: str) -> int:
        token = next(cookie.value or "" for cookie in self._cookies if cookie.name == "csrftoken")
        request = urllib.request.Request(BASE + path, urllib.parse.urlencode(form).encode(), {"X-CSRFToken": token})
        try:
            with self._opener.open(request) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as other:
            status = other.code
        print(status, "POST", path)
        return status


accountant, lead = Person(), Person()
assert accountant.post("/journal/J-1/post/", memo="accrual") == 302  # to the login page
assert accountant.post("/login/", username="accountant", password="a guess") == 200  # Django shows the form again
assert accountant.post("/login/", username="accountant", password=PASSWORD) == 302
assert accountant.post("/journal/J-1/post/", memo="accrual", iban="DE02") == 200
assert accountant.post("/journal/J-1/reverse/") == 403
assert lead.post("/login/", username="lead", password=PASSWORD) == 302
assert lead.post("/journal/J-1/reverse/") == 200
assert lead.post("/journal/J-2/adjust/", lines="1") == 200
assert lead.post("/journal/J-2/adjust/", lines="0") == 500
assert lead.post("/logout/") == 302
