"""What users do by HTTP: who, by which route, how it ended. What the ASGI and the WSGI middleware have in common."""

from __future__ import annotations

import contextvars
import dataclasses
import fnmatch
import ipaddress
import logging
import re
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol, TypedDict

from . import scopes
from .bodies import Body
from .errors import Invalid
from .redaction import REDACTED, SECRETS
from .trail import Trail

_log = logging.getLogger("counterfoil")

WRITES = ("POST", "PUT", "PATCH", "DELETE")
ANONYMOUS = "anonymous"
"""The actor of an action of which nobody knows who did it."""

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_REQUEST_ID = re.compile(r"[!-~]{1,128}")


@dataclasses.dataclass(frozen=True)
class Event:
    """What the requests of one route are in the ledger.

    `entity_id` and its like are made of the route's parameters: `"{invoice_id}"`. `fields` stands for the middleware's
    own list on this route. `failed` is the event type where the outcome is no success, if that has one of its own.
    """

    type: str
    entity_id: str | None = None
    entity_type: str | None = None
    fields: Collection[str] | None = None
    failed: str | None = None


class Options(TypedDict, total=False):
    """What both middlewares take, besides the application and the trail.

    - `methods`: which requests are recorded; POST, PUT, PATCH and DELETE.
    - `exclude`: paths that are left alone altogether, with `*` and `?`: `"/static/*"`.
    - `events`: what a route is, an event type or an `Event`, by `"POST /invoices/{id}/approve"` or the route alone.
    - `fields`: the names of body fields that are recorded, in `context.fields`: `"amount"`, `"invoice.currency"`. None
      unless named here. Passwords and the like are `[redacted]` even so.
    - `actor`: a function of the ASGI scope or the WSGI environ: a name, a user object, a mapping of `actor`,
      `actor_type` and `on_behalf_of`, or `None`. Asked when something is recorded, until it knows or the answer begins.
    - `proxies`: how many proxies in front are trusted to add to X-Forwarded-For; 0: the header is not read.
    - `strict=False`: an entry that cannot be made durable goes to the log, and the answer to the client. Otherwise it
      is raised, and the client gets an error in place of the answer.
    """

    methods: Collection[str]
    exclude: Collection[str]
    events: Mapping[str, str | Event]
    fields: Collection[str]
    actor: Callable[[Any], Any]
    proxies: int
    strict: bool


class Request(Protocol):
    """A request as ASGI and WSGI tell it."""

    raw: Any
    method: str
    path: str
    peer: str | None

    def header(self, name: str) -> str | None:
        """A header by its name in lower case; several of one name with commas between them."""

    def route(self) -> tuple[str | None, Mapping[str, Any]]:
        """The template of the route and its parameters, once the framework has found it."""

    def user(self) -> Any:
        """The user that the server or framework knows."""


class Plan:
    """Which requests are recorded, and as what. See `Options`."""

    def __init__(
        self,
        trail: Trail | None = None,
        *,
        methods: Collection[str] = WRITES,
        exclude: Collection[str] = (),
        events: Mapping[str, str | Event] | None = None,
        fields: Collection[str] = (),
        actor: Callable[[Any], Any] | None = None,
        proxies: int = 0,
        strict: bool = True,
    ) -> None:
        for name, value in (("methods", methods), ("exclude", exclude), ("fields", fields)):
            if isinstance(value, str):
                raise Invalid(f"{name} is a list of texts, not a text")
        self._trail, self.actor, self.proxies, self.strict = trail, actor, proxies, strict
        self._methods = frozenset(method.upper() for method in methods)
        self._exclude = tuple(exclude)
        self._events = {key: Event(said) if isinstance(said, str) else said for key, said in (events or {}).items()}
        self.fields = tuple(fields)
        self.reads_bodies = bool(fields) or any(event.fields for event in self._events.values())

    @property
    def trail(self) -> Trail:
        """The trail given, else the one of `set_default_trail`."""
        from . import default_trail

        return self._trail or default_trail()

    def covers(self, path: str) -> bool:
        """Whether requests for this path are looked at at all."""
        return not any(fnmatch.fnmatchcase(path, pattern) for pattern in self._exclude)

    def records(self, method: str) -> bool:
        """Whether requests with this method are entries."""
        return method in self._methods

    def event(self, method: str, route: str | None) -> Event:
        """What a route is in the ledger."""
        found = self._events.get(f"{method} {route}") or self._events.get(route or "")
        return found or Event("record_read" if method in ("GET", "HEAD") else "user_action")


class Action:
    """One request of one user, from its beginning to its entry."""

    def __init__(self, plan: Plan, request: Request) -> None:
        self._plan, self._request = plan, request
        self.recorded = plan.records(request.method)
        self.body = Body(request.header) if self.recorded and plan.reads_bodies else None
        self.user: Callable[[], Any] = request.user
        self.route: tuple[str | None, Mapping[str, Any]] | None = None
        parent = _TRACEPARENT.fullmatch((request.header("traceparent") or "").strip())
        own = request.header("x-request-id") or ""
        self.request_id = own if _REQUEST_ID.fullmatch(own) else None
        self.trace_id: str = parent[1] if parent else self.request_id or uuid.uuid4().hex
        self._settled = False
        self._who: Mapping[str, Any] = {}
        self._unknown: Exception | None = None
        self._members: dict[str, Any] = {}
        self._context: dict[str, Any] = {}
        self._started_s = time.perf_counter()

    def enter(self) -> Callable[[], None]:
        """Makes this the action, and its scope the scope, of everything below; what is returned takes that back."""
        tokens = _current.set(self), scopes.put(_Said(self, scopes.current()))

        def leave() -> None:
            _current.reset(tokens[0])
            scopes.reset_scope(tokens[1])

        return leave

    def who(self) -> Mapping[str, Any]:
        """`actor`, `actor_type` and `on_behalf_of`, as far as they are known by now."""
        if not self._who and not self._settled:
            try:
                self._who = _identity(self._plan.actor(self._request.raw) if self._plan.actor else self.user())
                self._unknown = None
            except Exception as error:
                self._unknown = error
        return self._who

    def settle(self) -> None:
        """Looks at all that is known when the answer begins. Afterwards the framework may have let go of it."""
        self.route = self.route or self._request.route()
        self.who()
        self._settled = True

    def identify(self, actor: object, *, actor_type: str | None = "user", on_behalf_of: object = None) -> None:
        """Says who acts, from here on."""
        said = {"actor": actor, "actor_type": actor_type, "on_behalf_of": on_behalf_of}
        self._who, self._unknown = {} if actor is None else said, None

    def describe(self, **members: Any) -> None:
        """Members of the action's entry, as for `record`."""
        self._context.update(members.pop("context", None) or {})
        self._members.update(members)

    def record(self, status: int | None, *, error: BaseException | None = None, disconnected: bool = False) -> None:
        """Records how it ended. `status` is that of the answer, if there was one.

        An entry that cannot be made durable is raised, but not with `strict=False`, and not in place of `error`.
        """
        try:
            self._plan.trail.record_many([self._entry(status, error, disconnected)])
        except Exception as failed:
            if self._plan.strict and error is None:
                raise
            _log.error("counterfoil: %s %s was not recorded: %s", self._request.method, self._request.path, failed)

    def _entry(self, status: int | None, error: BaseException | None, disconnected: bool) -> dict[str, Any]:
        if not self._settled:
            self.settle()
        route, params = self.route or (None, {})
        event = self._plan.event(self._request.method, route)
        path = _without_secrets(self._request.path, params)
        context: dict[str, Any] = {"method": self._request.method, "path": path, "route": route, "status": status}
        context["duration_ms"] = round((time.perf_counter() - self._started_s) * 1000, 3)
        context["ip_address"] = self._address()
        context["request_id"] = self.request_id
        fields = self._plan.fields if event.fields is None else event.fields
        if self.body is not None and fields:
            context.update(self.body.found(fields))
        context["actor_error"] = self._unknown
        context["disconnected"] = disconnected or None
        context["exception"] = error
        outcome = self._members.get("outcome") or _outcome(status, error, disconnected)
        members: dict[str, Any] = {
            "event_type": event.failed if event.failed and outcome != "success" else event.type,
            "entity_id": _filled(event.entity_id, params) or path,
            "entity_type": event.entity_type,
            "trace_id": self.trace_id,
            "actor": ANONYMOUS,
            **self._who,
            **self._members,
            "outcome": outcome,
            "context": {name: value for name, value in {**context, **self._context}.items() if value is not None},
        }
        if error is not None:
            members.pop("new_value", None)
        return members

    def _address(self) -> str | None:
        peer, proxies = self._request.peer, self._plan.proxies
        hops = (self._request.header("x-forwarded-for") or "").split(",")
        told = hops[-proxies].strip() if len(hops) >= proxies > 0 else peer
        try:
            return str(ipaddress.ip_address(told or ""))
        except ValueError:
            return peer


class _Said(Mapping[str, Any]):
    """The scope of a request: who acts is asked when something is recorded, for it may not be known before."""

    def __init__(self, action: Action, outer: Mapping[str, Any]) -> None:
        self._action = action
        self._fixed: dict[str, Any] = {**outer, "trace_id": action.trace_id}
        if action.request_id:
            self._fixed["context"] = {**outer.get("context", {}), "request_id": action.request_id}

    def _now(self) -> dict[str, Any]:
        return {**self._fixed, **self._action.who()}

    def __getitem__(self, name: str) -> Any:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


_current: contextvars.ContextVar[Action | None] = contextvars.ContextVar("counterfoil_action", default=None)


def current() -> Action | None:
    """The action of the request that this code serves, if a middleware is around it."""
    return _current.get()


def identify(actor: object, *, actor_type: str | None = "user", on_behalf_of: object = None) -> None:
    """Says who acts in this request, once that is known: in the function that checks the session or the token.

    It holds for the request's own entry and all that is recorded from here on. Without a middleware it does nothing.
    """
    action = current()
    if action is not None:
        action.identify(actor, actor_type=actor_type, on_behalf_of=on_behalf_of)


def describe(**members: Any) -> None:
    """Says what the middleware cannot see of this request: the id of what was created, a reason, an outcome that the
    status does not tell. Members as for `record`. Without a middleware it does nothing.
    """
    action = current()
    if action is not None:
        action.describe(**members)


def _outcome(status: int | None, error: BaseException | None, disconnected: bool) -> str:
    if isinstance(error, PermissionError) or (error is None and status in (401, 403)):
        return "denied"
    failed = error is not None or disconnected or status is None or status >= 400
    return "failure" if failed else "success"


def _identity(told: Any) -> Mapping[str, Any]:
    if isinstance(told, Mapping):
        return told if told.get("actor") else {}
    name = _name(told)
    return {"actor": name, "actor_type": "user"} if name else {}


def _name(user: Any) -> str | None:
    """The name of a text, or of a user object of Django, Starlette or their like; `None` of one not signed in."""
    if user is None or isinstance(user, str):
        return user
    if not getattr(user, "is_authenticated", True):
        return None
    if callable(getattr(user, "get_username", None)):
        return str(user.get_username())
    for attribute in ("identity", "display_name", "username"):
        try:
            name = getattr(user, attribute)
        except (AttributeError, NotImplementedError):
            continue
        if name:
            return str(name)
    return str(user)


def _filled(template: str | None, params: Mapping[str, Any]) -> str | None:
    if template is None:
        return None
    try:
        return template.format_map(params)
    except (KeyError, IndexError, ValueError, AttributeError):
        return None


def _without_secrets(path: str, params: Mapping[str, Any]) -> str:
    for name, value in params.items():
        if str(name).lower() in SECRETS and str(value):
            path = path.replace(str(value), REDACTED)
    return path
