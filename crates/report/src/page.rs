//! A page as both renderings take it: sections of few kinds of blocks, every text already fit to be shown.

use serde::Serialize;

use crate::chart::Chart;
use crate::moment::grouped;
use crate::text::Text;

/// Rows of a table; the rest is counted.
pub const MAX_ROWS: usize = 40;
/// Lines of a block of code, such as a checkpoint with its cosignatures.
const MAX_LINES: usize = 60;
/// Characters from which a fact without a space is a hash or a key.
const SHORTEST_HASH: usize = 40;

/// A report or a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// What it is.
    pub title: Text,
    /// Of what and when, beneath the title.
    pub subtitle: Text,
    /// What every page's head says.
    pub running: Text,
    /// When it was written, in RFC 3339.
    pub written: String,
    /// What is so grave that nothing comes before it.
    pub alarm: Vec<Text>,
    /// The figures that come first.
    pub figures: Vec<Figure>,
    /// What it cannot show, and why; said before anything else.
    pub missing: Vec<Text>,
    /// What the list of what is missing is called.
    pub missing_title: Text,
    /// Its parts.
    pub sections: Vec<Section>,
}

/// One of the figures that come first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// The number.
    pub number: Text,
    /// What it counts.
    pub label: Text,
}

/// A part under a heading.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Section {
    /// Its name in links.
    pub id: &'static str,
    /// Its heading.
    pub title: Text,
    /// The clauses that it supports.
    pub clauses: Vec<Text>,
    /// What it says.
    pub blocks: Vec<Block>,
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Block {
    /// A heading within the section.
    Heading {
        /// Its words.
        text: Text,
    },
    /// A paragraph.
    Prose {
        /// Its words.
        text: Text,
    },
    /// Points, in their order.
    List {
        /// The points.
        items: Vec<Text>,
        /// Whether they are steps, with numbers.
        numbered: bool,
    },
    /// Names and what they stand for.
    Facts {
        /// One a row.
        rows: Vec<Fact>,
    },
    /// A table.
    Table(Table),
    /// A drawing.
    Chart(Chart),
    /// Lines of a fixed width: a signed note, a command.
    Code {
        /// The lines.
        lines: Vec<Text>,
    },
}

/// A name and what it stands for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// The name.
    pub name: Text,
    /// What it stands for.
    pub value: Text,
    /// Whether it is a hash or a key, each of whose characters counts.
    pub exact: bool,
}

/// A table, with what is left out of it in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// What it shows.
    pub caption: Text,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, a cell a column.
    pub rows: Vec<Vec<Text>>,
    /// What is left out.
    pub remainder: Option<Text>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// Its heading.
    pub title: Text,
    /// How its cells look.
    pub look: Look,
    /// Its share of the width; 0 is as much as it needs.
    pub share: u8,
}

/// How a column's cells look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Words.
    Words,
    /// Numbers, to the right.
    Number,
    /// Moments, hashes and the like, which do not break.
    Exact,
}

/// A column of words that takes this share of the width.
pub(crate) fn words(title: &str, share: u8) -> Column {
    Column { title: title.into(), look: Look::Words, share }
}

/// A column of numbers.
pub(crate) fn number(title: &str) -> Column {
    Column { title: title.into(), look: Look::Number, share: 0 }
}

/// A column of moments, names of models and the like.
pub(crate) fn exact(title: &str) -> Column {
    Column { title: title.into(), look: Look::Exact, share: 0 }
}

/// A table of the first rows. `total` says how many there are, and `what` what they are.
pub(crate) fn table<'a, T: 'a>(
    caption: &str,
    columns: Vec<Column>,
    rows: impl IntoIterator<Item = &'a T>,
    total: u64,
    what: &str,
    row: impl Fn(&T) -> Vec<String>,
) -> Block {
    let cells = |one: &T| row(one).iter().map(|text| Text::cell(text)).collect();
    let rows: Vec<Vec<Text>> = rows.into_iter().take(MAX_ROWS).map(cells).collect();
    let more = total.saturating_sub(rows.len() as u64);
    let remainder = (more > 0).then(|| format!("{} more {what} are not shown here.", grouped(more)).into());
    Block::Table(Table { caption: caption.into(), columns, rows, remainder })
}

/// A paragraph.
pub(crate) fn prose(text: impl Into<Text>) -> Block {
    Block::Prose { text: text.into() }
}

/// A heading within a section.
pub(crate) fn heading(text: &str) -> Block {
    Block::Heading { text: text.into() }
}

/// Points in no order.
pub(crate) fn list<T: Into<Text>>(items: impl IntoIterator<Item = T>) -> Block {
    Block::List { items: items.into_iter().map(Into::into).collect(), numbered: false }
}

/// Steps, one after the other.
pub(crate) fn steps<T: Into<Text>>(items: impl IntoIterator<Item = T>) -> Block {
    Block::List { items: items.into_iter().map(Into::into).collect(), numbered: true }
}

/// Names and what they stand for.
pub(crate) fn facts<const N: usize>(rows: [(&str, String); N]) -> Block {
    let fact = |(name, value): (&str, String)| {
        let exact = value.len() >= SHORTEST_HASH && !value.contains(' ');
        Fact { name: name.into(), value: value.into(), exact }
    };
    Block::Facts { rows: rows.into_iter().map(fact).collect() }
}

/// Lines as they are.
pub(crate) fn code(text: &str) -> Block {
    let mut lines: Vec<Text> = text.lines().take(MAX_LINES).map(Text::from).collect();
    if text.lines().count() > MAX_LINES {
        lines.push("…".into());
    }
    Block::Code { lines }
}

/// One of the figures that come first.
pub(crate) fn figure(number: impl Into<Text>, label: &str) -> Figure {
    Figure { number: number.into(), label: label.into() }
}
