//! What is checked, and what came of it.

use counterfoil_report::drill::{Check, Grade};

pub const RECORDING: &str = "Recording and proof";
pub const DETECTION: &str = "Detection";
pub const DELIVERY: &str = "Delivery";
pub const TAMPERING: &str = "Tampering";
pub const COPY: &str = "Copy under lock";
pub const DATABASE: &str = "PostgreSQL";

/// The parts in the order in which they are told.
const PARTS: [&str; 6] = [RECORDING, DETECTION, DELIVERY, TAMPERING, COPY, DATABASE];

/// The checks of a drill.
#[derive(Debug, Default)]
pub struct Checks(Vec<Check>);

impl Checks {
    /// All of them, part by part.
    pub fn in_order(mut self) -> Vec<Check> {
        self.0.sort_by_key(|check| PARTS.iter().position(|part| *part == check.part));
        self.0
    }

    pub fn passed(&mut self, part: &str, name: impl Into<String>, detail: impl Into<String>) {
        self.add(part, name.into(), Grade::Passed, detail.into());
    }

    pub fn failed(&mut self, part: &str, name: impl Into<String>, detail: impl Into<String>) {
        self.add(part, name.into(), Grade::Failed, detail.into());
    }

    /// It could not be tried, and why.
    pub fn untried(&mut self, part: &str, name: impl Into<String>, why: impl Into<String>) {
        self.add(part, name.into(), Grade::NotExercised, why.into());
    }

    /// It passed or failed, in words.
    pub fn result(&mut self, part: &str, name: impl Into<String>, result: Result<String, String>) {
        match result {
            Ok(detail) => self.passed(part, name, detail),
            Err(detail) => self.failed(part, name, detail),
        }
    }

    fn add(&mut self, part: &str, name: String, grade: Grade, detail: String) {
        self.0.push(Check { part: part.to_owned(), name, grade, detail });
    }
}

#[cfg(test)]
impl Checks {
    /// The grade of the one check, and what is told of it.
    pub fn only(self) -> (Grade, String) {
        let [check] = <[Check; 1]>::try_from(self.0).expect("one check");
        (check.grade, check.detail)
    }
}
