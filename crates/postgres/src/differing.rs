//! What differs between an entry and the row as it is now, in words.

use counterfoil_entry::Fields;

/// The longest value that a finding repeats.
const MAX_SHOWN_CHARS: usize = 120;

/// The members that differ, with both values.
pub(crate) fn differing(recorded: &Fields<'_>, now: &Fields<'_>) -> String {
    let pairs = |fields: &Fields<'_>| -> [(&'static str, Option<String>); 13] {
        let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_ref().map(|text| text.to_string());
        let json = |text: Option<&str>| text.map(str::to_owned);
        [
            ("timestamp", Some(fields.timestamp.to_string())),
            ("event_type", Some(fields.event_type.to_string())),
            ("actor", Some(fields.actor.to_string())),
            ("actor_type", own(&fields.actor_type)),
            ("on_behalf_of", own(&fields.on_behalf_of)),
            ("entity_id", Some(fields.entity_id.to_string())),
            ("entity_type", own(&fields.entity_type)),
            ("old_value", json(fields.old_value)),
            ("new_value", json(fields.new_value)),
            ("outcome", own(&fields.outcome)),
            ("reason", own(&fields.reason)),
            ("context", json(fields.context)),
            ("trace_id", own(&fields.trace_id)),
        ]
    };
    let shown = |value: Option<String>| {
        let value = value.unwrap_or_else(|| "absent".to_owned());
        if value.chars().count() <= MAX_SHOWN_CHARS {
            return value;
        }
        value.chars().take(MAX_SHOWN_CHARS).collect::<String>() + "…"
    };
    let both = pairs(recorded).into_iter().zip(pairs(now)).filter(|(before, after)| before.1 != after.1);
    let all: Vec<_> =
        both.map(|((name, was), (_, is))| format!("{name} was {}, is {}", shown(was), shown(is))).collect();
    all.join("; ")
}
