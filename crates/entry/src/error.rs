//! Why an entry was refused, and where.

use crate::canonical::ValueKind;

/// What is wrong with a text that was cut off: its last member is not to blame, and not named.
pub(crate) const ENDS_EARLY: &str = "the text ends too early";

/// Why bytes are not an entry (or not canonical JSON).
///
/// Every message names the member by its path, as in `context.items[2].price`, and says what to do.
/// `member` is that path, `at` a byte offset into the bytes that were given, lengths are in bytes.
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The bytes are not JSON (RFC 8259).
    #[error("{}not JSON at byte {at}: {problem}", if *problem == ENDS_EARLY { String::new() } else { prefix(member) })]
    Malformed { member: String, at: usize, problem: &'static str },
    /// The bytes are not UTF-8, or begin with a byte order mark.
    #[error("{}byte {at}: {problem}", prefix(member))]
    Encoding { member: String, at: usize, problem: &'static str },
    /// A string holds what no string may hold: a lone surrogate or U+0000.
    #[error("{}byte {at}: {problem}", prefix(member))]
    Text { member: String, at: usize, problem: &'static str },
    /// A number that cannot be kept exactly.
    #[error("{}the number {literal} {problem}", prefix(member))]
    Number { member: String, at: usize, literal: String, problem: &'static str },
    /// Too many containers one inside the other.
    #[error(
        "{}nested deeper than {} levels at byte {at}; flatten the value or attach it as a file",
        prefix(member),
        crate::MAX_DEPTH
    )]
    TooDeep { member: String, at: usize },
    /// A member stands twice in its object.
    #[error("{member}: stands twice in the same object; keep one of the two")]
    Duplicate { member: String, at: usize },
    /// A member that an entry does not have.
    #[error("{member}: an entry has no such member; put it into context")]
    Unknown { member: String, at: usize },
    /// A member that only the ledger sets.
    #[error("{member}: only the ledger sets this member; leave it out")]
    LedgerOnly { member: String, at: usize },
    /// A member's value is of another type than the member takes.
    #[error("{member}: must be {expected}, not {found}")]
    WrongType { member: String, at: usize, expected: &'static str, found: ValueKind },
    /// A member that every entry needs is absent.
    #[error("{member}: missing; every entry needs it")]
    Missing { member: &'static str },
    /// A member needs another one beside it.
    #[error("{member}: needs {needs} beside it; send both or neither")]
    Alone { member: &'static str, needs: &'static str },
    /// A text is too short or too long.
    #[error("{member}: {length} bytes; must be {min} to {max} bytes of UTF-8")]
    Length { member: String, length: usize, min: usize, max: usize },
    /// A value is of the right type and still not allowed.
    #[error("{member}: {problem}")]
    Value { member: String, problem: String },
    /// The canonical form takes too many bytes.
    #[error(
        "entry: {length} bytes, {limit} are allowed in canonical form; attach large content by its SHA-256 (context.attachments)"
    )]
    TooLarge { length: usize, limit: usize },
    /// The bytes are valid but are not their own canonical form.
    #[error("not in canonical form: first difference at byte {at}")]
    NotCanonical { at: usize },
    /// The catalog has no such event type (only when the catalog is asked).
    #[error("event_type: \"{event_type}\" is not in the catalog{}", suggestion(nearest))]
    UnknownType { event_type: String, nearest: Option<&'static str> },
    /// The catalog wants a member that is absent (only when the catalog is asked).
    #[error("{member}: missing; the catalog requires it for {event_type}")]
    Required { member: String, event_type: &'static str },
}

/// Internal results carry the error in a box: it is rare, and a thin result keeps the common path fast.
pub(crate) type Checked<T> = Result<T, Box<EntryError>>;

impl EntryError {
    /// Path of the member that the error is about; `None` where it is about the whole.
    pub fn member(&self) -> Option<&str> {
        let member = match self {
            Self::Malformed { member, .. }
            | Self::Encoding { member, .. }
            | Self::Text { member, .. }
            | Self::Number { member, .. }
            | Self::TooDeep { member, .. }
            | Self::Duplicate { member, .. }
            | Self::Unknown { member, .. }
            | Self::LedgerOnly { member, .. }
            | Self::WrongType { member, .. }
            | Self::Length { member, .. }
            | Self::Value { member, .. }
            | Self::Required { member, .. } => member.as_str(),
            Self::Missing { member } | Self::Alone { member, .. } => member,
            Self::UnknownType { .. } => "event_type",
            Self::TooLarge { .. } | Self::NotCanonical { .. } => "",
        };
        (!member.is_empty()).then_some(member)
    }

    /// The same error about a value that stands inside `outer`.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        if let Self::Malformed { member, .. }
        | Self::Encoding { member, .. }
        | Self::Text { member, .. }
        | Self::Number { member, .. }
        | Self::TooDeep { member, .. }
        | Self::Duplicate { member, .. } = &mut self
        {
            let dot = if member.is_empty() || member.starts_with('[') { "" } else { "." };
            *member = format!("{outer}{dot}{member}");
        }
        self
    }

    /// The same error with its member path completed from the text that was read.
    #[cold]
    pub(crate) fn located(mut self, text: &[u8]) -> Self {
        if let Self::Malformed { member, at, .. }
        | Self::Encoding { member, at, .. }
        | Self::Text { member, at, .. }
        | Self::Number { member, at, .. }
        | Self::TooDeep { member, at }
        | Self::Duplicate { member, at }
        | Self::Unknown { member, at }
        | Self::LedgerOnly { member, at }
        | Self::WrongType { member, at, .. } = &mut self
        {
            let inside = path(text, *at);
            let dot = if inside.is_empty() || member.is_empty() { "" } else { "." };
            *member = format!("{inside}{dot}{member}");
        }
        self
    }
}

/// At most this many characters of a text that came from outside stand in a message.
const SHOWN_CHARS: usize = 80;

/// A text from outside, cut to what a message can carry and with control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut cut = String::new();
    for character in text.chars().take(SHOWN_CHARS) {
        match character {
            control if control.is_control() => cut.extend(control.escape_unicode()),
            other => cut.push(other),
        }
    }
    if text.chars().nth(SHOWN_CHARS).is_some() {
        cut.push('…');
    }
    cut
}

fn prefix(member: &str) -> String {
    if member.is_empty() { String::new() } else { format!("{member}: ") }
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    match nearest {
        Some(name) => format!("; did you mean \"{name}\"? `counterfoil catalog` lists all"),
        None => "; `counterfoil catalog` lists all".into(),
    }
}

enum Step {
    Member(Option<String>),
    Item(usize),
}

/// Path of the value that holds byte `at`. At the name of a member it is the path of the object.
fn path(text: &[u8], at: usize) -> String {
    let mut steps = Vec::new();
    let mut here = 0;
    while here < at.min(text.len()) {
        match text[here] {
            b'{' => steps.push(Step::Member(None)),
            b'[' => steps.push(Step::Item(0)),
            b'}' | b']' => drop(steps.pop()),
            b',' => match steps.last_mut() {
                Some(Step::Member(name)) => *name = None,
                Some(Step::Item(index)) => *index += 1,
                None => {}
            },
            b'"' => {
                let end = closing_quote(text, here);
                if end >= at {
                    break;
                }
                if let Some(Step::Member(name @ None)) = steps.last_mut() {
                    *name = Some(shown(&String::from_utf8_lossy(&text[here + 1..end])));
                }
                here = end;
            }
            _ => {}
        }
        here += 1;
    }
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Member(Some(name)) if path.is_empty() => path = name,
            Step::Member(Some(name)) => path = format!("{path}.{name}"),
            Step::Member(None) => {}
            Step::Item(index) => path = format!("{path}[{index}]"),
        }
    }
    path
}

fn closing_quote(text: &[u8], open: usize) -> usize {
    let mut at = open + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at.min(text.len())
}
