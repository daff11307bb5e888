//! A byte that is not what was sealed is an error, wherever a query meets it.

use bytes::Bytes;
use counterfoil::ErrorKind;
use counterfoil_segment::blocks::BLOCK_BYTES;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::answers::entries;
use crate::fixture::{File, Layout, Ledger, ask_in_vain, engine};

const SEGMENTS: [usize; 2] = [4_096, 4_096];

fn footer(ledger: &Ledger) -> ParquetMetaData {
    let bytes = Bytes::copy_from_slice(&ledger.segment(1).parquet_bytes);
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.parse_and_finish(&bytes).expect("a footer")
}

fn with_flipped(file: File, offset: u64, index: bool) -> Ledger {
    let flipped = Some((1, file, offset));
    Ledger::new(&entries(9_000, 10), Layout { segments: SEGMENTS.to_vec(), index, flipped, ..Layout::default() })
}

fn assert_tampered(ledger: &Ledger, sql: &str, offset: u64) {
    let error = ask_in_vain(&engine(), ledger, sql);
    assert_eq!(error.kind, ErrorKind::Tampered, "{sql}: {error}");
    assert!(error.message.contains("segments/000000004096"), "{error}");
    let block = offset / BLOCK_BYTES as u64;
    assert!(error.message.contains(&format!("block {block}")), "{error} does not name block {block}");
}

#[test]
fn in_a_page_in_the_statistics_and_in_the_page_index() {
    let whole = Ledger::new(&entries(9_000, 10), Layout { segments: SEGMENTS.to_vec(), ..Layout::default() });
    let footer = footer(&whole);
    let reason = counterfoil_segment::schema().index_of("reason").expect("a column");
    let group = footer.row_group(0);
    let page = group.column(reason).data_page_offset() as u64 + 20;
    assert_tampered(&with_flipped(File::Parquet, page, true), "SELECT reason FROM audit_log", page);

    let length = whole.segment(1).parquet_bytes.len() as u64;
    let sql = "SELECT reason FROM audit_log WHERE timestamp > '2026-03-02'";
    let statistics = length - 600;
    assert_tampered(&with_flipped(File::Parquet, statistics, true), sql, statistics);
    let pages = group.column(1).column_index_offset().expect("a page index") as u64 + 4;
    assert_tampered(&with_flipped(File::Parquet, pages, true), sql, pages);
}

#[test]
fn in_a_bloom_filter_which_alone_would_hide_rows() {
    let whole = Ledger::new(&entries(9_000, 10), Layout { segments: SEGMENTS.to_vec(), ..Layout::default() });
    let entity = counterfoil_segment::schema().index_of("entity_id").expect("a column");
    let filter = footer(&whole).row_group(0).column(entity).bloom_filter_offset().expect("a Bloom filter") as u64;
    let offset = filter + 40;
    let sql = "SELECT reason FROM audit_log WHERE entity_id = 'INV-17'";
    assert_tampered(&with_flipped(File::Parquet, offset, false), sql, offset);
}

#[test]
fn in_the_index_which_alone_would_hide_rows() {
    let sql = "SELECT reason FROM audit_log WHERE entity_id = 'INV-17'";
    for offset in [40, 400] {
        assert_tampered(&with_flipped(File::Index, offset, true), sql, offset);
    }
}

#[test]
fn bytes_that_no_query_meets_do_not_disturb_it() {
    let whole = Ledger::new(&entries(9_000, 10), Layout { segments: SEGMENTS.to_vec(), ..Layout::default() });
    let page = footer(&whole).row_group(0).column(4).data_page_offset() as u64;
    let ledger = with_flipped(File::Parquet, page, true);
    let found = engine().query(&ledger, "SELECT reason FROM audit_log WHERE index < 4096").and_then(|a| a.collect());
    assert!(found.is_ok(), "the first segment is as it was sealed");
}
