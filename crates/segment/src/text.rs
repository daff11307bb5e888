use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};

use crate::SegmentError;

/// A text column, its distinct values kept apart where the file keeps them apart.
#[derive(Clone, Debug)]
pub(crate) enum TextColumn {
    Plain(StringArray),
    Dictionary(DictionaryArray<Int32Type>, StringArray),
}

impl TextColumn {
    /// Takes any Arrow form of text; [`SegmentError::Arrow`] when the column is no text.
    pub(crate) fn new(array: &ArrayRef) -> Result<Self, SegmentError> {
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Plain(array.as_string().clone())),
            data_type if *data_type == dictionary_type() => {
                let keys = array.as_dictionary::<Int32Type>();
                Ok(Self::Dictionary(keys.clone(), keys.values().as_string().clone()))
            }
            _ => Ok(Self::Plain(cast(array, &DataType::Utf8)?.as_string().clone())),
        }
    }

    /// Whether no row has a value.
    pub(crate) fn is_absent(&self) -> bool {
        match self {
            Self::Plain(array) => array.null_count() == array.len(),
            Self::Dictionary(keys, _) => keys.null_count() == keys.len(),
        }
    }

    #[inline]
    pub(crate) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Self::Dictionary(keys, values) => keys.key(row).map(|key| values.value(key)),
        }
    }
}

/// How a column with few distinct values is read: as 32-bit keys into them.
pub(crate) fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// What each value of a dictionary becomes in canonical bytes.
#[derive(Debug)]
pub(crate) struct Fragments {
    values: StringArray,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Fragments {
    /// Writes every value once.
    pub(crate) fn of(values: &StringArray, write: impl Fn(&str, &mut Vec<u8>)) -> Arc<Self> {
        let mut fragments = Self { values: values.clone(), bytes: Vec::new(), ends: Vec::new() };
        for value in values {
            write(value.unwrap_or_default(), &mut fragments.bytes);
            fragments.ends.push(fragments.bytes.len() as u32);
        }
        Arc::new(fragments)
    }

    /// Whether these were made of the same dictionary: the same buffers, which are kept alive here.
    pub(crate) fn are_of(&self, values: &StringArray) -> bool {
        let (own, other) = (self.values.value_offsets(), values.value_offsets());
        let same_offsets = own.len() == other.len() && std::ptr::eq(own.as_ptr(), other.as_ptr());
        same_offsets && std::ptr::eq(self.values.value_data().as_ptr(), values.value_data().as_ptr())
    }

    pub(crate) fn get(&self, key: usize) -> &[u8] {
        let start = if key == 0 { 0 } else { self.ends[key - 1] };
        &self.bytes[start as usize..self.ends[key] as usize]
    }
}
