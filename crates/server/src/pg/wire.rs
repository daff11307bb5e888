//! One connection's bytes: frames in, messages out, both in buffers of limited size.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use pgwire::messages::PgWireBackendMessage;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::pg::frame::Frame;
use crate::pg::refusal::{Broken, Refusal};

/// Longest message of a client that is signed in; a statement alone may be 256 KiB.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Longest message before that.
const MAX_EARLY_BYTES: usize = 10_000;

/// Bytes that are read ahead while a statement runs.
const READ_AHEAD_BYTES: usize = 64 << 10;

/// Bytes that wait to be sent together.
const SEND_BYTES: usize = 32 << 10;

/// What carries a connection.
pub(crate) trait Carrier: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Carrier for T {}

/// A connection.
pub(crate) struct Wire {
    stream: Box<dyn Carrier>,
    incoming: BytesMut,
    outgoing: BytesMut,
    max_message: usize,
    /// How long the client may take nothing of what it asked for.
    patience: Duration,
}

impl Wire {
    /// A connection of which some bytes were read already.
    pub(crate) fn begun(stream: Box<dyn Carrier>, read: &[u8], patience: Duration) -> Self {
        Self {
            stream,
            incoming: BytesMut::from(read),
            outgoing: BytesMut::new(),
            max_message: MAX_EARLY_BYTES,
            patience,
        }
    }

    /// Takes longer messages from now on.
    pub(crate) fn trust(&mut self) {
        self.max_message = MAX_MESSAGE_BYTES;
    }

    /// The next message that has no type byte: its body.
    ///
    /// # Errors
    /// When the client leaves, or sends what is no such message.
    pub(crate) async fn opening(&mut self) -> Result<Bytes, Broken> {
        self.fill(4).await?;
        self.body(0).await
    }

    /// The next message. Nothing is lost when it is not waited for to the end.
    ///
    /// # Errors
    /// When the client leaves, or sends what is no message.
    pub(crate) async fn next(&mut self) -> Result<Frame, Broken> {
        self.fill(5).await?;
        let kind = self.incoming[0];
        Ok(Frame::parse(kind, self.body(1).await?)?)
    }

    async fn body(&mut self, at: usize) -> Result<Bytes, Broken> {
        let length = u32::from_be_bytes(self.incoming[at..at + 4].try_into().expect("four bytes")) as usize;
        if !(4..=self.max_message).contains(&length) {
            let most = self.max_message;
            return Err(Refusal::protocol(format!("a message of {length} bytes; at most {most} are taken")).into());
        }
        self.fill(at + length).await?;
        let mut frame = self.incoming.split_to(at + length);
        if self.incoming.is_empty() {
            // The buffer of a long message is not kept.
            self.incoming = BytesMut::new();
        }
        frame.advance(at + 4);
        Ok(frame.freeze())
    }

    async fn fill(&mut self, bytes: usize) -> Result<(), Broken> {
        while self.incoming.len() < bytes {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Broken> {
        match self.stream.read_buf(&mut self.incoming).await {
            Ok(0) | Err(_) => Err(Broken::Gone),
            Ok(_) => Ok(()),
        }
    }

    /// Resolves when the client leaves, while nothing is expected of it.
    pub(crate) async fn left(&mut self) {
        while self.incoming.len() < READ_AHEAD_BYTES {
            if self.read().await.is_err() {
                return;
            }
        }
        std::future::pending().await
    }

    /// Queues a message; sends what is queued when that is much.
    ///
    /// # Errors
    /// When the client is gone or takes nothing.
    pub(crate) async fn feed(&mut self, message: PgWireBackendMessage) -> Result<(), Broken> {
        if let Err(error) = message.encode(&mut self.outgoing) {
            return Err(Refusal::fatal("54000", format!("an answer that the protocol cannot carry: {error}")).into());
        }
        match self.outgoing.len() < SEND_BYTES {
            true => Ok(()),
            false => self.flush().await,
        }
    }

    /// Sends what is queued.
    ///
    /// # Errors
    /// When the client is gone or takes nothing.
    pub(crate) async fn flush(&mut self) -> Result<(), Broken> {
        while !self.outgoing.is_empty() {
            let written = tokio::time::timeout(self.patience, self.stream.write_buf(&mut self.outgoing)).await;
            if !matches!(written, Ok(Ok(1..))) {
                return Err(Broken::Gone);
            }
        }
        self.stream.flush().await.map_err(|_| Broken::Gone)
    }

    /// Says goodbye.
    pub(crate) async fn close(mut self, refusal: Option<Refusal>) {
        if let Some(refusal) = refusal {
            let _ = Refusal { fatal: true, ..refusal }.into_message().encode(&mut self.outgoing);
        }
        if self.flush().await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }
}
