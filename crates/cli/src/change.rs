//! What changed between two values, member by member.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::json::{Members, members};

/// How deep objects are compared member by member; deeper ones are compared whole.
const MAX_DEPTH: usize = 8;

/// One member that differs.
#[derive(Debug, Serialize)]
pub struct Change {
    /// Its path, `supplier.iban`; empty where the value as a whole differs.
    pub member: String,
    /// The value before; none where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Box<RawValue>>,
    /// The value after; none where there is none any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Box<RawValue>>,
}

/// The differences between two values in canonical JSON, in the order of the members.
///
/// Equal values have equal canonical texts, so texts are compared, and no number is changed by reading it.
pub fn changes(old: Option<&str>, new: Option<&str>) -> Vec<Change> {
    let mut found = Vec::new();
    compare("", old, new, MAX_DEPTH, &mut found);
    found
}

fn compare(path: &str, old: Option<&str>, new: Option<&str>, depth: usize, found: &mut Vec<Change>) {
    if old == new {
        return;
    }
    let objects = (old.and_then(members), new.and_then(members));
    match objects {
        (Some(old), Some(new)) if depth > 0 => compare_members(path, &old, &new, depth, found),
        (None, Some(new)) if old.is_none() && depth > 0 => compare_members(path, &Members::new(), &new, depth, found),
        _ => found.push(Change { member: path.to_owned(), old: old.and_then(raw), new: new.and_then(raw) }),
    }
}

fn compare_members(path: &str, old: &Members, new: &Members, depth: usize, found: &mut Vec<Change>) {
    let mut names: Vec<&String> = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name))).collect();
    names.sort();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let (old, new) = (old.get(name), new.get(name));
        compare(&path, old.map(|value| value.get()), new.map(|value| value.get()), depth - 1, found);
    }
}

fn raw(text: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(text.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(old: Option<&str>, new: Option<&str>) -> Vec<String> {
        let text = |value: &Option<Box<RawValue>>| value.as_ref().map_or("-", |value| value.get()).to_owned();
        let show = |change: &Change| format!("{}: {} > {}", change.member, text(&change.old), text(&change.new));
        changes(old, new).iter().map(show).collect()
    }

    #[test]
    fn members_are_compared_one_by_one() {
        let old = r#"{"amount":100,"supplier":{"iban":"A","name":"X"},"tags":[1]}"#;
        let new = r#"{"amount":100,"supplier":{"iban":"B","name":"X"},"tags":[1,2],"urgent":true}"#;
        let expected = [r#"supplier.iban: "A" > "B""#, "tags: [1] > [1,2]", "urgent: - > true"];
        assert_eq!(shown(Some(old), Some(new)), expected);
    }

    #[test]
    fn values_are_compared_whole() {
        assert_eq!(shown(Some("\"a\""), Some("\"b\"")), [": \"a\" > \"b\""]);
        assert_eq!(shown(None, Some("null")), [": - > null"]);
        assert_eq!(shown(None, Some("{\"a\":1}")), ["a: - > 1"]);
        assert_eq!(shown(Some("{\"a\":1}"), None), [": {\"a\":1} > -"]);
        assert!(shown(Some("1"), Some("1")).is_empty());
    }

    #[test]
    fn large_numbers_are_told_apart() {
        let expected = [": 100927429609276267646756448943279827607 > 100927429609276267646756448943279827608"];
        let (old, new) = ("100927429609276267646756448943279827607", "100927429609276267646756448943279827608");
        assert_eq!(shown(Some(old), Some(new)), expected);
    }
}
