//! What S3 answers, as far as it is XML: names, texts and what stands inside.

use counterfoil::{Error, ErrorKind, Result};
use quick_xml::Reader;
use quick_xml::events::Event;

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 16;

/// An element.
#[derive(Debug, Default)]
pub struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document and gives its outermost element.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let malformed = |reason: String| Error::new(ErrorKind::Unavailable, format!("the store's answer: {reason}"));
        let mut reader = Reader::from_reader(bytes);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|error| malformed(error.to_string()))? {
                Event::Start(tag) => {
                    let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
                    open.push(Self { name, ..Self::default() });
                    if open.len() > MAX_DEPTH {
                        return Err(malformed("it is nested too deep".into()));
                    }
                }
                Event::Empty(tag) => {
                    let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
                    open.last_mut().expect("the root stays").children.push(Self { name, ..Self::default() });
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|error| malformed(error.to_string()))?;
                    open.last_mut().expect("the root stays").text.push_str(&text);
                }
                Event::GeneralRef(reference) => {
                    let text = reference.decode().map_err(|error| malformed(error.to_string()))?;
                    open.last_mut().expect("the root stays").text.push_str(named(&text).unwrap_or_default());
                }
                Event::End(_) => {
                    let closed = open.pop().expect("the root stays");
                    let parent =
                        open.last_mut().ok_or_else(|| malformed("an element ends that did not begin".into()))?;
                    parent.children.push(closed);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let document = open.swap_remove(0);
        document.children.into_iter().next().ok_or_else(|| malformed("it is empty".into()))
    }

    /// The element's name without its namespace.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The elements inside.
    pub fn children(&self) -> &[Self] {
        &self.children
    }

    /// The first element inside with this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element inside with this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }
}

fn named(reference: &str) -> Option<&'static str> {
    Some(match reference {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" | "#34" => "\"",
        "apos" | "#39" => "'",
        _ => return None,
    })
}
