//! What a row or a commit says of itself, against what the write-ahead log says.

use counterfoil_entry::Timestamp;
use serde_json::json;

use crate::notice::{CONTRADICTED, Notice};
use crate::pgoutput::Begin;
use crate::row::Row;

/// How long a transaction may have been open when it commits, before its row's moment counts as backdated.
const LONGEST_TRANSACTION_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// How far two clocks may differ.
const CLOCK_SLACK_MICROS: i64 = 60 * 1_000_000;

/// Whether a row's stamp is contradicted by what the write-ahead log says of its transaction: then its triggers did not
/// run, or somebody wrote the stamp.
pub(crate) fn contradiction(row: &Row, begin: &Begin) -> Option<Notice> {
    let committed_at = Timestamp::from_micros(begin.at_micros);
    let recorded_at = row.recorded_at().and_then(|text| Timestamp::parse(&text).ok());
    let late = recorded_at.map(|at| begin.at_micros - at.micros());
    let mut problems = Vec::new();
    if row.recorded_txid().is_none_or(|txid| txid as u32 != begin.transaction) {
        let said = row.recorded_txid().unwrap_or_default();
        problems.push(format!("says that transaction {said} wrote it; transaction {} did", begin.transaction));
    }
    if !row.is_sealed() {
        problems.push("does not have the seal of its trigger".to_owned());
    }
    match late {
        Some(micros) if micros > LONGEST_TRANSACTION_MICROS => {
            problems.push(format!("is backdated: says {}, was committed at {committed_at}", row.recorded_at()?));
        }
        Some(micros) if micros >= -CLOCK_SLACK_MICROS => {}
        _ => problems.push(format!("says a moment after its commit at {committed_at}")),
    }
    (!problems.is_empty()).then(|| Notice {
        event_type: CONTRADICTED,
        row: Some(row.id),
        problem: format!("row {} was inserted past its triggers: it {}", row.id, problems.join(", and ")),
        at_micros: Some(begin.at_micros),
        details: json!({"transaction": begin.transaction, "committed_at": committed_at.to_string()}),
    })
}

/// The server's clock, as commits show it: it neither goes back nor runs ahead of ours.
#[derive(Debug)]
pub(crate) struct ServerClock {
    /// The latest moment of a commit.
    newest: i64,
    is_ahead: bool,
}

impl ServerClock {
    /// With the latest moment that is known of the server.
    pub fn new(newest: i64) -> Self {
        Self { newest, is_ahead: false }
    }

    /// Takes the next commit; a notice when the clock stepped, once for each step.
    pub fn commit(&mut self, begin: &Begin, now_micros: i64) -> Option<Notice> {
        let before = std::mem::replace(&mut self.newest, begin.at_micros);
        let was_ahead = std::mem::replace(&mut self.is_ahead, begin.at_micros > now_micros + CLOCK_SLACK_MICROS);
        let problem = if begin.at_micros < before.saturating_sub(CLOCK_SLACK_MICROS) {
            format!("the server's clock went back, from {} or later", Timestamp::from_micros(before))
        } else if self.is_ahead && !was_ahead {
            format!("the server's clock is ahead of {}", Timestamp::from_micros(now_micros))
        } else {
            return None;
        };
        let committed_at = Timestamp::from_micros(begin.at_micros);
        Some(Notice {
            event_type: "postgres.clock_stepped",
            row: None,
            problem: format!("{problem}: transaction {} was committed at {committed_at}", begin.transaction),
            at_micros: Some(begin.at_micros),
            details: json!({"transaction": begin.transaction, "committed_at": committed_at.to_string()}),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_steps_is_noticed_once_a_step() {
        let day = 24 * 3_600 * 1_000_000_i64;
        let mut clock = ServerClock::new(100 * day);
        let mut commit = |at_micros| {
            let begin = Begin { commit: 1, at_micros, transaction: 7 };
            clock.commit(&begin, 101 * day).map(|notice| notice.problem)
        };
        assert_eq!(commit(100 * day + 5), None);
        assert_eq!(commit(100 * day - 1), None, "clocks differ by a little");
        assert!(commit(70 * day).is_some_and(|problem| problem.contains("went back")));
        assert_eq!(commit(70 * day + 1), None, "told already");
        assert_eq!(commit(101 * day), None, "set right again");
        assert!(commit(102 * day).is_some_and(|problem| problem.contains("ahead")));
        assert_eq!(commit(102 * day + 1), None, "told already");
    }
}
