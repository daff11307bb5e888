//! Python values as JSON.
//!
//! What JSON has is written here. Everything else goes to a converter, a Python function that answers with something
//! that JSON has, or with the marker of what cannot be encoded (`counterfoil/encoding.py` documents both).

use std::io::Write;

use counterfoil_entry::canonical::write_string;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// Containers inside one another beyond which the converter decides, the entry itself included. The ledger takes 64.
const MAX_DEPTH: usize = 60;

/// The longest integer literal that the ledger takes, in bytes.
const MAX_INTEGER_BYTES: usize = 64;

/// Why a dict may not stand as it is: the converter answers with a copy that has texts for names.
const NAMES: &str = "a name in it is no text";

/// Writes Python values as JSON.
pub struct Encoder<'py> {
    converter: Bound<'py, PyAny>,
    /// Addresses of the containers around the value, against cycles.
    around: Vec<usize>,
}

impl<'py> Encoder<'py> {
    /// An encoder that asks `converter(value, why)` about what JSON lacks.
    pub fn new(converter: Bound<'py, PyAny>) -> Self {
        Self { converter, around: Vec::new() }
    }

    /// Encodes an entry: a dict of its members. One that is `None` is left out, but for a value before or after, which
    /// is `null`.
    pub fn entry(&mut self, entry: &Bound<'py, PyDict>) -> PyResult<Vec<u8>> {
        let mut json = Vec::with_capacity(512);
        self.around.clear();
        self.around.push(entry.as_ptr() as usize);
        json.push(b'{');
        for (name, value) in entry.iter() {
            let name = name.cast_into::<PyString>()?;
            let name = name.to_str()?;
            if value.is_none() && name != "old_value" && name != "new_value" {
                continue;
            }
            if json.len() > 1 {
                json.push(b',');
            }
            write_string(name, &mut json);
            json.push(b':');
            self.value(&value, &mut json)?;
        }
        json.push(b'}');
        Ok(json)
    }

    /// Encodes a value that stands alone.
    pub fn alone(&mut self, value: &Bound<'py, PyAny>) -> PyResult<Vec<u8>> {
        let mut json = Vec::new();
        self.around.clear();
        self.value(value, &mut json)?;
        Ok(json)
    }

    fn value(&mut self, value: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            return match text.to_str() {
                Ok(text) if !text.as_bytes().contains(&0) => {
                    write_string(text, out);
                    Ok(())
                }
                Ok(_) => self.convert(value, "it contains U+0000", out),
                Err(_) => self.convert(value, "it contains a lone surrogate", out),
            };
        }
        if value.is_none() {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        if let Ok(flag) = value.cast_exact::<PyBool>() {
            out.extend_from_slice(if flag.is_true() { b"true" } else { b"false" });
            return Ok(());
        }
        if value.is_exact_instance_of::<PyInt>() {
            return self.integer(value, out);
        }
        if let Ok(number) = value.cast_exact::<PyFloat>() {
            let double = number.value();
            if !double.is_finite() {
                return self.convert(value, "it is not a finite number", out);
            }
            return Ok(write!(out, "{double:e}")?);
        }
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            return self.object(dict, out);
        }
        if let Ok(list) = value.cast_exact::<PyList>() {
            return self.array(value, list.iter(), out);
        }
        if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            return self.array(value, tuple.iter(), out);
        }
        self.convert(value, "", out)
    }

    fn integer(&mut self, value: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<()> {
        if let Ok(number) = value.extract::<i64>() {
            return Ok(write!(out, "{number}")?);
        }
        match value.str() {
            Ok(digits) if digits.to_str()?.len() <= MAX_INTEGER_BYTES => {
                out.extend_from_slice(digits.to_str()?.as_bytes());
                Ok(())
            }
            _ => self.convert(value, "it has more than 64 digits", out),
        }
    }

    fn object(&mut self, dict: &Bound<'py, PyDict>, out: &mut Vec<u8>) -> PyResult<()> {
        if let Some(refusal) = self.enter(dict.as_any()) {
            return self.convert(dict.as_any(), refusal, out);
        }
        let start = out.len();
        out.push(b'{');
        for (name, value) in dict.iter() {
            let text = name.cast_exact::<PyString>().ok().and_then(|name| name.to_str().ok());
            let Some(text) = text.filter(|text| !text.as_bytes().contains(&0)) else {
                out.truncate(start);
                self.around.pop();
                return self.convert(dict.as_any(), NAMES, out);
            };
            if out.len() > start + 1 {
                out.push(b',');
            }
            write_string(text, out);
            out.push(b':');
            self.value(&value, out)?;
        }
        out.push(b'}');
        self.around.pop();
        Ok(())
    }

    fn array(
        &mut self,
        container: &Bound<'py, PyAny>,
        values: impl Iterator<Item = Bound<'py, PyAny>>,
        out: &mut Vec<u8>,
    ) -> PyResult<()> {
        if let Some(refusal) = self.enter(container) {
            return self.convert(container, refusal, out);
        }
        out.push(b'[');
        for (position, value) in values.enumerate() {
            if position > 0 {
                out.push(b',');
            }
            self.value(&value, out)?;
        }
        out.push(b']');
        self.around.pop();
        Ok(())
    }

    /// Goes into a container, or says why not.
    fn enter(&mut self, container: &Bound<'py, PyAny>) -> Option<&'static str> {
        let address = container.as_ptr() as usize;
        if self.around.contains(&address) {
            return Some("it contains itself");
        }
        if self.around.len() >= MAX_DEPTH {
            return Some("it is nested too deeply");
        }
        self.around.push(address);
        None
    }

    /// Writes what the converter makes of a value. The value counts as a container around it, so that a converter
    /// that goes in circles ends at the depth limit.
    fn convert(&mut self, value: &Bound<'py, PyAny>, why: &'static str, out: &mut Vec<u8>) -> PyResult<()> {
        let depth = self.around.len();
        let address = value.as_ptr() as usize;
        let why = match why {
            "" | NAMES if self.around.contains(&address) => "it contains itself",
            "" | NAMES if depth >= MAX_DEPTH => "it is nested too deeply",
            why => why,
        };
        let converted = self.converter.call1((value, why))?;
        if why.is_empty() || why == NAMES {
            self.around.push(address);
            self.value(&converted, out)?;
            self.around.truncate(depth);
            return Ok(());
        }
        // A marker: two plain containers, for which there is room beyond the limit.
        let beyond = self.around.split_off(depth.min(MAX_DEPTH - 2));
        self.value(&converted, out)?;
        self.around.extend(beyond);
        Ok(())
    }
}
