"""Makes the samples of this folder with the OpenTelemetry SDK for Python. Ids and times are fixed, so a second run writes the same bytes.

    python3 -m venv /tmp/otel
    /tmp/otel/bin/pip install opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2
    /tmp/otel/bin/python make_samples.py
"""
import pathlib

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

HERE = pathlib.Path(__file__).parent
BASE = 1_795_514_400_000_000_123  # 2026-11-24T10:00:00.000000123Z


class Counted(IdGenerator):
    span = 0

    def generate_span_id(self):
        self.span += 1
        return 0xEEE19B7EC3C1B100 + self.span

    def generate_trace_id(self):
        return 100927429609276267646756448943279827607  # beyond 2^64, of shared/datasets/otel-genai-any-agent


resource = Resource({"service.name": "invoice-matcher", "service.version": "2.11.0"})
spans = InMemorySpanExporter()
provider = TracerProvider(resource=resource, id_generator=Counted())
provider.add_span_processor(SimpleSpanProcessor(spans))
tracer = provider.get_tracer("invoice.agent", "1.4.0", schema_url="https://opentelemetry.io/schemas/1.37.0")

agent = tracer.start_span("invoke_agent invoice-bot-7", start_time=BASE, kind=SpanKind.INTERNAL, attributes={
    "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "invoice-bot-7", "gen_ai.agent.id": "asst_7",
    "gen_ai.conversation.id": "conv-81", "enduser.id": "mlopez"})
inside = set_span_in_context(agent)
new = tracer.start_span("chat gpt-4o", context=inside, start_time=BASE + 1_000, kind=SpanKind.CLIENT, attributes={
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.response.id": "chatcmpl-9J3u",
    "gen_ai.response.finish_reasons": ["stop"], "gen_ai.usage.input_tokens": 1021, "gen_ai.usage.output_tokens": 43,
    "gen_ai.request.temperature": 0.2, "gen_ai.agent.name": "invoice-bot-7", "gen_ai.conversation.id": "conv-81",
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"match"}]}]'})
new.end(end_time=BASE + 1_250_000_000)
old = tracer.start_span("openai.chat", context=inside, start_time=BASE + 2_000, kind=SpanKind.CLIENT, attributes={
    "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4", "gen_ai.usage.prompt_tokens": 12,
    "gen_ai.usage.completion_tokens": 5, "gen_ai.completion": "approve", "gen_ai.prompt": "INV-2041?"})
old.end(end_time=BASE + 2_000_000_000)
tool = tracer.start_span("execute_tool get_invoice", context=inside, start_time=BASE + 3_000, attributes={
    "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_invoice", "gen_ai.tool.call.id": "call_VSPy",
    "gen_ai.tool.type": "function", "gen_ai.tool.call.arguments": '{"id":"INV-2041"}'})
try:
    raise TimeoutError("ERP did not answer within 5 s")
except TimeoutError as error:
    tool.add_event("exception", {"exception.type": "TimeoutError", "exception.message": str(error)}, BASE + 5_000)
tool.set_status(Status(StatusCode.ERROR, "ERP did not answer within 5 s"))
tool.end(end_time=BASE + 5_000_003_000)
decision = tracer.start_span("approve", context=inside, start_time=BASE + 6_000, links=None, attributes={
    "counterfoil.event_type": "invoice_approved", "counterfoil.actor": "mlopez", "counterfoil.actor_type": "user",
    "counterfoil.entity_id": "INV-2041", "counterfoil.entity_type": "invoice",
    "counterfoil.old_value": "pending", "counterfoil.new_value_json": '{"status": "approved", "amount_minor": 9007199254740993}',
    "counterfoil.outcome": "success", "counterfoil.reason": "three-way match", "counterfoil.source": "erp-1",
    "counterfoil.sequence": 42, "confidence": 0.97, "serial": 9223372036854775807})
decision.end(end_time=BASE + 6_000_000_000)
agent.end(end_time=BASE + 7_000_000_000)
(HERE / "python-sdk-traces.pb").write_bytes(encode_spans(spans.get_finished_spans()).SerializeToString(deterministic=True))

records = InMemoryLogRecordExporter()
logs = LoggerProvider(resource=resource)
logs.add_log_record_processor(SimpleLogRecordProcessor(records))
logger = logs.get_logger("payments", "3.0.1")
logger.emit(LogRecord(timestamp=BASE, observed_timestamp=BASE + 5, severity_number=SeverityNumber.INFO, severity_text="INFO",
                      body={"payment": "PAY-7", "amounts": [1, 2.5, None, True], "raw": b"\x00\xff"}, event_name="payment_released",
                      attributes={"counterfoil.entity_id": "PAY-7", "user.id": "mlopez"}))
logger.emit(LogRecord(timestamp=BASE + 1, observed_timestamp=BASE + 1, severity_number=SeverityNumber.ERROR,
                      body="booking failed", attributes={"error.type": "LedgerLocked"}))
(HERE / "python-sdk-logs.pb").write_bytes(encode_logs(records.get_finished_logs()).SerializeToString(deterministic=True))
