//! OTLP over gRPC: the same as over HTTP, in another envelope. The sender is recognised before its message is read, and
//! the message is weighed before it is decoded.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body as HttpBody;
use axum::extract::{FromRequest, Request, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tokio::sync::Semaphore;
use tonic::codec::CompressionEncoding::{Gzip, Zstd};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tonic::{Code, Status};

use crate::access::{Caller, Right, note_refusals};
use crate::body::{Body, MAX_BODY_BYTES, Room};
use crate::problem::Problem;
use crate::receivers::otlp::{Encoding, Logs, Signal, Traces, rpc_code};
use crate::receivers::record;
use crate::service::Service;

/// What of a message is let arrive although nobody reads it, and how long that may take.
const SHORT_BYTES: usize = 256 << 10;
const SHORT_TIME: Duration = Duration::from_secs(5);

/// Both services of the collector.
pub(crate) fn grpc(service: &Arc<Service>) -> Router {
    Router::new()
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(export::<Traces>))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", post(export::<Logs>))
        .fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(service), note_refusals))
        .with_state(Arc::clone(service))
}

async fn export<S: Signal>(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match Caller::of(&parts, &service, Some(Right::Record)) {
        Ok(caller) => caller,
        Err(problem) => {
            pass_over(body).await;
            return refused(&problem);
        }
    };
    // Read here and not by tonic: within the time and the room that all bodies have.
    let Body(framed, _room) = match Body::from_request(Request::new(body), &service).await {
        Ok(body) => body,
        Err(problem) => return refused(&problem),
    };
    let room = Arc::clone(&service.room);
    let answer = tower::service_fn(move |request: tonic::Request<Body>| {
        let (service, caller) = (Arc::clone(&service), caller.clone());
        async move {
            let recorded = record::<S>(&service, &caller.principal, Encoding::Protobuf, request.into_inner()).await;
            let recorded = recorded.map_err(|problem| {
                service.metrics.refused(problem.kind);
                status(&problem)
            })?;
            let mut response = tonic::Response::new(Bytes::from(recorded.answer.encode_to_vec()));
            response.extensions_mut().extend(recorded.notes);
            Ok::<_, Status>(response)
        }
    });
    let mut grpc = Grpc::new(Undecoded(room))
        .accept_compressed(Gzip)
        .accept_compressed(Zstd)
        .max_decoding_message_size(MAX_BODY_BYTES);
    grpc.unary(answer, Request::from_parts(parts, Full::new(framed))).await.map(HttpBody::new)
}

async fn unknown(request: Request) -> Response {
    pass_over(request.into_body()).await;
    Status::unimplemented("").into_http::<HttpBody>()
}

/// Lets a short message arrive that nobody reads: some clients take an answer before its end for a broken stream.
async fn pass_over(mut body: HttpBody) {
    let arrived = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > SHORT_BYTES {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(SHORT_TIME, arrived).await;
}

fn status(problem: &Problem) -> Status {
    Status::new(Code::from_i32(rpc_code(problem)), problem.detail.clone())
}

fn refused(problem: &Problem) -> Response {
    let mut response = status(problem).into_http::<HttpBody>();
    problem.note(response.extensions_mut());
    response
}

/// Messages as they came, each with its place in the room for bodies.
struct Undecoded(Arc<Semaphore>);

impl Codec for Undecoded {
    type Encode = Bytes;
    type Decode = Body;
    type Encoder = Encoded;
    type Decoder = Self;

    fn encoder(&mut self) -> Encoded {
        Encoded
    }

    fn decoder(&mut self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Decoder for Undecoded {
    type Item = Body;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Body>, Status> {
        let mut room = Room::default();
        room.take(&self.0, message.remaining()).map_err(|problem| status(&problem))?;
        Ok(Some(Body(message.copy_to_bytes(message.remaining()), room)))
    }
}

/// Answers that are encoded already.
struct Encoded;

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(message);
        Ok(())
    }
}
