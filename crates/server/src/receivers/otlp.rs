//! OTLP over HTTP: `POST /v1/traces`, `POST /v1/logs`, as protobuf or JSON (OTLP 1.x, "OTLP/HTTP").

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use counterfoil_entry::Draft;
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde::Serialize;

use crate::access::Records;
use crate::body::{Body, media_type, unsupported};
use crate::ingest::otlp::{self, Shape};
use crate::ingest::{Refused, Undecodable};
use crate::problem::Problem;
use crate::receivers::record;
use crate::service::Service;

/// Records that became entries or not, of one of the signals of OTLP.
pub(super) trait Signal: 'static {
    type Request: Message + Default;
    type Answer: Message + Serialize + 'static;
    /// Its protobuf messages.
    const SHAPE: &'static Shape;

    fn decode_json(body: &[u8]) -> Result<Self::Request, Undecodable>;

    /// How many spans or log records there are.
    fn sent(request: &Self::Request) -> usize;

    /// What each of them becomes.
    fn drafts(request: &Self::Request) -> Vec<Result<Draft, Refused>>;

    /// The answer when so many were rejected, and why.
    fn answer(rejected: Option<(i64, String)>) -> Self::Answer;
}

pub(super) struct Traces;

impl Signal for Traces {
    type Request = ExportTraceServiceRequest;
    type Answer = ExportTraceServiceResponse;
    const SHAPE: &'static Shape = &otlp::TRACES;

    fn decode_json(body: &[u8]) -> Result<Self::Request, Undecodable> {
        otlp::decode_json_traces(body)
    }

    fn sent(request: &Self::Request) -> usize {
        let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        scopes.map(|scope| scope.spans.len()).sum()
    }

    fn drafts(request: &Self::Request) -> Vec<Result<Draft, Refused>> {
        otlp::traces(request)
    }

    fn answer(rejected: Option<(i64, String)>) -> Self::Answer {
        let partial_success =
            rejected.map(|(rejected_spans, error_message)| ExportTracePartialSuccess { rejected_spans, error_message });
        Self::Answer { partial_success }
    }
}

pub(super) struct Logs;

impl Signal for Logs {
    type Request = ExportLogsServiceRequest;
    type Answer = ExportLogsServiceResponse;
    const SHAPE: &'static Shape = &otlp::LOGS;

    fn decode_json(body: &[u8]) -> Result<Self::Request, Undecodable> {
        otlp::decode_json_logs(body)
    }

    fn sent(request: &Self::Request) -> usize {
        let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        scopes.map(|scope| scope.log_records.len()).sum()
    }

    fn drafts(request: &Self::Request) -> Vec<Result<Draft, Refused>> {
        otlp::logs(request)
    }

    fn answer(rejected: Option<(i64, String)>) -> Self::Answer {
        let partial_success = rejected.map(|(rejected_log_records, error_message)| ExportLogsPartialSuccess {
            rejected_log_records,
            error_message,
        });
        Self::Answer { partial_success }
    }
}

/// How a request is written; its answer is written the same way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        match media_type(headers).as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            other => Err(unsupported(other, "application/x-protobuf or application/json")),
        }
    }

    /// What a request takes in memory once it is decoded.
    pub(super) fn weight<S: Signal>(self, body: &[u8]) -> usize {
        match self {
            Self::Protobuf => otlp::weight(body, S::SHAPE),
            Self::Json => otlp::json_weight(body),
        }
    }

    pub(super) fn decode<S: Signal>(self, body: &[u8]) -> Result<S::Request, Problem> {
        match self {
            Self::Protobuf => S::Request::decode(body)
                .map_err(|error| Problem::invalid(format!("the body is no protobuf request: {error}"))),
            Self::Json => S::decode_json(body).map_err(|error| Problem::invalid(error.0)),
        }
    }

    fn answer(self, status: StatusCode, message: &(impl Message + Serialize)) -> Response {
        match self {
            Self::Protobuf => {
                (status, [(header::CONTENT_TYPE, "application/x-protobuf")], message.encode_to_vec()).into_response()
            }
            Self::Json => (status, axum::Json(message)).into_response(),
        }
    }

    /// An error as OTLP asks for it: a `google.rpc.Status`, with the same status and headers as a problem document.
    fn refuse(self, problem: Problem) -> Response {
        let status = RpcStatus { code: rpc_code(&problem), message: problem.detail.clone() };
        let mut response = self.answer(problem.status, &status);
        problem.note(response.extensions_mut());
        let headers = problem.into_response().headers().clone();
        for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
            if let Some(value) = headers.get(&name) {
                response.headers_mut().insert(name, HeaderValue::clone(value));
            }
        }
        response
    }
}

/// `google.rpc.Status`, as far as it is used here.
#[derive(Clone, PartialEq, Message, Serialize)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The `google.rpc.Code` of a problem.
pub(super) fn rpc_code(problem: &Problem) -> i32 {
    match problem.kind {
        "invalid" => 3,
        "not-found" => 5,
        "conflict" => 6,
        "denied" => 7,
        "busy" => 8,
        "unavailable" | "closed" => 14,
        "unauthenticated" => 16,
        _ => 13,
    }
}

/// Reads a request, records it, and answers in the encoding in which it came.
pub(super) async fn receive<S: Signal>(
    Records(caller): Records,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let encoding = Encoding::of(&headers)?;
    Ok(match record::<S>(&service, &caller.principal, encoding, body).await {
        Ok(recorded) => {
            let mut response = encoding.answer(StatusCode::OK, &recorded.answer);
            response.extensions_mut().extend(recorded.notes);
            response
        }
        Err(problem) => encoding.refuse(problem),
    })
}
