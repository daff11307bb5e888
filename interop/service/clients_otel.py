#!/usr/bin/env python3
"""The OpenTelemetry SDK for Python records spans and logs in the service: clients_otel.py

Everything is sent by the SDK's own exporters, over OTLP/HTTP (protobuf, gzip) and over gRPC (gzip), and read back over the API.
"""
import json
import logging
import os
from contextlib import contextmanager

import requests
from grpc import Compression as GrpcCompression
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.exporter import OTLPExporterMixin
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression as HttpCompression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from running import Checks, equal, expect, new_ledger

CHECKS = Checks("clients_otel")
RESOURCE = Resource.create({"service.name": "invoice-service", "service.version": "1.4.0"})
AGENT = {"gen_ai.agent.name": "invoice-matcher", "gen_ai.agent.id": "agent-7", "gen_ai.conversation.id": "conv-2041"}
MESSAGES = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "The totals agree – 1 204.55 €"}]}], ensure_ascii=False)


class Http:
    """OTLP/HTTP with protobuf and gzip."""

    name, principal = "OTLP/HTTP", "agents-http"
    span_exporter = HttpSpanExporter
    says = {"unauthenticated": "401", "denied": "403"}

    def endpoint(self, service):
        return service.url

    def spans(self, service, token):
        return self._exporter(HttpSpanExporter, f"{service.url}/v1/traces", token)

    def logs(self, service, token):
        return self._exporter(HttpLogExporter, f"{service.url}/v1/logs", token)

    def _exporter(self, exporter, url, token):
        session = requests.Session()
        session.hooks["response"].append(self._expect_compressed)
        return exporter(url, headers={"Authorization": f"Bearer {token}"}, compression=HttpCompression.Gzip, session=session)

    def _expect_compressed(self, answer, **_):
        sent = answer.request.headers
        equal((sent["Content-Encoding"], sent["Content-Type"]), ("gzip", "application/x-protobuf"), "what the SDK sent")


class Grpc:
    """OTLP/gRPC with gzip."""

    name, principal = "OTLP/gRPC", "agents-grpc"
    span_exporter = GrpcSpanExporter
    says = {"unauthenticated": "UNAUTHENTICATED", "denied": "PERMISSION_DENIED"}

    def endpoint(self, service):
        return f"http://{service.grpc}"

    def spans(self, service, token):
        return self._exporter(GrpcSpanExporter, service, token)

    def logs(self, service, token):
        return self._exporter(GrpcLogExporter, service, token)

    def _exporter(self, exporter, service, token):
        headers = {"authorization": f"Bearer {token}"}
        return exporter(self.endpoint(service), insecure=True, headers=headers, compression=GrpcCompression.Gzip)


def checking(kind, what):
    return CHECKS.check(f"{kind.name}: {what}")


class Kept:
    """An exporter that remembers what it was given to export, and with what result."""

    def __init__(self, exporter):
        self.exporter, self.batches, self.results = exporter, [], []

    def export(self, batch):
        result = self.exporter.export(batch)
        self.batches.append(list(batch))
        self.results.append(result.name)
        return result

    def shutdown(self):
        self.exporter.shutdown()

    def force_flush(self, _timeout_millis=None):
        return True

    def __len__(self):
        return sum(map(len, self.batches))


class Said(logging.Handler):
    """Keeps what the SDK itself logs, such as why an export failed, from the terminal."""

    def __init__(self):
        super().__init__()
        self.lines = []
        logging.getLogger("opentelemetry").addHandler(self)
        logging.getLogger("opentelemetry").propagate = False
        for exporter in (HttpLogExporter, OTLPExporterMixin):
            logging.getLogger(exporter.__module__).filters.clear()  # they hide what is said twice within 20 s

    def emit(self, record):
        self.lines.append(record.getMessage())


SAID = Said()


@contextmanager
def tracing(exporter):
    """A tracer as a program sets it up; ends with everything exported."""
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    yield provider.get_tracer("matcher", "2.1.0")
    provider.force_flush()
    provider.shutdown()


@contextmanager
def logged(exporter):
    """A logger of the standard library as a program sets it up; ends with everything exported."""
    provider = LoggerProvider(resource=RESOURCE, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    handler = LoggingHandler(logger_provider=provider)
    logger = logging.getLogger("invoices")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)
    provider.force_flush()
    provider.shutdown()


def run_agent(tracer, logger):
    """An agent's run as instrumentations report it; the spans by what they show."""
    spans = {}
    run = {"gen_ai.operation.name": "invoke_agent", "user.id": "mlopez", **AGENT}
    with tracer.start_as_current_span("invoke_agent invoice-matcher", attributes=run) as spans["run"]:
        new_names = {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5",
            "gen_ai.response.model": "gpt-5-2026-08-07", "gen_ai.response.id": "resp-1", "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 64, "gen_ai.output.messages": MESSAGES, **AGENT,
        }
        with tracer.start_as_current_span("chat gpt-5", kind=SpanKind.CLIENT, attributes=new_names) as spans["new names"]:
            pass
        old_names = {
            "gen_ai.system": "anthropic", "gen_ai.request.model": "claude-3-opus", "gen_ai.usage.prompt_tokens": 31,
            "gen_ai.usage.completion_tokens": 7, "gen_ai.completion": "No.", "gen_ai.agent.name": "invoice-matcher",
        }
        with tracer.start_as_current_span("completion", kind=SpanKind.CLIENT, attributes=old_names) as spans["old names"]:
            pass
        tool = {
            "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_invoice", "gen_ai.tool.call.id": "call-9",
            "gen_ai.tool.call.result": '{"total": 120455}', "gen_ai.agent.name": "invoice-matcher",
        }
        with tracer.start_as_current_span("execute_tool get_invoice", attributes=tool) as spans["tool"]:
            logger.info("invoice %s read", "INV-2041", extra={"counterfoil.entity_id": "INV-2041", "amount_minor": 120455, "lines": [1, 2]})
        try:
            failing = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", **AGENT}
            with tracer.start_as_current_span("chat gpt-5", attributes=failing) as spans["failing"]:
                raise TimeoutError("the model did not answer")
        except TimeoutError:
            logger.exception("matching failed", extra={"otel.event.name": "matching_failed"})
    # Without a span around it, as in a program that only logs.
    logger.warning("no trace here", extra={"counterfoil.event_type": "limit_raised", "user.id": "mlopez"})
    return {name: span.get_span_context() for name, span in spans.items()}


def approve(tracer):
    """The example of docs/guides/ingest.md."""
    with tracer.start_as_current_span("approve") as span:
        span.set_attribute("counterfoil.event_type", "invoice_approved")
        span.set_attribute("counterfoil.entity_id", "INV-2041")
        span.set_attribute("counterfoil.actor", "mlopez")
        span.set_attribute("counterfoil.actor_type", "user")
        span.set_attribute("counterfoil.old_value", "pending")
        span.set_attribute("counterfoil.new_value_json", '{"status": "approved", "amount_minor": 1204550}')
    return span.get_span_context()


def hexadecimal(context):
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def members(entry, **wanted):
    """Compares members of an entry; `gen_ai__x` and `context__x` are those of its context."""
    for name, value in wanted.items():
        found = entry
        for part in name.replace("gen_ai__", "context__gen_ai__").split("__"):
            found = found.get(part) if isinstance(found, dict) else None
        equal(found, value, name)


def check_spans(kind, found, spans):
    """What the entries say of the agent's run."""
    trace = hexadecimal(spans["run"])[0]
    by_id = {entry.get("id"): entry for entry in found}
    entries = {name: by_id.get("otlp:{}:{}".format(*hexadecimal(context)), {}) for name, context in spans.items()}
    with checking(kind, "every span of the run is one entry, of the token's principal, with the 32 digits of the trace"):
        equal(sorted(entry["event_type"] for entry in entries.values()),
              ["gen_ai.invoke_agent", "inference_failed", "model_inference", "model_inference", "tool_call"], "the event types")
        for entry in entries.values():
            members(entry, recorder=kind.principal, trace_id=trace, actor="invoice-matcher", actor_type="ai_agent")
    with checking(kind, "the agent's run has its agent, conversation and user"):
        members(entries["run"], entity_id="conv-2041", entity_type="conversation", on_behalf_of="mlopez", outcome="success",
                gen_ai__agent_id="agent-7", gen_ai__conversation_id="conv-2041", context__name="invoke_agent invoice-matcher",
                context__scope={"name": "matcher", "version": "2.1.0"})
        equal(entries["run"]["context"]["resource"]["service.name"], "invoice-service", "the resource's service")
    with checking(kind, "an inference with today's attribute names has model, tokens and answer"):
        members(entries["new names"], outcome="success", context__model_version="gpt-5-2026-08-07", gen_ai__request_model="gpt-5",
                gen_ai__provider="openai", gen_ai__input_tokens=812, gen_ai__output_tokens=64, gen_ai__finish_reasons=["stop"],
                context__kind="client", entity_id="conv-2041",
                new_value={"finish_reasons": ["stop"], "output_tokens": 64, "response_id": "resp-1", "messages": MESSAGES})
    with checking(kind, "an inference with the attribute names of old has the same members"):
        members(entries["old names"], outcome="success", context__model_version="claude-3-opus", gen_ai__provider="anthropic",
                gen_ai__input_tokens=31, gen_ai__output_tokens=7, new_value={"output_tokens": 7, "messages": "No."})
    with checking(kind, "a tool call has the tool and its result"):
        members(entries["tool"], entity_id="call-9", entity_type="tool_call", context__tool_name="get_invoice", outcome="success",
                new_value='{"total": 120455}')
    with checking(kind, "a span in which an exception was raised failed, with the reason and the recorded exception"):
        members(entries["failing"], outcome="failure", reason="TimeoutError: the model did not answer")
        recorded = entries["failing"]["context"]["events"][0]
        equal((recorded["name"], recorded["attributes"]["exception.type"]), ("exception", "TimeoutError"), "the recorded event")
    with checking(kind, "spans inside the run name it as their parent"):
        equal(entries["run"]["context"].get("parent_span_id"), None, "the run's parent")
        for name in ("new names", "old names", "tool", "failing"):
            members(entries[name], context__parent_span_id=hexadecimal(spans["run"])[1], context__span_id=hexadecimal(spans[name])[1])


def check_logs(kind, found, spans):
    """What the entries say of the log records."""
    trace, tool = hexadecimal(spans["tool"])
    logs = {entry["context"]["body"]: entry for entry in found if "body" in entry.get("context", {})}
    with checking(kind, "every log record is one entry, of the token's principal, with what the SDK added"):
        equal(sorted(logs), ["invoice INV-2041 read", "matching failed", "no trace here"], "the bodies")
        for entry in logs.values():
            members(entry, recorder=kind.principal, context__scope={"name": "invoices"})
            expect(entry["id"].startswith("otlp:log:"), entry["id"])
    with checking(kind, "a log record has its extra attributes, and the trace and span that it was written in"):
        members(logs["invoice INV-2041 read"], event_type="log_recorded", entity_id="INV-2041", trace_id=trace,
                actor="invoice-service", actor_type="service", context__span_id=tool, context__severity="INFO",
                context__attributes={"amount_minor": 120455, "lines": [1, 2]})
    with checking(kind, "a log record of an exception has its type, message and stack, and the event's name"):
        entry = logs["matching failed"]
        members(entry, event_type="matching_failed", trace_id=trace, context__severity="ERROR", context__span_id=hexadecimal(spans["run"])[1])
        attributes = entry["context"]["attributes"]
        equal((attributes["exception.type"], attributes["exception.message"]), ("TimeoutError", "the model did not answer"), "the exception")
        expect("run_agent" in attributes["exception.stacktrace"], "the stack does not name the function")
    with checking(kind, "a log record outside any trace has none, and the event type and user that it was given"):
        members(logs["no trace here"], event_type="limit_raised", actor="mlopez", actor_type="user", trace_id=None,
                entity_id="invoice-service", entity_type="service", context__severity="WARN")


def check_recording(kind, ledger, service, reader):
    """A program under the SDK: what it recorded, and what happens when it sends that again."""
    writer = ledger.token("writer", kind.principal)
    spans, logs = Kept(kind.spans(service, writer)), Kept(kind.logs(service, writer))
    with checking(kind, "the SDK exports spans and log records, compressed, and hears success"):
        with tracing(spans) as tracer, logged(logs) as logger:
            contexts = run_agent(tracer, logger)
            approved = approve(tracer)
        equal((set(spans.results), set(logs.results)), ({"SUCCESS"}, {"SUCCESS"}), "the results of the exports")
        equal((len(spans), len(logs)), (6, 3), "the numbers of exported spans and log records")
    found = service.entries(reader, recorder=kind.principal)
    check_spans(kind, found, contexts)
    check_logs(kind, found, contexts)
    with checking(kind, "attributes counterfoil.… set the members of the entry, as in the guide"):
        entry = next(entry for entry in found if entry["event_type"] == "invoice_approved")
        members(entry, entity_id="INV-2041", actor="mlopez", actor_type="user", old_value="pending", trace_id=hexadecimal(approved)[0],
                new_value={"status": "approved", "amount_minor": 1204550}, recorder=kind.principal)
    with checking(kind, "an export that is sent again is not recorded twice"):
        for kept, exporter in ((spans, kind.spans(service, writer)), (logs, kind.logs(service, writer))):
            for batch in kept.batches:
                equal(exporter.export(batch).name, "SUCCESS", "the result of the repeat")
        equal(len(service.entries(reader, recorder=kind.principal)), 9, "the number of entries")


def check_refusals(kind, ledger, service, reader):
    """Who may not record, and what cannot be recorded."""
    for who, token in (("unauthenticated", "cf_wrong"), ("denied", reader)):
        with checking(kind, f"a sender that is {who} hears so, and records nothing"):
            SAID.lines.clear()
            spans, logs = Kept(kind.spans(service, token)), Kept(kind.logs(service, token))
            with tracing(spans) as tracer, logged(logs) as logger, tracer.start_as_current_span(f"not by {who}"):
                logger.info("not by %s", who)
            equal((spans.results, logs.results), (["FAILURE"], ["FAILURE"]), "the results of the exports")
            equal(sum(kind.says[who] in line for line in SAID.lines), 2, f"in {SAID.lines}, lines with {kind.says[who]}")
            equal(service.entries(reader, q=f"not by {who}"), [], "the entries")
    with checking(kind, "a span that cannot be an entry does not keep its neighbours from being recorded"):
        principal = f"{kind.principal}-partial"
        spans = Kept(kind.spans(service, ledger.token("writer", principal)))
        with tracing(spans) as tracer:
            for sequence in (1, "two", 3):
                attributes = {"counterfoil.source": "erp", "counterfoil.sequence": sequence}
                tracer.start_span("posted", attributes=attributes).end()
        equal(spans.results, ["SUCCESS"], "the results of the exports")
        equal([entry["sequence"] for entry in service.entries(reader, recorder=principal)], [1, 3], "the sequences")


def check_environment(kind, ledger, service, reader):
    """The SDK set up by the environment alone, as the guide says."""
    principal = f"{kind.principal}-environment"
    with checking(kind, "OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS, as in the guide, are enough"):
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = kind.endpoint(service)
        os.environ["OTEL_EXPORTER_OTLP_HEADERS"] = f"Authorization=Bearer {ledger.token('writer', principal)}"
        spans = Kept(kind.span_exporter())
        with tracing(spans) as tracer:
            tracer.start_span("set up by the environment").end()
        equal(spans.results, ["SUCCESS"], "the results of the exports")
        members(service.entries(reader, recorder=principal)[0], event_type="span_ended", context__name="set up by the environment")
    del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ["OTEL_EXPORTER_OTLP_HEADERS"]


def check_durability(kind, ledger, reader):
    """SIGKILL right after the SDK heard success; then the same export again, as a sender that is not sure does."""
    for signal in ("spans", "log records"):
        principal = f"{kind.principal}-{signal[:3]}-killed"
        writer = ledger.token("writer", principal)
        with checking(kind, f"{signal} are there after SIGKILL right behind success, and once when sent again"):
            service = ledger.serve("--otlp-grpc", "127.0.0.1:0")
            make = kind.spans if signal == "spans" else kind.logs
            kept = Kept(KillsAfterwards(make(service, writer), service))
            if signal == "spans":
                with tracing(kept) as tracer:
                    for number in range(20):
                        tracer.start_span(f"span {number}").end()
            else:
                with logged(kept) as logger:
                    for number in range(20):
                        logger.info("record %d", number)
            equal((kept.results, len(kept)), (["SUCCESS"], 20), "the results and the number of what was exported")
            equal(service.process.poll(), -9, "the service's exit code")
            service = ledger.serve("--otlp-grpc", "127.0.0.1:0")
            equal(len(service.entries(reader, recorder=principal)), 20, "the number of entries after the kill")
            equal(make(service, writer).export(kept.batches[0]).name, "SUCCESS", "the result of the repeat")
            equal(len(service.entries(reader, recorder=principal)), 20, "the number of entries after the repeat")
            service.end()


class KillsAfterwards:
    """An exporter that kills the service as soon as it hears of success."""

    def __init__(self, exporter, service):
        self.exporter, self.service = exporter, service

    def export(self, batch):
        result = self.exporter.export(batch)
        self.service.kill()
        return result

    def shutdown(self):
        self.exporter.shutdown()


def main():
    with new_ledger() as ledger:
        reader = ledger.token("reader")
        for kind in (Http(), Grpc()):
            service = ledger.serve("--otlp-grpc", "127.0.0.1:0")
            check_recording(kind, ledger, service, reader)
            check_refusals(kind, ledger, service, reader)
            check_environment(kind, ledger, service, reader)
            service.end()
            check_durability(kind, ledger, reader)
        with CHECKS.check("the ledger verifies"):
            ledger.verify()
    CHECKS.end()


main()
