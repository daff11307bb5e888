// Makes the JSON samples of this folder with the OpenTelemetry SDK and the CloudEvents SDK for JavaScript.
//
//     npm install @opentelemetry/api @opentelemetry/api-logs @opentelemetry/sdk-trace-base @opentelemetry/sdk-logs \
//         @opentelemetry/otlp-transformer @opentelemetry/resources cloudevents
//     node make_samples.mjs
import { writeFileSync } from "node:fs";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { JsonLogsSerializer, JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { CloudEvent, HTTP } from "cloudevents";

const seconds = 1795514400; // 2026-11-24T10:00:00Z
const resource = resourceFromAttributes({ "service.name": "kyc-agent" });
let ids = 0;
const idGenerator = {
  generateTraceId: () => "5b8efff798038103d269b633813fc60c",
  generateSpanId: () => `eee19b7ec3c1b1${(++ids).toString(16).padStart(2, "0")}`,
};
const spans = new InMemorySpanExporter();
const traces = new BasicTracerProvider({ resource, idGenerator, spanProcessors: [new SimpleSpanProcessor(spans)] });
const tracer = traces.getTracer("kyc", "0.3.0");
const span = tracer.startSpan("chat claude", {
  kind: SpanKind.CLIENT, startTime: [seconds, 1],
  attributes: { "gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4",
    "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 0, "score": 0.25, "ratio": NaN, "flags": [true, false] },
});
span.addEvent("retry", { attempt: 2 }, [seconds, 500]);
span.setStatus({ code: SpanStatusCode.ERROR, message: "overloaded" });
span.end([seconds + 1, 2]);
writeFileSync("js-sdk-traces.json", JsonTraceSerializer.serializeRequest(spans.getFinishedSpans()));

const records = new InMemoryLogRecordExporter();
const logs = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter: records })] });
logs.getLogger("kyc").emit({ timestamp: [seconds, 7], observedTimestamp: [seconds, 9], severityNumber: 9, eventName: "kyc_check",
  body: { customer: "C-1", hits: 3, raw: new Uint8Array([1, 2, 255]) }, attributes: { "counterfoil.outcome": "success" } });
writeFileSync("js-sdk-logs.json", JsonLogsSerializer.serializeRequest(records.getFinishedLogRecords()));

const event = new CloudEvent({ id: "A234-1234-1234", source: "/erp/ap", type: "com.example.invoice.approved", subject: "INV-2041",
  time: "2026-11-24T11:00:00.500+01:00", datacontenttype: "application/json", note: "Euro € 😀",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  data: { actor: "bot-7", actor_type: "ai_agent", old_value: "pending", new_value: "approved", confidence: 0.97 } });
writeFileSync("cloudevent-structured.json", HTTP.structured(event).body);
const { headers, body } = HTTP.binary(event);
writeFileSync("cloudevent-binary.json", JSON.stringify({ headers, body }, null, 1) + "\n");
