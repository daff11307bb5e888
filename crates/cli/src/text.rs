//! Text for people: numbers in groups, counted nouns, and strings that cannot steer a terminal.

use std::fmt::{self, Display, Write as _};

/// A number with its digits in groups of three: `36,072`.
#[derive(Clone, Copy, Debug)]
pub struct Grouped(pub u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad_integral(true, "", &text)
    }
}

/// A count with its noun, in the plural where it must be: `1 entry`, `2 entries`.
#[derive(Clone, Copy, Debug)]
pub struct Counted(pub u64, pub &'static str, pub &'static str);

impl Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0 == 1 { self.1 } else { self.2 };
        write!(f, "{} {noun}", Grouped(self.0))
    }
}

/// So many entries.
pub fn entries(count: u64) -> Counted {
    Counted(count, "entry", "entries")
}

/// A string from an entry or a file name, with everything that could steer or mislead a terminal escaped.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                character if steers(character) => write!(f, "{}", character.escape_unicode())?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Control characters, and those that change the direction of the text around them or are not seen at all: what the
/// console shows as a code too (console/src/text/escape.ts).
pub fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e03ff}'
        )
}

/// A message of several lines, perhaps with words of an entry in it, that cannot steer a terminal.
pub fn steerless(message: &str) -> String {
    message.lines().map(|line| Printable(line).to_string()).collect::<Vec<_>>().join("\n")
}

/// An entry's index on the command line.
pub fn parse_index(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "INDEX is a number, from 0".to_owned())
}

/// What was most likely meant by a name that is not among `names`, as the end of a sentence.
pub fn did_you_mean<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST_EDITS: usize = 3;
    let near = |name: &&str| name.starts_with(wanted) && wanted.len() > 3;
    let measured =
        names.into_iter().map(|name| if near(&name) { (0, name) } else { (strsim::levenshtein(wanted, name), name) });
    match measured.min() {
        Some((edits, name)) if edits <= MOST_EDITS && edits < wanted.len() => format!("; did you mean {name}?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let shown: Vec<String> = [0, 7, 999, 1_000, 36_072, 1_234_567].map(|number| Grouped(number).to_string()).into();
        assert_eq!(shown, ["0", "7", "999", "1,000", "36,072", "1,234,567"]);
        assert_eq!(entries(1).to_string(), "1 entry");
        assert_eq!(entries(0).to_string(), "0 entries");
    }

    #[test]
    fn what_was_meant_is_guessed() {
        let names = ["cloudtrail", "structlog", "bpic2012-loan"];
        assert_eq!(did_you_mean("cloudtrial", names), "; did you mean cloudtrail?");
        assert_eq!(did_you_mean("bpic2012", names), "; did you mean bpic2012-loan?");
        assert_eq!(did_you_mean("core", names), "");
    }

    #[test]
    fn terminals_are_not_steered() {
        let shown = Printable("a\u{1b}[2J\u{9b}b\n\u{202e}é").to_string();
        assert_eq!(shown, "a\\u{1b}[2J\\u{9b}b\\n\\u{202e}é");
    }

    #[test]
    fn what_is_not_seen_is_shown() {
        for hidden in ['\u{34f}', '\u{115f}', '\u{3164}', '\u{ffa0}', '\u{fe00}', '\u{206a}', '\u{fff9}', '\u{e0100}'] {
            let shown = Printable(&format!("a{hidden}b")).to_string();
            assert_eq!(shown, format!("a\\u{{{:x}}}b", hidden as u32));
        }
    }
}
