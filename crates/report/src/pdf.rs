//! A page as PDF: typst lays it out by `page.typ`, which gets the page's words as data and never as markup.

use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::Value;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Dict, Duration, IntoValue, Smart};
use typst::syntax::{FileId, Source};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards, Timestamp};

use crate::error::ReportError;
use crate::page::Page;
use crate::text::escape;

const TEMPLATE: &str = include_str!("page.typ");
/// Characters of a word after which a line may break all the same.
const LONGEST_WORD: usize = 22;
/// Characters of a hash or key that fit a line, so that it can be copied.
const LONGEST_EXACT: usize = 86;
/// What no archive may lack: everything embedded, and the structure that readers for the blind need.
const STANDARDS: [PdfStandard; 2] = [PdfStandard::A_2a, PdfStandard::Ua_1];

/// The fonts of IBM Plex (SIL Open Font License), embedded in the program.
static FONTS: LazyLock<Vec<Font>> = LazyLock::new(|| {
    let files: [&'static [u8]; 3] = [
        include_bytes!("../fonts/IBMPlexSans-Regular.ttf"),
        include_bytes!("../fonts/IBMPlexSans-SemiBold.ttf"),
        include_bytes!("../fonts/IBMPlexMono-Regular.ttf"),
    ];
    files.into_iter().flat_map(|file| Font::iter(Bytes::new(file))).collect()
});

/// One page is laid out at a time: typst's memory is one for the process, and whoever empties it while another lays out makes
/// that one begin again and again.
static TURN: Mutex<()> = Mutex::new(());

/// Writes a page. The same page gives the same bytes.
pub(crate) fn pdf(page: &Page) -> Result<Vec<u8>, ReportError> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = laid_out(page).and_then(|document| export(page, &document));
    // What typst remembers for a next compilation would otherwise stay in memory.
    typst::comemo::evict(0);
    bytes
}

fn laid_out(page: &Page) -> Result<PagedDocument, ReportError> {
    let mut data = serde_json::to_value(page).map_err(|error| ReportError::Layout(error.to_string()))?;
    make_printable(&mut data);
    typst::compile::<PagedDocument>(&Sheet::new(&data)).output.map_err(told)
}

fn export(page: &Page, document: &PagedDocument) -> Result<Vec<u8>, ReportError> {
    let standards = PdfStandards::new(&STANDARDS).map_err(|error| ReportError::Layout(error.message().to_string()))?;
    let options = PdfOptions {
        ident: Smart::Custom(format!("{} {} {}", page.title.as_str(), page.running.as_str(), page.written)),
        creator: Smart::Custom(Some("Counterfoil".to_owned())),
        timestamp: written(&page.written),
        standards,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(document, &options).map_err(told)
}

/// The world as the template sees it: the page's words, three fonts, no files and no clock.
struct Sheet {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    source: Source,
}

impl Sheet {
    fn new(data: &Value) -> Self {
        let inputs = Dict::from_iter([("page".into(), data.to_string().into_value())]);
        Self {
            library: LazyHash::new(Library::builder().with_inputs(inputs).build()),
            book: LazyHash::new(FontBook::from_fonts(FONTS.iter())),
            source: Source::detached(TEMPLATE),
        }
    }
}

impl World for Sheet {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.source.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.source.id() { Ok(self.source.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, _: FileId) -> FileResult<Bytes> {
        Err(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

/// Writes characters that the fonts lack as `[U+4E2D]`, and lets long words break. Lines of code stay as they are.
fn make_printable(value: &mut Value) {
    match value {
        Value::String(text) => *text = breakable(&covered(text)),
        Value::Array(items) => items.iter_mut().for_each(make_printable),
        Value::Object(members) => {
            let is_code = members.get("kind").is_some_and(|kind| kind == "code");
            let is_exact = members.get("exact").is_some_and(|exact| exact == true);
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("lines", Value::Array(lines)) if is_code => lines.iter_mut().for_each(|line| {
                        *line = Value::String(covered(line.as_str().unwrap_or_default()));
                    }),
                    ("value", Value::String(text)) if is_exact && text.len() <= LONGEST_EXACT => *text = covered(text),
                    (_, member) => make_printable(member),
                }
            }
        }
        _ => {}
    }
}

fn covered(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c == '\n' || FONTS.iter().all(|font| font.info().coverage.contains(c.into())) {
            true => out.push(c),
            false => escape(c, &mut out),
        }
    }
    out
}

fn breakable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        run = if c.is_whitespace() { 0 } else { run + 1 };
        out.push(c);
        if run == LONGEST_WORD {
            out.push('\u{200b}');
            run = 0;
        }
    }
    out
}

fn written(rfc3339: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| rfc3339.get(from..to)?.parse::<u8>().ok();
    let year = rfc3339.get(..4)?.parse().ok()?;
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    let moment = Datetime::from_ymd_hms(year, month, day, number(11, 13)?, number(14, 16)?, number(17, 19)?)?;
    Some(Timestamp::new_utc(moment))
}

fn told(errors: impl IntoIterator<Item = SourceDiagnostic>) -> ReportError {
    let messages: Vec<String> = errors.into_iter().map(|error| error.message.to_string()).collect();
    ReportError::Layout(messages.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Block, Section, code, prose, table, words};
    use typst::layout::{Frame, FrameItem};

    /// Everything that the pages show, without the places where long words may break.
    fn shown(frame: &Frame, out: &mut String) {
        for (_, item) in frame.items() {
            match item {
                FrameItem::Group(group) => shown(&group.frame, out),
                FrameItem::Text(text) => out.push_str(&text.text.replace("\u{200b}", "")),
                _ => {}
            }
        }
    }

    fn text_of(blocks: Vec<Block>) -> String {
        let section = Section { id: "one", title: "One".into(), clauses: Vec::new(), blocks };
        let page = Page {
            title: "Title".into(),
            subtitle: "Subtitle".into(),
            running: "Running".into(),
            written: "2026-10-01T06:30:00Z".to_owned(),
            alarm: Vec::new(),
            figures: Vec::new(),
            missing: Vec::new(),
            missing_title: "Missing".into(),
            sections: vec![section],
        };
        let document = laid_out(&page).expect("hostile texts are laid out");
        assert!(export(&page, &document).is_ok(), "the archive standard holds");
        let mut out = String::new();
        document.pages().iter().for_each(|page| shown(&page.frame, &mut out));
        out
    }

    #[test]
    fn markup_and_code_of_typst_are_shown_and_never_run() {
        for hostile in [
            "#panic(1)",
            "#read(\"/etc/passwd\")",
            "*b* _i_ $x^2$ = H",
            "]) #set page(fill: red)",
            "\\u{41} ~ -- // /* @x <y>",
        ] {
            for blocks in [
                vec![prose(hostile)],
                vec![code(hostile)],
                vec![table(hostile, vec![words(hostile, 1)], &[()], 1, "rows", |()| vec![hostile.to_owned()])],
            ] {
                let text = text_of(blocks);
                let letters = |text: &str| text.replace(' ', "");
                assert!(letters(&text).contains(&letters(hostile)), "{hostile:?} became {text:?}");
            }
        }
    }

    #[test]
    fn what_the_fonts_lack_is_written_out() {
        let text = text_of(vec![prose("名 Ж é a\u{202e}b \u{7}")]);
        assert!(text.contains("[U+540D]") && text.contains("Ж é"), "{text}");
        assert!(text.contains("a[U+202E]b") && text.contains("[U+0007]"), "{text}");
    }
}
