"""What only Django knows of a request: the user, the route, logins and exceptions.

The last of `MIDDLEWARE`, for the WSGI or ASGI middleware that is around the application:

    MIDDLEWARE = [..., "counterfoil.django.ActionMiddleware"]
    application = AuditMiddleware(get_wsgi_application(), trail)
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME, get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.shortcuts import resolve_url

from .actions import current, describe, identify

__all__ = ["ActionMiddleware", "describe", "identify"]


class ActionMiddleware:
    """Tells the action of a request what Django knows of it. Does nothing where no `AuditMiddleware` is around.

    Logins become `login` and `login_failed`. Whoever is sent to the login page in place of an answer was denied.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> Any:
        """Serves one request."""
        action = current()
        if action is None:
            return self._get_response(request)
        action.user = lambda: getattr(request, "user", None)
        response = self._get_response(request)
        if _asks_for_login(response):
            action.describe(outcome="denied")
        if action.recorded:
            action.settle()
        return response

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> None:
        """Called when the route is known."""
        action = current()
        if action is not None:
            match = request.resolver_match
            action.route = "/" + match.route, match.captured_kwargs
            if iscoroutinefunction(view):
                # Now, because asynchronous code may not ask the database for the user.
                action.who()

    def process_exception(self, request: Any, exception: Exception) -> None:
        """Called when a view has raised something; Django makes an answer of it."""
        describe(context={"exception": exception})


def _asks_for_login(response: Any) -> bool:
    if response.status_code != 302:
        return False
    target = urllib.parse.urlsplit(response.headers.get("Location", ""))
    asked = urllib.parse.parse_qs(target.query, keep_blank_values=True)
    return REDIRECT_FIELD_NAME in asked and target.path == urllib.parse.urlsplit(resolve_url(settings.LOGIN_URL)).path


def _logged_in(user: Any, **_: Any) -> None:
    identify(user.get_username())
    describe(event_type="login", entity_id=user.get_username(), entity_type="user")


def _login_failed(credentials: dict[str, Any], **_: Any) -> None:
    name = credentials.get(get_user_model().USERNAME_FIELD) or credentials.get("username") or "unidentified"
    describe(event_type="login_failed", entity_id=name, entity_type="user", outcome="failure")


def _logged_out(user: Any, **_: Any) -> None:
    if user is not None:
        identify(user.get_username())


user_logged_in.connect(_logged_in)
user_login_failed.connect(_login_failed)
user_logged_out.connect(_logged_out)
