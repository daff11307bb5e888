//! The format pages say what the code does.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use counterfoil_entry::Fields;
use counterfoil_segment::index::{Builder, SourceState};
use counterfoil_segment::{BatchBuilder, schema};

fn page(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The only fenced block of a page in this language.
fn fenced<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("a fenced block");
    rest.split_once("```").expect("its end").0
}

/// The cells of the rows of the table that follows a heading line.
fn table<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = page.split_once(&format!("{heading}\n")).expect("the table's heading");
    let rows = rest.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()).collect()
}

fn example() -> Vec<String> {
    fenced(&page("segment.md"), "jsonl").lines().map(str::to_owned).collect()
}

/// A cell as the page shows it.
fn shown(batch: &RecordBatch, column: &str, row: usize) -> String {
    let array = batch.column_by_name(column).expect("a column");
    if array.is_null(row) {
        return "∅".into();
    }
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        _ => array.as_string::<i32>().value(row).to_owned(),
    }
}

#[test]
fn the_columns_are_those_of_the_page() {
    let page = page("segment.md");
    let described = table(&page, "| # | column | Parquet type | | holds |");
    let found: Vec<Vec<String>> = schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(number, field)| {
            let parquet_type = match field.data_type() {
                DataType::Int64 => "INT64",
                DataType::Int32 => "INT32",
                DataType::Timestamp(..) => "INT64, TIMESTAMP(MICROS, UTC)",
                DataType::Utf8 => "BYTE_ARRAY, STRING",
                _ => "BYTE_ARRAY",
            };
            let required = if field.is_nullable() { "" } else { "required" };
            [number.to_string().as_str(), field.name(), parquet_type, required].map(str::to_owned).to_vec()
        })
        .collect();
    let described: Vec<Vec<&str>> = described.into_iter().map(|row| row[..4].to_vec()).collect();
    assert_eq!(described, found);
}

#[test]
fn the_rows_are_those_of_the_page() {
    let mut builder = BatchBuilder::new();
    for (index, entry) in example().iter().enumerate() {
        Fields::check(entry.as_bytes()).expect("a valid entry");
        builder.push(index as u64, &Fields::split(entry.as_bytes()).unwrap()).unwrap();
    }
    let batch = builder.finish().unwrap();
    let page = page("segment.md");
    let mut described: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in table(&page, "| column | row 0 | row 1 |") {
        described.insert(row[0], row[1..].to_vec());
    }
    for field in schema().fields() {
        let found = [0, 1].map(|row| shown(&batch, field.name(), row));
        let expected = described.remove(field.name().as_str()).unwrap_or(vec!["∅", "∅"]);
        assert_eq!(expected, found, "{}", field.name());
    }
    assert!(described.is_empty(), "{described:?}");
}

#[test]
fn the_index_is_that_of_the_page() {
    let mut builder = Builder::new(0);
    let mut batch = BatchBuilder::new();
    for (row, entry) in example().iter().enumerate() {
        batch.push(row as u64, &Fields::split(entry.as_bytes()).unwrap()).unwrap();
    }
    builder.push_batch(&batch.finish().unwrap()).unwrap();
    let state = |recorder: Option<&str>, ranges| SourceState {
        recorder: recorder.map(str::to_owned),
        source: "erp".into(),
        ranges,
    };
    let file = builder.finish(&[state(None, vec![(1, 1)]), state(Some("svc"), vec![(0, 0), (2, 2)])]);
    let page = page("index.md");
    let described = fenced(&page, "hex").lines().flat_map(|line| line.split_whitespace().skip(1));
    let found: Vec<String> = file.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(described.collect::<Vec<_>>(), found);
}
