//! What S3 and Azure answer, as far as it is XML: names, texts and what stands inside.

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
                Event::CData(text) => {
                    let text = text.decode().map_err(|error| malformed(error.to_string()))?;
                    open.last_mut().expect("the root stays").text.push_str(&text);
                }
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(|error| malformed(error.to_string()))?;
                    let text = &mut open.last_mut().expect("the root stays").text;
                    match reference.resolve_char_ref().ok().flatten().or_else(|| named(&name)) {
                        Some(letter) => text.push(letter),
                        // It stays as it stands: without it, one key could pass for another.
                        None => text.push_str(&format!("&{name};")),
                    }
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

    /// The text of the first element inside with this name, without space around it.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.exact(name).map(str::trim)
    }

    /// The same with all its space: a key may end in it.
    pub fn exact(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

fn named(reference: &str) -> Option<char> {
    Some(match reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::Element;

    #[test]
    fn no_key_passes_for_another_one() {
        let key = |text: &str| {
            let document = Element::parse(format!("<L><Key>{text}</Key></L>").as_bytes()).unwrap();
            (document.exact("Key").unwrap().to_owned(), document.text("Key").unwrap().to_owned())
        };
        for (text, exact) in [
            ("a ", "a "),
            (" a", " a"),
            ("a&#13;", "a\r"),
            ("a&#xA;", "a\n"),
            ("a&#34;&quot;", "a\"\""),
            ("a&amp;#32;", "a&#32;"),
            ("a&nbsp;", "a&nbsp;"),
            ("a&#xD800;", "a&#xD800;"),
            ("<![CDATA[a&]]>", "a&"),
        ] {
            assert_eq!(key(text), (exact.to_owned(), exact.trim().to_owned()), "{text}");
        }
    }
}
