"""`@audited`: calls of functions, methods, coroutines and generators as entries."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from .errors import Invalid
from .paths import at, first_of
from .redaction import SECRETS, redacted
from .salvage import UNIDENTIFIED, note_unidentified
from .steps import Step
from .trail import Trail

F = TypeVar("F", bound=Callable[..., Any])


def audited(
    event_type: str,
    *,
    entity_id: str | Callable[..., Any],
    trail: Trail | None = None,
    arguments: Collection[str] = (),
    redact: Collection[str] = (),
    result: bool | Callable[[Any], Any] = False,
    intent: bool = True,
    **members: Any,
) -> Callable[[F], F]:
    """Records each call of the decorated function: its intent before, its result or failure after.

    - `entity_id`: where the entity's id stands in the arguments (`"invoice.id"`: attributes,
      keys and positions alike), or a function of the arguments. `Invalid` if it begins with no argument of the
      function; a call in which nothing stands there is recorded with the entity `unidentified`, a note and a warning.
    - `arguments`: the names of arguments that are recorded, in `context.arguments`. None unless named here.
    - `redact`: fields whose values are replaced, in arguments and result; passwords and the like always are.
    - `result`: whether the result is recorded as `new_value`; or a function that makes of it what is.
    - `intent=False`: only one entry, after the call.
    - `trail`: left out, the one of `set_default_trail` at the time of the call. Other options as for `record`.

    Both entries carry `context.function` and one `context.step_id`; the second one `duration_ms`, `outcome` and, after
    an exception, `exception` (the exception goes on). A generator's second entry comes when it ends, with
    `context.items`.
    """
    if not isinstance(event_type, str):
        raise Invalid("use it with its arguments: @audited('event_type', entity_id='…')")
    hidden = SECRETS | frozenset(name.lower() for name in redact)

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        unknown = set(arguments) - set(signature.parameters)
        if unknown:
            raise Invalid(f"{function.__qualname__} has no arguments {', '.join(sorted(unknown))}")
        if isinstance(entity_id, str) and not _may_have(signature, first := first_of(entity_id)):
            raise Invalid(f"{function.__qualname__} has no argument {first}: entity_id={entity_id!r}")
        plan = _Plan(
            function, signature, event_type, entity_id, trail, tuple(arguments), hidden, result, intent, members
        )
        wrapped: F = _wrapped(function, plan)
        return wrapped

    return decorate


class _Plan:
    """What is recorded of the calls of one function."""

    def __init__(
        self,
        function: Callable[..., Any],
        signature: inspect.Signature,
        event_type: str,
        entity_id: str | Callable[..., Any],
        trail: Trail | None,
        arguments: tuple[str, ...],
        hidden: frozenset[str],
        result: bool | Callable[[Any], Any],
        intent: bool,
        members: Mapping[str, Any],
    ) -> None:
        self._function, self._signature = f"{function.__module__}.{function.__qualname__}", signature
        self._event_type, self._entity_id, self._trail = event_type, entity_id, trail
        self._arguments, self._hidden, self._result = arguments, hidden, result
        self._intent, self._members = intent, members

    def step(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Step:
        """The step of one call."""
        from . import default_trail

        context: dict[str, Any] = {**(self._members.get("context") or {}), "function": self._function}
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError:
            # The call itself will fail; that it was made is recorded.
            given: dict[str, Any] = {}
        else:
            bound.apply_defaults()
            given = bound.arguments
        if self._arguments:
            kept = {name: given[name] for name in self._arguments if name in given}
            context["arguments"] = redacted(kept, self._hidden)
        others = {name: value for name, value in self._members.items() if name != "context"}
        entity = self._entity(given, args, kwargs, context)
        trail = self._trail or default_trail()
        return Step(trail, self._event_type, entity, intent=self._intent, context=context, **others)

    def keep_result(self, step: Step, value: Any) -> None:
        """Makes the result the `new_value` of the second entry, if it is wanted."""
        if self._result is False:
            return
        try:
            wanted = self._result(value) if callable(self._result) else value
            step.set(new_value=redacted(wanted, self._hidden))
        except Exception as error:
            step.set(context={"result": error})

    def _entity(
        self, given: Mapping[str, Any], args: tuple[Any, ...], kwargs: dict[str, Any], context: dict[str, Any]
    ) -> Any:
        try:
            if callable(self._entity_id):
                return self._entity_id(*args, **kwargs)
            return at({**kwargs, **given}, self._entity_id)
        except Exception as error:
            note_unidentified(context, self._function, self._entity_id, error)
            return UNIDENTIFIED


def _may_have(signature: inspect.Signature, name: str) -> bool:
    """Whether calls may have an argument of this name."""
    named = signature.parameters
    return name in named or any(one.kind is inspect.Parameter.VAR_KEYWORD for one in named.values())


def _wrapped(function: Any, plan: _Plan) -> Any:
    if inspect.isasyncgenfunction(function):
        return functools.wraps(function)(_of_async_generator(function, plan))
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            step = plan.step(args, kwargs)
            with step:
                value = await function(*args, **kwargs)
                plan.keep_result(step, value)
            return value

        return coroutine
    if inspect.isgeneratorfunction(function):
        return functools.wraps(function)(_of_generator(function, plan))

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        step = plan.step(args, kwargs)
        with step:
            value = function(*args, **kwargs)
            plan.keep_result(step, value)
        return value

    return plain


def _of_generator(function: Any, plan: _Plan) -> Any:
    def generator(*args: Any, **kwargs: Any) -> Any:
        step = plan.step(args, kwargs)
        with step:
            step.context["items"] = 0
            value = yield from _counted(function(*args, **kwargs), step)
            if value is not None:
                plan.keep_result(step, value)
        return value

    return generator


def _counted(inner: Any, step: Step) -> Any:
    """`yield from` that counts what passes; values sent, exceptions thrown and closing reach the inner generator."""
    sent, thrown = None, None
    while True:
        try:
            item = inner.send(sent) if thrown is None else inner.throw(thrown)
        except StopIteration as end:
            return end.value
        step.context["items"] += 1
        sent, thrown = None, None
        try:
            sent = yield item
        except GeneratorExit:
            inner.close()
            raise
        except BaseException as error:
            thrown = error


def _of_async_generator(function: Any, plan: _Plan) -> Any:
    async def generator(*args: Any, **kwargs: Any) -> Any:
        step = plan.step(args, kwargs)
        with step:
            step.context["items"] = 0
            inner = function(*args, **kwargs)
            try:
                async for item in inner:
                    step.context["items"] += 1
                    yield item
            finally:
                await inner.aclose()

    return generator
