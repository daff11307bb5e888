//! `~/.pgpass`, or what `PGPASSFILE` names: HOST:PORT:DATABASE:USER:PASSWORD a line, `*` for any, `\` before `:` and `\`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use counterfoil::{Error, ErrorKind, Result};

/// The password of the first line that fits; none without a file.
///
/// Errors: `Denied` for a file that cannot be read, or that others may read.
pub(crate) fn password(host: &str, port: u16, database: &str, user: &str) -> Result<Option<String>> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    let Some(path) = std::env::var_os("PGPASSFILE").map(PathBuf::from).or_else(home) else { return Ok(None) };
    // A pipe in its place would hold up whoever reads it.
    if !path.is_file() {
        return Ok(None);
    }
    let unreadable = |error| Error::new(ErrorKind::Denied, format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    refuse_open(&path)?;
    let host = if host.starts_with('/') { "localhost" } else { host };
    Ok(find(&text, [host, &port.to_string(), database, user]))
}

fn refuse_open(path: &Path) -> Result<()> {
    let mode = std::fs::metadata(path).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let shown = path.display();
    let message = format!("{shown} holds passwords and others may read it: chmod 600 {shown}");
    Err(Error::new(ErrorKind::Denied, message))
}

pub(crate) fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(fields);
    let fits = |fields: &Vec<String>| {
        fields.len() == 5 && fields.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted)
    };
    lines.filter(fits).find_map(|mut fields| fields.pop())
}

/// The parts between the colons; the fifth, the password, holds the rest of the line.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let literal = if character == '\\' { characters.next() } else { None };
        match literal.unwrap_or(character) {
            ':' if literal.is_none() && fields.len() < 5 => fields.push(String::new()),
            one => fields.last_mut().expect("one field at least").push(one),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let text = "# comment\nother:5432:bank:maria:no\n*:5432:*:ma\\:ria:s:e\\\\c\nhost:5432:bank:maria:yes\n*:*:*:maria:late\n";
        assert_eq!(find(text, ["host", "5432", "bank", "maria"]).as_deref(), Some("yes"));
        assert_eq!(find(text, ["host", "5433", "bank", "maria"]).as_deref(), Some("late"));
        assert_eq!(find(text, ["x", "5432", "y", "ma:ria"]).as_deref(), Some("s:e\\c"));
        assert_eq!(find(text, ["host", "5432", "bank", "zoe"]), None);
    }
}
