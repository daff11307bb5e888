"""Prefect 3: every state of a flow run and its tasks as an entry, and what is recorded inside knows its run.

    @audited_run
    @flow(retries=1)
    def invoices(): …

See docs/guides/integrations/prefect.md for what is recorded.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar, overload

from prefect import Flow, Task
from prefect.blocks.core import Block
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.context import FlowRunContext, TaskRunContext
from prefect.exceptions import PrefectSignal
from prefect.states import Crashed, Failed
from prefect.utilities.urls import url_for
from pydantic import Field, SecretStr

from . import connect, default_trail, scopes
from .errors import Invalid
from .trail import Trail

_log = logging.getLogger("counterfoil")

Run = TypeVar("Run", bound="Flow[..., Any] | Task[..., Any]")


class CounterfoilConnection(Block):
    """Where a service's ledger is, as a Prefect block: `CounterfoilConnection(url=…, token=…).save("audit")`."""

    _block_type_name = "Counterfoil Connection"
    _block_type_slug = "counterfoil-connection"

    url: str = Field(description="The service.")
    token: SecretStr = Field(description="A writer's token.")
    read_token: SecretStr | None = Field(default=None, description="A reader's token, for history and verify.")
    spool: str | None = Field(default=None, description="A folder on a local disk, kept across restarts.")
    mode: Literal["spool", "sync"] = Field(default="spool", description="sync waits for the ledger's own receipt.")
    ca_cert: str | None = Field(default=None, description="A PEM file of authorities.")

    def connect(self) -> Trail:
        """A trail of this service; the options are those of `counterfoil.connect`."""
        return connect(
            self.url,
            token=self.token.get_secret_value(),
            read_token=self.read_token.get_secret_value() if self.read_token else None,
            spool=self.spool,
            mode=self.mode,
            ca_cert=self.ca_cert,
        )


@overload
def audited_run(run: Run, /) -> Run: ...


@overload
def audited_run(*, trail: Trail | str | None = None, **said: Any) -> Callable[[Run], Run]: ...


def audited_run(
    run: Run | None = None, /, *, trail: Trail | str | None = None, **said: Any
) -> Run | Callable[[Run], Run]:
    """Records the runs of a flow or task; stands above `@flow` or `@task`.

    - `trail`: a trail, or the name of a `CounterfoilConnection` block, which each process loads when it records first.
      Left out, the one of `set_default_trail` at that time. Flows that go to other processes (Dask, Ray, process pools)
      need a block or the default: a trail cannot be sent.
    - Others as for `counterfoil.scope`: `actor`, `on_behalf_of`, `model_version` … of the run's states and of
      everything recorded inside it.
    """
    recorder = _Recorder(trail, said)
    return recorder.attached if run is None else recorder.attached(run)


@functools.cache
def _trail_of_block(name: str) -> Trail:
    block = CounterfoilConnection.load(name, _sync=True)  # type: ignore[call-arg]
    return block.connect()  # type: ignore[union-attr, no-any-return]


class _Recorder:
    """The hooks of one flow or task. A hook's failure is logged: Prefect would swallow it."""

    def __init__(self, trail: Trail | str | None, said: dict[str, Any]) -> None:
        self._trail, self._said = trail, said

    def attached(self, run: Run) -> Run:
        """The flow or task with these hooks, the scope around its function."""
        if isinstance(run, Flow):
            for name in ("on_running", "on_completion", "on_failure", "on_crashed", "on_cancellation"):
                _add_hook(run, name, self.flow_state)
            run.fn = _within(run.fn, self._in_flow)
        elif isinstance(run, Task):
            for name in ("on_running", "on_completion", "on_failure"):
                _add_hook(run, name, self.task_state)
            run.retry_condition_fn = functools.partial(self.may_retry, run.retry_condition_fn)
            run.fn = _within(run.fn, self._in_task)
        else:
            raise Invalid("audited_run stands above @flow or @task")
        return run

    def flow_state(self, flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
        """A hook: a flow run entered a state."""
        about = _about_flow(flow_run, flow.name)
        if state.is_running():
            # Prefect counts a try after it has told of it.
            about["try"] += 1
        elif state.is_crashed() or state.is_cancelling():
            # Here it may be a runner that tells, which has not followed the run's tries.
            del about["try"]
        self._record("pipeline_started" if state.is_running() else "pipeline_finished", state, about)

    def task_state(self, task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> None:
        """A hook: a task run entered a state."""
        event_type = "task_started" if state.is_running() else "task_finished"
        self._record(event_type, state, _about_task(task_run, task.name))

    def may_retry(self, condition: Any, task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> Any:
        """A retry condition, which Prefect asks after a failed try: the only word of it, if it is tried again."""
        answer = True if condition is None else condition(task, task_run, state)
        if inspect.isawaitable(answer):

            async def awaited() -> bool:
                return self._retried(bool(await answer), task, task_run, state)

            return awaited()
        return self._retried(bool(answer), task, task_run, state)

    def _retried(self, again: bool, task: Task[..., Any], task_run: TaskRun, state: State[Any]) -> bool:
        if again:
            self._record("task_finished", state, {**_about_task(task_run, task.name), "retried": True})
        return again

    @contextlib.contextmanager
    def _in_flow(self) -> Iterator[None]:
        context = FlowRunContext.get()
        run = context.flow_run if context else None
        if context is None or run is None:
            yield
            return
        about = _about_flow(run, context.flow.name if context.flow else None)
        with self._scope(about):
            try:
                yield
            except Exception as error:
                if run.run_count <= (run.empirical_policy.retries or 0):
                    # The server makes of this failure a retry, of which no hook hears.
                    self._record("pipeline_finished", Failed(message=_text(error)), {**about, "retried": True})
                raise

    @contextlib.contextmanager
    def _in_task(self) -> Iterator[None]:
        context = TaskRunContext.get()
        if context is None:
            yield
            return
        about = _about_task(context.task_run, context.task.name)
        with self._scope(about):
            try:
                yield
            except (Exception, PrefectSignal, GeneratorExit):
                raise
            except BaseException as error:
                # Tasks have no hook for crashes.
                self._record("task_interrupted", Crashed(message=_text(error)), about)
                raise

    def _scope(self, about: dict[str, Any]) -> contextlib.AbstractContextManager[None]:
        trace_id = scopes.current().get("trace_id") or about.get("flow_run_id") or about["task_run_id"]
        return scopes.scope({"prefect": about}, **{"trace_id": trace_id, **self._said})

    def _record(self, event_type: str, state: State[Any], about: dict[str, Any]) -> None:
        try:
            trail = _trail_of_block(self._trail) if isinstance(self._trail, str) else self._trail or default_trail()
            members: dict[str, Any] = {"timestamp": state.timestamp, "id": f"prefect-{state.id}"}
            if not state.is_running():
                members["outcome"] = "success" if state.is_completed() else "failure"
            if members.get("outcome") == "failure":
                members["reason"] = state.message
            run = "flow_run" if "flow_run_id" in about else "task_run"
            with self._scope({**about, **_url(about)}):
                if "actor" not in scopes.current():
                    members.update(actor=about.get("flow") or about["task"], actor_type="service")
                trail.record(event_type, about[f"{run}_id"], entity_type=run, new_value=state.name, **members)
        except Exception as error:
            run_id = about.get("task_run_id") or about["flow_run_id"]
            _log.error("counterfoil: %s of the run %s could not be recorded: %s", event_type, run_id, error)


def _add_hook(run: Any, name: str, hook: Callable[..., None]) -> None:
    # A new list: flows may share the one that they were given.
    setattr(run, f"{name}_hooks", [*(getattr(run, f"{name}_hooks") or ()), hook])


def _within(function: Any, around: Callable[[], contextlib.AbstractContextManager[None]]) -> Any:
    """The function with `around` about each call; generators are left alone, their scope would leak to the reader."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return function
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with around():
                return await function(*args, **kwargs)

        return coroutine

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with around():
            return function(*args, **kwargs)

    return plain


def _about_flow(run: FlowRun, flow: str | None) -> dict[str, Any]:
    about = {
        "flow": flow,
        "flow_version": run.flow_version,
        "flow_run_id": str(run.id),
        "flow_run": run.name,
        "deployment_id": run.deployment_id and str(run.deployment_id),
        "parent_task_run_id": run.parent_task_run_id and str(run.parent_task_run_id),
        "created_by": run.created_by and run.created_by.display_value,
        "try": run.run_count,
    }
    return {name: value for name, value in about.items() if value is not None}


def _about_task(run: TaskRun, task: str) -> dict[str, Any]:
    context = FlowRunContext.get()
    flow_run = context.flow_run if context else None
    about: dict[str, Any] = {}
    if flow_run is not None and flow_run.id == run.flow_run_id:
        about = _about_flow(flow_run, context.flow.name if context and context.flow else None)
    elif run.flow_run_id:
        about = {"flow_run_id": str(run.flow_run_id)}
    return {**about, "task": task, "task_run_id": str(run.id), "task_run": run.name, "try": run.run_count}


def _url(about: dict[str, Any]) -> dict[str, str]:
    kind = "task" if "task_run_id" in about else "flow"
    url = url_for(f"{kind}-run", about[f"{kind}_run_id"])
    return {"url": url} if url else {}


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
