//! Where test data lies, and short ways to run an import.

use std::env;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use counterfoil_entry::Draft;
use counterfoil_import::{Check, Import, ImportError, Map, Row, Totals};
use flate2::read::MultiGzDecoder;

pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn testdata(path: &str) -> PathBuf {
    workspace().join("testdata/import").join(path)
}

/// A file of ../shared; none when the folder is missing, which only CI forbids.
pub fn shared(path: &str) -> Option<PathBuf> {
    let shared = env::var_os("COUNTERFOIL_SHARED").map_or_else(|| workspace().join("../shared"), PathBuf::from);
    let found = shared.join(path);
    if found.exists() {
        return Some(found);
    }
    assert!(env::var_os("CI").is_none(), "CI needs {}", found.display());
    eprintln!("left out: {path} (no ../shared)");
    None
}

/// Runs a Python program; none when there is no Python, which only CI forbids.
pub fn python(program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    let run = Command::new("python3").arg("-c").arg(program).args(arguments).stderr(Stdio::inherit()).output();
    match run {
        Ok(output) => {
            assert!(output.status.success(), "python3 failed");
            Some(output.stdout)
        }
        Err(_) => {
            assert!(env::var_os("CI").is_none(), "CI needs python3");
            eprintln!("left out: comparison with Python (no python3)");
            None
        }
    }
}

pub fn unzipped(path: &Path) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

pub fn file(path: &Path) -> Box<dyn Read> {
    Box::new(File::open(path).unwrap())
}

pub fn text(text: &str) -> Box<dyn Read> {
    Box::new(Cursor::new(text.as_bytes().to_vec()))
}

/// Every row of a file, each of which the entry crate must accept too.
pub fn entries(reader: Box<dyn Read>, map: &Map) -> (Vec<Row>, Totals) {
    let mut import = Import::open(reader, map).unwrap();
    let mut rows = Vec::new();
    for row in import.by_ref() {
        let row = row.unwrap();
        if let Err(error) = Draft::parse(&row.json) {
            panic!("row {}: {error}\n{}", row.number, json(&row));
        }
        rows.push(row);
    }
    (rows, import.totals().clone())
}

pub fn json(row: &Row) -> String {
    String::from_utf8(row.json.clone()).unwrap()
}

/// The entries of a short text, as JSON.
pub fn imported(map: &str, rows: &str) -> Vec<String> {
    let map = Map::parse(map).unwrap();
    let (rows, _) = entries(text(rows), &map);
    rows.iter().map(json).collect()
}

pub fn checked(map: &str, rows: &str) -> Result<Check, ImportError> {
    let map = Map::parse(map).unwrap();
    let accept = |row: &Row| Draft::parse(&row.json).map(|_| ()).map_err(|error| error.to_string());
    Import::open(text(rows), &map)?.check(accept)
}

/// Why the only bad row of a short text is refused, as the user reads it.
pub fn refusal(map: &str, rows: &str) -> String {
    let check = checked(map, rows).unwrap();
    assert_eq!(check.totals.refused, 1, "{:?}", check.refusals);
    let refusal = &check.refusals[0];
    format!("{} {} {}", refusal.number, refusal.line, refusal.reason)
}
