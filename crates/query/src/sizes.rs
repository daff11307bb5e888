//! How large values are, and how large a function's result can become.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// Bytes of a result that does not grow with its arguments: a number, a time, a digest.
const FIXED_BYTES: usize = 64;

/// Bytes of the texts in a column, without counting again what views share; of other columns about what they take.
pub(crate) fn bytes_of(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value_offsets().len_of_values(),
        DataType::LargeUtf8 => array.as_string::<i64>().value_offsets().len_of_values(),
        DataType::Binary => array.as_binary::<i32>().value_offsets().len_of_values(),
        DataType::LargeBinary => array.as_binary::<i64>().value_offsets().len_of_values(),
        DataType::Utf8View => array.as_string_view().lengths().map(|length| length as usize).sum(),
        DataType::BinaryView => array.as_binary_view().lengths().map(|length| length as usize).sum(),
        DataType::Dictionary(key, _) if **key == DataType::Int32 => {
            let values = array.as_dictionary::<Int32Type>();
            spread(values.values(), values.len())
        }
        DataType::Dictionary(key, _) if **key == DataType::Int64 => {
            let values = array.as_dictionary::<Int64Type>();
            spread(values.values(), values.len())
        }
        _ => array.get_array_memory_size(),
    }
}

/// Bytes when each of `rows` rows has one of the values.
fn spread(values: &ArrayRef, rows: usize) -> usize {
    longest_in(values.as_ref()).saturating_mul(rows)
}

trait Lengths {
    fn len_of_values(&self) -> usize;
}

impl<O: Copy + TryInto<usize>> Lengths for [O] {
    fn len_of_values(&self) -> usize {
        let at = |offset: Option<&O>| offset.and_then(|offset| (*offset).try_into().ok()).unwrap_or(0_usize);
        at(self.last()) - at(self.first())
    }
}

/// Bytes of the longest value.
fn longest_in(array: &dyn Array) -> usize {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().iter().flatten().map(str::len).max().unwrap_or(0),
        DataType::LargeUtf8 => array.as_string::<i64>().iter().flatten().map(str::len).max().unwrap_or(0),
        DataType::Utf8View => array.as_string_view().lengths().max().map_or(0, |length| length as usize),
        _ => array.get_array_memory_size(),
    }
}

fn text_of(scalar: &ScalarValue) -> Option<&str> {
    scalar.try_as_str().flatten()
}

/// Bytes of an argument in all rows.
fn total(value: &ColumnarValue, rows: usize) -> usize {
    match value {
        ColumnarValue::Array(array) => bytes_of(array.as_ref()),
        ColumnarValue::Scalar(scalar) => longest(&ColumnarValue::Scalar(scalar.clone())).saturating_mul(rows),
    }
}

/// Bytes of an argument's longest value.
pub(crate) fn longest(value: &ColumnarValue) -> usize {
    match value {
        ColumnarValue::Array(array) => longest_in(array.as_ref()),
        ColumnarValue::Scalar(scalar) => text_of(scalar).map_or_else(|| scalar.size(), str::len),
    }
}

/// Occurrences of a character in a constant text; in a column, as many as its longest value could hold.
fn count(value: Option<&ColumnarValue>, wanted: &[char]) -> usize {
    match value {
        Some(ColumnarValue::Scalar(scalar)) => text_of(scalar).unwrap_or_default().matches(wanted).count(),
        Some(array) => longest(array),
        None => 0,
    }
}

/// The most bytes that a call can make for so many rows.
pub(crate) fn most_bytes(function: &str, call: &ScalarFunctionArgs, rows: usize) -> usize {
    let (args, fixed) = (&call.args, rows.saturating_mul(FIXED_BYTES));
    let grows = |data_type: &DataType| data_type.is_nested() || data_type.is_string() || data_type.is_binary();
    if !grows(call.return_type()) {
        return fixed;
    }
    let all = args.iter().fold(fixed, |sum, value| sum.saturating_add(total(value, rows)));
    let (of, longest_of) =
        (|at: usize| args.get(at).map_or(0, |value| total(value, rows)), |at: usize| args.get(at).map_or(0, longest));
    match function {
        "replace" => {
            let shortest = match args.get(1) {
                Some(ColumnarValue::Scalar(scalar)) => text_of(scalar).map_or(1, |text| text.len().max(1)),
                _ => 1,
            };
            let matches = (of(0) / shortest).saturating_add(rows);
            all.saturating_add(matches.saturating_mul(longest_of(2)))
        }
        "regexp_replace" => {
            let matches = if args.len() > 3 { of(0).saturating_add(rows) } else { rows };
            let captured = count(args.get(2), &['\\', '$']).saturating_add(1);
            of(0).saturating_mul(captured).saturating_add(matches.saturating_mul(longest_of(2)))
        }
        "regexp_match" => all.saturating_mul(count(args.get(1), &['(']).saturating_add(1)),
        "array_to_string" | "array_join" | "list_to_string" | "list_join" => {
            let between = longest_of(1).saturating_add(longest_of(2)).saturating_add(1);
            of(0).saturating_mul(between).saturating_add(all)
        }
        "json_from_scalar" => all.saturating_mul(6),
        "concat" | "substr" | "substring" | "left" | "right" | "split_part" | "btrim" | "ltrim" | "rtrim" | "trim"
        | "reverse" | "coalesce" | "nullif" => all,
        json if json.starts_with("json_") => all,
        "concat_ws" => all.saturating_add(of(0).saturating_mul(args.len())),
        "upper" | "lower" | "initcap" => all.saturating_mul(3),
        "string_to_array" | "string_to_list" | "to_char" | "date_format" => all.saturating_mul(32),
        _ => all.saturating_mul(4),
    }
}
