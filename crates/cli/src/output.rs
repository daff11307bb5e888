//! Where commands write: results to standard output, everything else to standard error.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::data_out::DataOut;
use crate::exit::{Failure, advice};
use crate::text::steerless;

/// Bold.
pub const BOLD: Style = Style::new().bold();
/// For what matters less.
pub const DIM: Style = Style::new().dimmed();
/// For good news and new values.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// For bad news and old values.
pub const RED: Style = AnsiColor::Red.on_default();
/// For what deserves attention.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// For names.
pub const CYAN: Style = AnsiColor::Cyan.on_default();

/// Buffered standard output that keeps colours only where they are wanted (a terminal, and no `NO_COLOR`).
pub type Out = BufWriter<anstream::AutoStream<StdoutLock<'static>>>;

/// Standard output for text.
pub fn stdout() -> Out {
    BufWriter::new(anstream::AutoStream::auto(io::stdout().lock()))
}

/// Buffered standard output for data.
pub fn raw_stdout() -> BufWriter<DataOut> {
    BufWriter::with_capacity(1 << 16, DataOut::new())
}

/// Writes a value as one line of JSON.
pub fn json_line(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Writes a value as JSON for a program, laid out for a person's eye, and ends the output.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let mut out = raw_stdout();
    serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// A text in a style.
pub fn styled(style: Style, text: impl Display) -> impl Display {
    Styled { style, text }
}

struct Styled<T> {
    style: Style,
    text: T,
}

impl<T: Display> Display for Styled<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}{:#}", self.style, self.text, self.style)
    }
}

/// Says why a command failed, and what to do.
pub fn tell(failure: &Failure) {
    let Failure::Told { kind, message, advice: own } = failure else {
        return;
    };
    let message = steerless(message);
    note(format_args!("{} {message}", styled(RED, format_args!("counterfoil: {kind}:"))));
    if let Some(advice) = own.as_deref().or_else(|| advice(*kind)) {
        note(advice);
    }
}

/// Says something beside the result.
pub fn note(text: impl Display) {
    // Nobody is left to hear that standard error is closed.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// The width of the terminal on standard output, in characters; none when it is none.
pub fn terminal_width() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(width, _)| width.0.into())
}

/// Whether standard output is a terminal.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}
