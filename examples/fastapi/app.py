"""Invoice approval: clerks approve up to their limit, a controller may override; a model scores each invoice."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import sqlite3
from collections.abc import AsyncIterator
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel, Field

import counterfoil
from counterfoil.asgi import AuditMiddleware, Event, describe, identify

KEY = os.environ["APP_KEY"]
STATE = os.path.join(os.environ["WORK"], "invoices.db")
SALT = b"one for each user in a real application"
USERS = {
    "a.clerk": {"limit": 10_000, "role": "clerk"},
    "c.controller": {"limit": 50_000, "role": "controller"},
}

trail = counterfoil.connect(os.environ["COUNTERFOIL_URL"], spool=os.environ["SPOOL"], actor="invoice-service")


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    trail.close(timeout=10)


app = FastAPI(lifespan=lifespan)
app.add_middleware(
    AuditMiddleware,
    trail=trail,
    events={
        "POST /token": Event("login", fields=["username"], failed="login_failed"),
        "POST /invoices": Event("invoice_received", entity_type="invoice"),
        "POST /invoices/{number}/approve": Event("invoice_approved", "{number}", "invoice"),
        "POST /invoices/{number}/override": Event("override_approved", "{number}", "invoice"),
    },
    fields=["supplier", "amount", "reason"],
)


class Invoice(BaseModel):
    number: str
    supplier: str
    amount: int = Field(gt=0)
    iban: str


class Override(BaseModel):
    reason: str = Field(min_length=5)


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(STATE, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("CREATE TABLE IF NOT EXISTS invoice (number PRIMARY KEY, supplier, amount, iban, status)")
    return connection


def found(number: str) -> dict[str, Any]:
    row = database().execute("SELECT * FROM invoice WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise HTTPException(404, "no such invoice")
    return dict(row)


def approve(number: str) -> dict[str, str]:
    changed = database().execute(
        "UPDATE invoice SET status = 'approved' WHERE number = ? AND status = 'open'", (number,)
    )
    if changed.rowcount == 0:
        raise HTTPException(409, "it is not open")
    describe(old_value="open", new_value="approved")
    return {"number": number, "status": "approved"}


def hashed(password: str) -> bytes:
    return hashlib.scrypt(password.encode(), salt=SALT, n=1 << 14, r=8, p=1)


PASSWORDS = {name: hashed(os.environ["APP_PASSWORD"]) for name in USERS}


@app.post("/token")
def token(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, str]:
    expected = PASSWORDS.get(form.username, secrets.token_bytes(64))
    describe(entity_id=form.username, entity_type="user")
    if not hmac.compare_digest(hashed(form.password), expected):
        describe(reason="wrong name or password")
        raise HTTPException(401, "wrong name or password")
    identify(form.username)
    return {"access_token": jwt.encode({"sub": form.username}, KEY, "HS256"), "token_type": "bearer"}


def user(given: Annotated[str, Depends(OAuth2PasswordBearer("token"))]) -> str:
    try:
        name: str = jwt.decode(given, KEY, ["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "no valid token") from error
    identify(name)
    return name


User = Annotated[str, Depends(user)]


@app.post("/invoices", status_code=201)
def receive(invoice: Invoice, name: User) -> dict[str, str]:
    row = (invoice.number, invoice.supplier, invoice.amount, invoice.iban)
    describe(entity_id=invoice.number)
    try:
        database().execute("INSERT INTO invoice VALUES (?, ?, ?, ?, 'open')", row)
    except sqlite3.IntegrityError as error:
        raise HTTPException(409, "it is here already") from error
    return {"number": invoice.number, "status": "open"}


@app.post("/invoices/{number}/approve")
def approve_within_limit(number: str, name: User) -> dict[str, str]:
    invoice = found(number)
    score = 0.9 if invoice["amount"] > 40_000 else 0.1
    trail.record(
        "model_inference",
        number,
        actor="invoice-risk",
        actor_type="ai_agent",
        on_behalf_of=name,
        entity_type="invoice",
        new_value={"risk": score},
        context={"model_version": "invoice-risk-1.4"},
    )
    if invoice["amount"] > USERS[name]["limit"]:
        describe(reason=f"over the limit of {USERS[name]['limit']}")
        raise HTTPException(403, "over your limit")
    return approve(number)


@app.post("/invoices/{number}/override")
def override(number: str, given: Override, name: User) -> dict[str, str]:
    invoice = found(number)
    if USERS[name]["role"] != "controller":
        raise HTTPException(403, "only a controller may")
    trail.override(
        number,
        actor=name,
        entity_type="invoice",
        reason=given.reason,
        shown={"invoice": invoice, "advice": "refer"},
        old_value=invoice["status"],
        new_value="approved",
    )
    describe(reason=given.reason)
    return approve(number)


@app.get("/invoices/{number}")
def show(number: str, name: User) -> dict[str, Any]:
    return found(number)
