//! What clients send, taken apart. Everything in a frame is a stranger's: what does not fit ends the connection.

use bytes::{Buf, Bytes};

use crate::pg::refusal::Refusal;

/// A prepared statement or a portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Statement,
    Portal,
}

/// One message of a client that is signed in, or signs in.
#[derive(Debug)]
pub(crate) enum Frame {
    Password(String),
    Query(String),
    Parse {
        name: String,
        sql: String,
        types: Vec<u32>,
    },
    Bind(Bind),
    Describe {
        target: Target,
        name: String,
    },
    Execute {
        portal: String,
        rows: usize,
    },
    Close {
        target: Target,
        name: String,
    },
    Sync,
    Flush,
    Terminate,
    /// A part of COPY, which nothing here begins; PostgreSQL passes over it as well.
    Ignored,
}

/// Values for a statement's parameters.
#[derive(Debug)]
pub(crate) struct Bind {
    pub(crate) portal: String,
    pub(crate) statement: String,
    pub(crate) formats: Vec<i16>,
    pub(crate) values: Vec<Option<Bytes>>,
    pub(crate) results: Vec<i16>,
}

impl Frame {
    /// Takes the body of a frame apart.
    ///
    /// # Errors
    /// A fatal one for what is no message of the protocol.
    pub(crate) fn parse(kind: u8, body: Bytes) -> Result<Self, Refusal> {
        let mut fields = Fields(body);
        let frame = match kind {
            b'p' => Self::Password(fields.text()?),
            b'Q' => Self::Query(fields.text()?),
            b'P' => Self::Parse { name: fields.text()?, sql: fields.text()?, types: fields.list(Fields::oid)? },
            b'B' => Self::Bind(Bind {
                portal: fields.text()?,
                statement: fields.text()?,
                formats: fields.list(Fields::int16)?,
                values: fields.list(Fields::value)?,
                results: fields.list(Fields::int16)?,
            }),
            b'D' => Self::Describe { target: fields.target()?, name: fields.text()? },
            b'E' => {
                Self::Execute { portal: fields.text()?, rows: usize::try_from(fields.int32()?).unwrap_or_default() }
            }
            b'C' => Self::Close { target: fields.target()?, name: fields.text()? },
            b'S' => Self::Sync,
            b'H' => Self::Flush,
            b'X' => Self::Terminate,
            b'c' | b'd' | b'f' => return Ok(Self::Ignored),
            other => return Err(Refusal::protocol(format!("there is no message of the type {other}"))),
        };
        if fields.0.has_remaining() {
            return Err(Refusal::protocol("a message is longer than what it holds"));
        }
        Ok(frame)
    }
}

/// What is left of a frame's body.
pub(crate) struct Fields(pub(crate) Bytes);

impl Fields {
    fn need(&self, bytes: usize) -> Result<(), Refusal> {
        match self.0.remaining() >= bytes {
            true => Ok(()),
            false => Err(Refusal::protocol("a message ends too early")),
        }
    }

    pub(crate) fn int16(&mut self) -> Result<i16, Refusal> {
        self.need(2)?;
        Ok(self.0.get_i16())
    }

    pub(crate) fn int32(&mut self) -> Result<i32, Refusal> {
        self.need(4)?;
        Ok(self.0.get_i32())
    }

    fn oid(&mut self) -> Result<u32, Refusal> {
        self.need(4)?;
        Ok(self.0.get_u32())
    }

    /// A text that ends with a zero byte.
    pub(crate) fn text(&mut self) -> Result<String, Refusal> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| Refusal::protocol("a text does not end"))?;
        let text = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(text.into()).map_err(|_| Refusal::fatal("22021", "a text is not UTF-8"))
    }

    /// A length and that many bytes; NULL for a length below zero.
    pub(crate) fn value(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Ok(length) = usize::try_from(self.int32()?) else {
            return Ok(None);
        };
        self.need(length)?;
        Ok(Some(self.0.split_to(length)))
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, Refusal>) -> Result<Vec<T>, Refusal> {
        let count = self.int16()? as u16;
        (0..count).map(|_| one(self)).collect()
    }

    fn target(&mut self) -> Result<Target, Refusal> {
        self.need(1)?;
        match self.0.get_u8() {
            b'S' => Ok(Target::Statement),
            b'P' => Ok(Target::Portal),
            _ => Err(Refusal::protocol("only statements and portals have a name")),
        }
    }
}
