//! What was most likely meant by a word that nobody knows.

/// A word with more edits than this was not meant.
const MOST_EDITS: usize = 3;

/// The known word that is nearest, as the end of a sentence; nothing where none is near.
pub(crate) fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = counterfoil_entry::catalog::spelt_like(wanted, known, MOST_EDITS);
    near.map(|word| format!("; did you mean {word}?")).unwrap_or_default()
}

/// The text of an error of serde about an unknown member or value, with the known one that is nearest: it names both in
/// backticks, the unknown one first. Other members than it names may be known as well.
pub(crate) fn with_nearest(error: &str, members: &[&str]) -> String {
    let error = error.trim();
    let Some((_, about)) = error.split_once("unknown ") else { return error.to_owned() };
    let mut words = about.split('`').skip(1).step_by(2);
    let wanted = words.next().unwrap_or_default();
    let members = members.iter().copied().filter(|_| about.starts_with("field"));
    error.to_owned() + &did_you_mean(wanted, words.chain(members))
}
