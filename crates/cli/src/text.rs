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

/// Control characters, and those that change the direction of the text around them or are not seen at all.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
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
    fn terminals_are_not_steered() {
        let shown = Printable("a\u{1b}[2J\u{9b}b\n\u{202e}é").to_string();
        assert_eq!(shown, "a\\u{1b}[2J\\u{9b}b\\n\\u{202e}é");
    }
}
