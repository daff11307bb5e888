//! Bodies of answers that cost a query: sent piece by piece, in the time that a query has, whether or not the client reads.

use std::time::Duration;

use axum::body::{Body, Bytes};
use counterfoil_query::Engine;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

/// Bytes of a piece of what was made whole before it is sent.
const PIECE_BYTES: usize = 1 << 20;

/// What breaks an answer off.
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A body of pieces. What they come from is let go when they are sent, when the client leaves, and when it takes longer over one
/// of them than `patience`: that breaks the answer off.
pub(crate) fn pieces(pieces: impl Stream<Item = Result<Bytes, Broken>> + Send + 'static, patience: Duration) -> Body {
    let (to, from) = mpsc::channel::<Option<Result<Bytes, Broken>>>(1);
    tokio::spawn(async move {
        let mut pieces = std::pin::pin!(pieces);
        loop {
            let piece = tokio::select! {
                piece = pieces.next() => piece,
                () = to.closed() => return,
            };
            let last = !matches!(piece, Some(Ok(_)));
            let sent = tokio::time::timeout(patience, to.send(piece)).await;
            if last || !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    });
    let body = futures::stream::unfold(Some(from), |from| async move {
        let mut from = from?;
        match from.recv().await {
            Some(Some(Ok(piece))) => Some((Ok(piece), Some(from))),
            Some(Some(Err(broken))) => Some((Err(broken), None)),
            Some(None) => None,
            None => Some((Err(Broken::from("the answer was not read in time")), None)),
        }
    });
    // What compresses a body asks once more after its end.
    Body::from_stream(body.fuse())
}

/// A body that was made whole, which holds its place among the queries while it is sent.
pub(crate) fn whole(body: Bytes, engine: &Engine) -> Body {
    let (engine, patience) = (engine.clone(), engine.limits().time);
    let starts = (0..body.len()).step_by(PIECE_BYTES);
    let parts = starts.map(move |start| {
        let _held = &engine;
        Ok(body.slice(start..body.len().min(start + PIECE_BYTES)))
    });
    pieces(futures::stream::iter(parts), patience)
}
