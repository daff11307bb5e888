//! Entries by the dozen.

use counterfoil_entry::{ActorType, Draft, EntryBuilder, Outcome, Timestamp};

use crate::Random;

const TEXTS: [&str; 8] = [
    "approved",
    "",
    "Zürich — Ärger, 50 €",
    "line\nbreak\tand \"quotes\" \\",
    "日本語🦀",
    "{\"looks\":\"like JSON\"}",
    "null",
    "a rather longer text, such as a person might write to explain why a limit was raised for one customer only",
];
const JSON: [&str; 8] = [
    "null",
    "true",
    "-12.5",
    "9007199254740993",
    "\"text\"",
    "[]",
    "{\"nested\":{\"deep\":[1,{\"x\":null}]},\"z\":\"\"}",
    "[\"a\",1,false,{\"k\":\"v\"}]",
];
const TYPES: [&str; 4] = ["invoice_approved", "kyc_check", "manual_override", "limit_raised"];

/// A stream of entries that depends on its seed alone.
#[derive(Debug, Clone)]
pub struct Entries {
    random: Random,
    made: u64,
}

impl Entries {
    /// The stream of a seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), made: 0 }
    }

    /// The next entry in the making: each optional member is there or not, but it has no `id` and no `source`.
    pub fn builder(&mut self) -> EntryBuilder {
        self.made += 1;
        let random = &mut self.random;
        let entity = format!("INV-{}", random.below(40));
        let mut entry = Draft::builder(random.pick(&TYPES), random.pick(&["ana", "invoice-bot", "Jörg"]), &entity)
            .context_json(&format!("{{\"made\":{}}}", self.made));
        if random.coin() {
            let instant = Timestamp::from_micros(1_700_000_000_000_000 + random.below(1 << 50) as i64);
            entry = entry.timestamp(instant);
        }
        if random.coin() {
            entry = entry.actor_type(random.pick(&[ActorType::User, ActorType::Service, ActorType::AiAgent]));
        }
        if random.coin() {
            entry = entry.outcome(random.pick(&[Outcome::Success, Outcome::Failure, Outcome::Denied]));
        }
        if random.coin() {
            entry = entry.reason(random.pick(&TEXTS));
        }
        if random.coin() {
            entry = entry.old_value_json(random.pick(&JSON)).new_value_json(random.pick(&JSON));
        }
        if random.coin() {
            entry =
                entry.on_behalf_of("department 7").entity_type("invoice").trace_id("4bf92f3577b34da6a3ce929d0e0e4736");
        }
        entry
    }

    /// The next entry.
    pub fn draft(&mut self) -> Draft {
        self.builder().build().expect("generated members are valid")
    }

    /// The next `count` entries.
    pub fn drafts(&mut self, count: usize) -> Vec<Draft> {
        (0..count).map(|_| self.draft()).collect()
    }
}
