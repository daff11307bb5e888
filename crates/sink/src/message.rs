//! What a receiver is given: entries and how to know the message again.

use crate::alert::Change;
use crate::event::Event;
use crate::filter::Level;
use crate::text;

/// The most characters of a title.
const MAX_TITLE: usize = 150;
/// The most characters of a sentence in a message for people.
pub(crate) const MAX_SENTENCE: usize = 1000;
/// The most entries that a message for people names one by one.
pub(crate) const MAX_LINES: usize = 20;

/// What a receiver is given.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub origin: &'a str,
    /// Where the console is.
    pub console: Option<&'a str>,
    /// The same each time that this message is sent: what a receiver may know a repeat by.
    pub dedup_key: String,
    /// In the order of the ledger, at least one; the first ones when there are more than a message holds.
    pub events: Vec<Event>,
    /// How many entries it stands for.
    pub count: u64,
    /// The last entry that it stands for.
    pub last: u64,
}

impl Message<'_> {
    pub fn first(&self) -> &Event {
        &self.events[0]
    }

    /// The gravest level among its alerts; `Informational` for other entries.
    pub fn level(&self) -> Level {
        let levels = self.events.iter().filter_map(|event| event.alert.as_ref()).map(|alert| alert.level);
        levels.max().unwrap_or(Level::Informational)
    }

    pub fn is_test(&self) -> bool {
        self.first().is_test
    }

    pub fn is_drill(&self) -> bool {
        self.events.iter().all(|event| event.is_drill)
    }

    /// The entry's event type or the rule's title, how many, and whether it is a test or drill, on one line.
    pub fn title(&self) -> String {
        let mark = match (self.is_test(), self.is_drill()) {
            (true, _) => "[TEST] ",
            (_, true) => "[DRILL] ",
            _ => "",
        };
        let what = match &self.first().alert {
            Some(alert) if alert.change == Change::Raised => format!("{}: {}", alert.level.name(), alert.title),
            Some(alert) => format!("{}: {}", alert.change.name(), alert.title),
            None if self.checkpoint().is_some() => format!("Checkpoint of {}", self.first().entity_id),
            None => format!("{}: {}", self.first().event_type, self.first().entity_id),
        };
        let mixed = self.events.iter().any(|event| event.subject() != self.first().subject());
        let more = match (self.count, mixed) {
            (1, _) => String::new(),
            (count, false) => format!(" ({count} times)"),
            (count, true) => format!(" and {} more", count - 1),
        };
        let most = MAX_TITLE - mark.len() - more.len();
        format!("{mark}{}{more}", text::line(&what, most))
    }

    /// The newest checkpoint, where it is about verifications.
    pub fn checkpoint(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|event| event.checkpoint.as_deref())
    }

    /// What happened, in a sentence on one line.
    pub fn sentence(&self) -> String {
        text::line(&self.first().sentence(), MAX_SENTENCE)
    }

    /// Facts beside the sentence, each a name and a value on one line.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![("Ledger", self.origin.to_owned())];
        let mut fact = |name, value: String| facts.push((name, text::line(&value, 300)));
        if let Some(alert) = &self.first().alert {
            fact("Level", self.level().name().to_owned());
            fact("Rule", alert.rule.clone());
            if let Some(author) = &alert.author {
                fact("Author", author.clone());
            }
            let group: Vec<String> = alert.group.iter().map(|(field, value)| format!("{field} = {value}")).collect();
            if !group.is_empty() {
                fact("Group", group.join(", "));
            }
            if !alert.tags.is_empty() {
                fact("Tags", alert.tags.join(", "));
            }
            if !alert.references.is_empty() {
                fact("References", alert.references.join(" "));
            }
        }
        if self.count > 1 {
            fact("Entries", format!("{}, numbers {} to {}", self.count, self.first().index, self.last));
        }
        facts
    }

    /// The entries that caused its alerts, or that it is about: at most [`MAX_LINES`].
    pub fn causes(&self) -> Vec<u64> {
        let of = |event: &Event| match &event.alert {
            Some(alert) if !alert.causes.is_empty() => alert.causes.clone(),
            _ => vec![event.index],
        };
        let mut causes: Vec<u64> = self.events.iter().flat_map(of).take(MAX_LINES).collect();
        causes.dedup();
        causes
    }

    /// A page of the console about an entry.
    pub fn link(&self, index: u64) -> Option<String> {
        self.console.map(|console| format!("{console}/trail?entry={index}"))
    }
}

impl Event {
    /// What makes entries the same in a title.
    fn subject(&self) -> &str {
        self.alert.as_ref().map_or(&self.event_type, |alert| &alert.title)
    }
}
