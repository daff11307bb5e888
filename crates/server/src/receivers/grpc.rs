//! OTLP over gRPC.

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::{Code, Request, Response, Status};

use crate::access::{Denial, Peer, Principal, Right, recognise};
use crate::body::MAX_BODY_BYTES;
use crate::problem::Problem;
use crate::receivers::otlp::{record_logs, record_traces, rpc_code};
use crate::service::Service;

/// Both services of the collector.
pub(crate) fn grpc(service: &Arc<Service>) -> Router {
    let receiver = Receiver(Arc::clone(service));
    let traces = TraceServiceServer::new(receiver.clone())
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .max_decoding_message_size(MAX_BODY_BYTES);
    let logs = LogsServiceServer::new(receiver)
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .max_decoding_message_size(MAX_BODY_BYTES);
    tonic::service::Routes::new(traces).add_service(logs).into_axum_router()
}

#[derive(Clone)]
struct Receiver(Arc<Service>);

impl Receiver {
    /// Recognises the sender and checks that it may record; a refusal is recorded.
    async fn admit<T>(&self, request: &Request<T>, what: &str) -> Result<Principal, Status> {
        let headers = request.metadata().clone().into_headers();
        let extensions = request.extensions();
        let peer = extensions.get::<Peer>().map_or("unknown", |peer| &peer.0).to_owned();
        let mut known = axum::http::Extensions::new();
        if let Some(recognised) = extensions.get::<crate::access::Recognised>() {
            known.insert(recognised.clone());
        }
        let (who, problem) = match recognise(&self.0, &Method::POST, &headers, &known) {
            Ok(principal) if principal.role.has(Right::Record) => return Ok(principal),
            Ok(principal) => {
                let detail = format!("{} is a {} and may not record entries", principal.name, principal.role);
                (principal.name.to_string(), Problem::denied(detail))
            }
            Err(problem) => ("unknown".to_owned(), problem),
        };
        self.0.deny(Denial { who, peer, what: what.to_owned(), reason: problem.detail.clone() }).await;
        Err(status(&problem))
    }
}

fn status(problem: &Problem) -> Status {
    Status::new(Code::from_i32(rpc_code(problem)), problem.detail.clone())
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let principal = self.admit(&request, "gRPC TraceService/Export").await?;
        let done = record_traces(&self.0, &principal, request.into_inner()).await;
        done.map(Response::new).map_err(|problem| status(&problem))
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let principal = self.admit(&request, "gRPC LogsService/Export").await?;
        let done = record_logs(&self.0, &principal, request.into_inner()).await;
        done.map(Response::new).map_err(|problem| status(&problem))
    }
}
