//! OTLP over HTTP: `POST /v1/traces`, `POST /v1/logs`, as protobuf or JSON (OTLP 1.x, "OTLP/HTTP").

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde::Serialize;

use crate::access::{Principal, Records};
use crate::body::{Body, media_type, unsupported};
use crate::ingest::{Undecodable, otlp};
use crate::problem::{Problem, RefusedBecause};
use crate::receivers::{record, told};
use crate::service::Service;

/// How a request is written; its answer is written the same way.
#[derive(Debug, Clone, Copy)]
enum Encoding {
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

    fn decode<T: Message + Default>(
        self,
        body: &[u8],
        json: impl FnOnce(&[u8]) -> Result<T, Undecodable>,
    ) -> Result<T, Problem> {
        match self {
            Self::Protobuf => {
                T::decode(body).map_err(|error| Problem::invalid(format!("the body is no protobuf request: {error}")))
            }
            Self::Json => json(body).map_err(|error| Problem::invalid(error.0)),
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
        let reason = RefusedBecause(problem.kind);
        let headers = problem.clone().into_response().headers().clone();
        let mut response = self.answer(problem.status, &status);
        for name in [header::RETRY_AFTER, header::WWW_AUTHENTICATE] {
            if let Some(value) = headers.get(&name) {
                response.headers_mut().insert(name, HeaderValue::clone(value));
            }
        }
        response.extensions_mut().insert(reason);
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

pub(crate) async fn traces(
    Records(caller): Records,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Body(body, _room): Body,
) -> Result<Response, Problem> {
    let request = |encoding: Encoding| encoding.decode(&body, otlp::decode_json_traces);
    receive(&headers, request, async |request| record_traces(&service, &caller.0, request).await).await
}

pub(crate) async fn logs(
    Records(caller): Records,
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Body(body, _room): Body,
) -> Result<Response, Problem> {
    let request = |encoding: Encoding| encoding.decode(&body, otlp::decode_json_logs);
    receive(&headers, request, async |request| record_logs(&service, &caller.0, request).await).await
}

/// Reads a request, records it, and answers in the encoding in which it came.
async fn receive<T, A: Message + Serialize>(
    headers: &HeaderMap,
    read: impl FnOnce(Encoding) -> Result<T, Problem>,
    record: impl AsyncFnOnce(T) -> Result<A, Problem>,
) -> Result<Response, Problem> {
    let encoding = Encoding::of(headers)?;
    let done = match read(encoding) {
        Ok(request) => record(request).await,
        Err(problem) => Err(problem),
    };
    Ok(match done {
        Ok(answer) => encoding.answer(StatusCode::OK, &answer),
        Err(problem) => encoding.refuse(problem),
    })
}

pub(super) async fn record_traces(
    service: &Arc<Service>,
    principal: &Principal,
    request: ExportTraceServiceRequest,
) -> Result<ExportTraceServiceResponse, Problem> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let sent = scopes.map(|scope| scope.spans.len()).sum();
    let outcomes = record(service, principal, sent, move || otlp::traces(&request)).await?;
    let partial_success = (!outcomes.refused.is_empty()).then(|| ExportTracePartialSuccess {
        rejected_spans: outcomes.refused.len() as i64,
        error_message: told(&outcomes),
    });
    Ok(ExportTraceServiceResponse { partial_success })
}

pub(super) async fn record_logs(
    service: &Arc<Service>,
    principal: &Principal,
    request: ExportLogsServiceRequest,
) -> Result<ExportLogsServiceResponse, Problem> {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    let sent = scopes.map(|scope| scope.log_records.len()).sum();
    let outcomes = record(service, principal, sent, move || otlp::logs(&request)).await?;
    let partial_success = (!outcomes.refused.is_empty()).then(|| ExportLogsPartialSuccess {
        rejected_log_records: outcomes.refused.len() as i64,
        error_message: told(&outcomes),
    });
    Ok(ExportLogsServiceResponse { partial_success })
}
