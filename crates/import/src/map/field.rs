//! Names of places in a record: CSV columns, dotted JSON paths, and templates over them.

use crate::json::Json;

/// A place in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Field {
    /// `$row`: the row's number.
    Row,
    /// `$file`: the name of the file.
    File,
    /// A CSV column, by its exact name.
    Column(String),
    /// A JSON path.
    Path(Vec<Step>),
}

/// A step of a JSON path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Item(usize),
}

impl Field {
    /// Reads a column name (`csv`) or a JSON path: names parted by dots, items as `[0]`, names with other characters
    /// in double quotes.
    pub(crate) fn parse(text: &str, csv: bool) -> Result<Field, String> {
        match text {
            "$row" => Ok(Field::Row),
            "$file" => Ok(Field::File),
            "" => Err("a column name or path is empty".to_owned()),
            _ if csv => Ok(Field::Column(text.to_owned())),
            _ => path(text).map(Field::Path),
        }
    }

    /// The column or top-level member, when the place is all of it.
    pub(crate) fn whole(&self) -> Option<&str> {
        match self {
            Field::Column(name) => Some(name),
            Field::Path(steps) => match steps.as_slice() {
                [Step::Name(name)] => Some(name),
                _ => None,
            },
            Field::Row | Field::File => None,
        }
    }

    /// How the map writes it.
    pub(crate) fn display(&self) -> String {
        match self {
            Field::Row => "$row".to_owned(),
            Field::File => "$file".to_owned(),
            Field::Column(name) => format!("column {name:?}"),
            Field::Path(steps) => steps.iter().fold(String::new(), |mut text, step| {
                match step {
                    Step::Name(name) if text.is_empty() => text.push_str(name),
                    Step::Name(name) => text.extend([".", name]),
                    Step::Item(item) => text.push_str(&format!("[{item}]")),
                }
                text
            }),
        }
    }
}

/// Follows a path.
pub(crate) fn follow<'a>(record: &'a Json, steps: &[Step]) -> Option<&'a Json> {
    steps.iter().try_fold(record, |value, step| match (step, value) {
        (Step::Name(name), _) => value.member(name),
        (Step::Item(item), Json::Array(items)) => items.get(*item),
        _ => None,
    })
}

fn path(text: &str) -> Result<Vec<Step>, String> {
    let wrong = |what: &str| format!("path {text:?}: {what}");
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| wrong("a quote is not closed"))?;
            steps.push(Step::Name(quoted[..end].to_owned()));
            rest = &quoted[end + 1..];
        } else {
            let end = rest.find(['.', '[', ']', '"']).unwrap_or(rest.len());
            if end == 0 {
                return Err(wrong("a name is empty (quote names with dots or brackets)"));
            }
            steps.push(Step::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        while let Some(item) = rest.strip_prefix('[') {
            let (number, after) = item.split_once(']').ok_or_else(|| wrong("`[` is not closed"))?;
            let number =
                number.parse().map_err(|_| wrong("only a number may stand in brackets (quote names with brackets)"))?;
            steps.push(Step::Item(number));
            rest = after;
        }
        if rest.is_empty() {
            return Ok(steps);
        }
        rest = rest.strip_prefix('.').ok_or_else(|| wrong("`.` or `[` expected after a name"))?;
    }
}

/// Part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    /// A place, and an ending that is taken off its value.
    Field {
        field: Field,
        without: String,
    },
}

/// Reads a template: text with `{place}` or `{place%ending}`; `{{` and `}}` stand for braces.
pub(crate) fn template(text: &str, csv: bool) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if rest.starts_with("{{") || rest.starts_with("}}") {
            literal.push(character);
            rest = &rest[2..];
        } else if let Some(inside) = rest.strip_prefix('{') {
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            let end = placeholder_end(inside).ok_or_else(|| format!("template {text:?}: `{{` is not closed"))?;
            parts.push(placeholder(&inside[..end], csv)?);
            rest = &inside[end + 1..];
        } else if character == '}' {
            return Err(format!("template {text:?}: a single `}}` (write `}}}}`)"));
        } else {
            literal.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

fn placeholder_end(inside: &str) -> Option<usize> {
    let mut quoted = false;
    inside.find(|character| {
        quoted ^= character == '"';
        character == '}' && !quoted
    })
}

fn placeholder(inside: &str, csv: bool) -> Result<Part, String> {
    let mut quoted = false;
    let cut = inside.find(|character| {
        quoted ^= character == '"';
        character == '%' && !quoted
    });
    let (name, without) = cut.map_or((inside, ""), |cut| (&inside[..cut], &inside[cut + 1..]));
    let unquoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    let name = if csv { unquoted.unwrap_or(name) } else { name };
    Ok(Part::Field { field: Field::parse(name, csv)?, without: without.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Step {
        Step::Name(text.to_owned())
    }

    #[test]
    fn paths_quote_awkward_names() {
        assert_eq!(path(r#"a."b.c[0]"[2]."@x""#).unwrap(), [name("a"), name("b.c[0]"), Step::Item(2), name("@x")]);
        for bad in ["", ".a", "a.", "a..b", "a[", "a[x]", "\"a", "a\"b"] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn templates_take_endings_off_and_escape_braces() {
        let parts = template("{{{a.b%.com}}}!", false).unwrap();
        assert_eq!(
            parts,
            [
                Part::Text("{".to_owned()),
                Part::Field { field: Field::Path(vec![name("a"), name("b")]), without: ".com".to_owned() },
                Part::Text("}!".to_owned()),
            ]
        );
        assert_eq!(
            template("{\"50%}\"}", true).unwrap(),
            [Part::Field { field: Field::Column("50%}".to_owned()), without: String::new() }]
        );
        assert!(template("{a", true).is_err());
        assert!(template("a}", true).is_err());
    }
}
