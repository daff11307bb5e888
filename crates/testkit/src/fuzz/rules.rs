//! Documents of rules from strangers.

use std::sync::Arc;

use counterfoil_entry::Timestamp;
use counterfoil_watch::{Engine, Record, RuleSet, Texts};

/// Entries that rules may see, with a place for a number.
const ENTRIES: [&str; 3] = [
    r#"{"actor":"eva","actor_type":"user","context":{"confidence":0.5,"model_version":"m-1"},"entity_id":"INV-#","entity_type":"invoice","event_type":"invoice_received","new_value":{"amount":"12#.50","currency":"EUR"},"old_value":{"amount":99},"outcome":"success","reason":"why","recorded_at":"2026-01-05T09:00:0#Z","recorder":"crm","sequence":#,"source":"crm","timestamp":"2026-01-05T08:00:00Z"}"#,
    r#"{"actor":"bot","actor_type":"ai_agent","context":{"eventName":"DeleteTrail","eventSource":"cloudtrail.amazonaws.com"},"entity_id":"INV-#","event_type":"invoice_approved","recorded_at":"2026-01-05T09:00:0#Z","timestamp":"2027-01-05T09:00:00Z"}"#,
    r#"{"actor":"counterfoil","entity_id":"ledger","event_type":"ledger.sealed","recorded_at":"2026-01-05T09:00:0#Z","timestamp":"2026-01-05T09:00:00Z"}"#,
];
/// How often each is shown.
const ROUNDS: u64 = 10;

/// Rules are read, those that hold are shown entries and told that time passes, and each says what it looks for.
pub fn rules(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let files = vec![("rules.yml".to_owned(), text.to_owned())];
    let set = Arc::new(RuleSet::of(&Texts { files, problems: Vec::new() }));
    for problem in &set.problems {
        assert!(!problem.reason.is_empty(), "{problem}");
    }
    if set.rules.is_empty() {
        return;
    }
    let mut engine = Engine::new(set.clone()).expect("rules that were checked hold");
    for index in 0..ROUNDS * ENTRIES.len() as u64 {
        let (round, entry) = (index / ENTRIES.len() as u64, ENTRIES[index as usize % ENTRIES.len()]);
        let canonical = entry.replace('#', &round.to_string());
        let record = Record::read(index, canonical.as_bytes()).expect("an entry").expect("seen by rules");
        for firing in engine.observe(&record) {
            assert!(firing.index <= index && firing.causes.contains(&firing.index), "{firing:?}");
        }
        if round == 0 {
            set.rules.iter().for_each(|rule| drop(engine.describe(rule) + &engine.explain(rule, &record)));
        }
    }
    engine.pass(Timestamp::from_micros(i64::from(u32::MAX) * 1_000_000));
}
