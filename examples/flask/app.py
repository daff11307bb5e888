"""Payments that need a second person: log in with a session, initiate, release."""

from __future__ import annotations

import hmac
import os
import sqlite3

from flask import Flask, Response, abort, jsonify, request, session
from werkzeug.exceptions import HTTPException

import counterfoil
from counterfoil.wsgi import AuditMiddleware, Event, describe, identify

STATE = os.path.join(os.environ["WORK"], "payments.db")
PASSWORDS = dict.fromkeys(("p.payer", "r.releaser"), os.environ["APP_PASSWORD"])

trail = counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=os.environ["SPOOL"], actor="payment-service")
app = Flask(__name__)
app.secret_key = os.environ["APP_KEY"]
app.wsgi_app = AuditMiddleware(  # type: ignore[method-assign]
    app.wsgi_app,
    trail,
    actor=lambda environ: session.get("user"),
    events={
        "POST /login": Event("login", fields=["user"], failed="login_failed"),
        "POST /payments/<number>": Event("payment_initiated", "{number}", "payment"),
        "POST /payments/<number>/release": Event("payment_released", "{number}", "payment", failed="payment_rejected"),
    },
    fields=["amount", "beneficiary"],
)


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(STATE, isolation_level=None)
    connection.execute("CREATE TABLE IF NOT EXISTS payment (number PRIMARY KEY, payer, amount)")
    return connection


def user() -> str:
    if "user" not in session:
        abort(401, "log in first")
    return str(session["user"])


@app.errorhandler(HTTPException)
def refused(error: HTTPException) -> tuple[Response, int]:
    describe(reason=error.description)
    return jsonify(detail=error.description), error.code or 500


@app.post("/login")
def login() -> Response:
    name = request.form["user"]
    describe(entity_id=name, entity_type="user")
    if not hmac.compare_digest(PASSWORDS.get(name, ""), request.form["password"]):
        abort(401, "wrong name or password")
    session["user"] = name
    return jsonify(user=name)


@app.post("/logout")
def logout() -> Response:
    identify(user())
    session.clear()
    return jsonify(user=None)


@app.post("/payments/<number>")
def initiate(number: str) -> tuple[Response, int]:
    amount = int(request.get_json()["amount"])
    database().execute("INSERT INTO payment VALUES (?, ?, ?)", (number, user(), amount))
    trail.record("payment_limit_checked", number, entity_type="payment", outcome="success")
    describe(new_value={"amount": amount})
    return jsonify(number=number), 201


@app.post("/payments/<number>/release")
def release(number: str) -> Response:
    name = user()
    row = database().execute("SELECT payer FROM payment WHERE number = ?", (number,)).fetchone()
    if row is None:
        abort(404, "no such payment")
    if row[0] == name:
        abort(403, "whoever initiates a payment does not release it")
    return jsonify(number=number, status="released")
