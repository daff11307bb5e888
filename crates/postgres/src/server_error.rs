//! What a server's error means for the caller.

use counterfoil::{Error, ErrorKind};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorResponseBody;

/// The error, by its SQLSTATE.
pub(crate) fn server_error(body: &ErrorResponseBody) -> Error {
    let (mut state, mut message, mut hint) = (String::new(), String::new(), String::new());
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => state = value,
            b'M' => message = value,
            b'H' => hint = format!(" ({value})"),
            _ => {}
        }
    }
    let kind = match state.as_str() {
        "42501" => ErrorKind::Denied,
        "42P01" | "3F000" | "3D000" | "42704" => ErrorKind::NotFound,
        "42710" => ErrorKind::Conflict,
        "55006" | "55P03" => ErrorKind::Busy,
        _ => match state.get(..2).unwrap_or("") {
            "28" => ErrorKind::Denied,
            "08" | "53" | "57" | "58" => ErrorKind::Unavailable,
            "40" => ErrorKind::Busy,
            _ => ErrorKind::Invalid,
        },
    };
    Error::new(kind, format!("PostgreSQL: {message}{hint} [{state}]"))
}
