//! The parts of a design document.

use counterfoil_entry::catalog;

use super::{Document, Keys, Locations, Token, Watch};
use crate::moment::{counted, grouped, lasting};
use crate::page::{Block, code, exact, facts, heading, list, number, prose, table, words};
use crate::report::class_in_words;

pub(super) fn purpose(document: &Document) -> Vec<Block> {
    let mut blocks = vec![
        prose(
            "Every decision of a model, every act of a person and every change of data is recorded as an entry. An entry is on the disk, \
             in its place, and covered by a signed checkpoint before the call that recorded it returns. Nothing is changed or removed \
             afterwards; what anybody changes by force is found by verification.",
        ),
        facts([
            ("Ledger", document.origin.clone()),
            ("Entries when this was written", grouped(document.size)),
            ("Program", format!("Counterfoil {}", document.version)),
            ("Written", document.written.to_string()),
        ]),
    ];
    if !document.earlier_origins.is_empty() {
        let names = document.earlier_origins.join(", ");
        blocks.push(prose(format!(
            "The ledger was restored from a copy and goes on under a new name. Its earlier names: {names}."
        )));
    }
    if !document.contacts.is_empty() {
        let columns = vec![words("For", 1), words("Whom to call", 2)];
        let row = |contact: &super::Contact| vec![contact.role.clone(), contact.reach.clone()];
        blocks.push(table("Contacts", columns, &document.contacts, document.contacts.len() as u64, "contacts", row));
    }
    blocks
}

/// The members of an entry: name, what it holds, who sets it.
const MEMBERS: [(&str, &str, &str); 19] = [
    ("index", "its place in the ledger, from 0", "ledger"),
    ("timestamp", "when it happened", "program, else ledger"),
    ("recorded_at", "when the ledger committed it; never goes back", "ledger"),
    ("event_type", "what happened", "program, required"),
    ("actor", "who acted", "program, required"),
    ("actor_type", "a person, a program or an AI agent", "program"),
    ("on_behalf_of", "for whom the actor acted", "program"),
    ("entity_id, entity_type", "what it happened to", "program, id required"),
    ("old_value, new_value", "what was, and what is", "program"),
    ("outcome", "success, failure or denied", "program"),
    ("reason", "why", "program"),
    ("context", "anything more, such as model_version and confidence", "program"),
    ("trace_id", "the run of the workflow", "program"),
    ("id", "a key that makes repeating harmless", "program"),
    ("source, sequence", "the recording program and its gapless counter", "program"),
    ("recorder", "the credential under which it was submitted", "ledger"),
    ("signature", "the recorder's own signature", "program"),
    ("salt", "random bytes, so that neighbours in a proof cannot be guessed", "ledger"),
    ("leaf hash", "SHA-256 of the entry's one byte form; not stored, always derived", "ledger"),
];

pub(super) fn schema() -> Vec<Block> {
    let columns = vec![exact("Member"), words("What it holds", 3), words("Set by", 2)];
    let row = |(name, what, by): &(&str, &str, &str)| vec![(*name).to_owned(), (*what).to_owned(), (*by).to_owned()];
    vec![
        prose(
            "An entry is a JSON object with these members and no others. It has one byte form (RFC 8785), and that is what is hashed. The \
             sealed file that is queried is the record that was hashed: there is no second copy that could disagree with it.",
        ),
        table("Members of an entry", columns, &MEMBERS, MEMBERS.len() as u64, "members", row),
    ]
}

pub(super) fn events(document: &Document) -> Vec<Block> {
    let in_use = &document.in_use;
    let columns = vec![words("Type of event", 3), words("What it means", 5), words("Kept for", 3), number("Entries")];
    let row = |count: &crate::report::Count| {
        let known = catalog::find(&count.name);
        let what = known.map_or("not in the catalog", |event| event.description);
        let kept = known.map_or("–", |event| class_in_words(event.retention_class));
        vec![count.name.clone(), what.to_owned(), kept.to_owned(), grouped(count.entries)]
    };
    let mut blocks = vec![prose(format!(
        "The catalog that comes with the program knows {} types of events, each with what it requires, its retention class and the clauses \
         that it supports. Programs may record other types; with --strict they may not. The command \"counterfoil catalog\" prints it all.",
        grouped(catalog::all().len() as u64)
    ))];
    match in_use.rows.is_empty() {
        true => blocks.push(prose("The ledger holds no entry yet.")),
        false => blocks.push(table(
            "Types in this ledger, the most frequent first",
            columns,
            &in_use.rows,
            in_use.total,
            "types",
            row,
        )),
    }
    blocks
}

pub(super) fn locations(locations: &Locations) -> Vec<Block> {
    let span = grouped(locations.segment_span);
    let mut blocks = vec![
        facts([("Ledger", locations.folder.clone()), ("Entries of a full segment", span)]),
        prose("A ledger is a folder:"),
        list([
            "journal/: the newest entries, each group written with one sync before it is acknowledged",
            "segments/: sealed files (Parquet) that never change, with their hashes and an index",
            "checkpoint: the newest signed statement of size and root",
            "keys/ and state/: the signing key, tokens as hashes; for the owner alone",
        ]),
    ];
    blocks.push(heading("Service"));
    match &locations.service {
        None => blocks.push(prose(
            "The settings are not known: whether a service answers for this ledger, and where, is not told here.",
        )),
        Some(service) => {
            let columns = vec![exact("Address"), words("What is answered there", 1)];
            let row = |(address, what): &(String, String)| vec![address.clone(), what.clone()];
            blocks.push(table(
                "Addresses",
                columns,
                &service.addresses,
                service.addresses.len() as u64,
                "addresses",
                row,
            ));
            let tls = if service.tls { "by the service itself (TLS)" } else { "not by the service" };
            blocks
                .push(facts([("Encrypted", tls.to_owned()), ("Public without a token", service.tlog_public.clone())]));
        }
    }
    blocks.push(heading("Copy under lock"));
    match &locations.copy {
        None if locations.service.is_none() => {
            blocks.push(prose("The settings are not known, and no entry names a copy."));
        }
        None => blocks.push(prose("There is none.")),
        Some(copy) => blocks.push(facts([
            ("Where", copy.location.clone()),
            ("Mode of the locks", copy.modes.join(", ")),
            ("Locks read back", copy.checked_at.map_or("never".to_owned(), |moment| moment.to_string())),
            ("The last lock ends", copy.last_end.map_or("–".to_owned(), |moment| moment.to_string())),
        ])),
    }
    if locations.service.is_some() {
        let lake = locations.lake.clone().unwrap_or_else(|| "nowhere".to_owned());
        let kept = locations.prune_keep.clone().unwrap_or_else(|| "everything".to_owned());
        blocks.push(facts([("Iceberg table of the copy", lake), ("Stays on the disk of what the copy holds", kept)]));
    }
    blocks.push(heading("PostgreSQL"));
    match locations.postgres.is_empty() {
        true => blocks.push(prose("The ledger holds no entry of an audit table in PostgreSQL that is followed.")),
        false => blocks.push(list(locations.postgres.iter().map(String::as_str))),
    }
    if let Some(compared) = &locations.compared {
        blocks.push(prose(format!("The service compares the ledger with the audit table at {compared}.")));
    }
    blocks
}

pub(super) fn retention(document: &Document) -> Vec<Block> {
    let mut classes: Vec<(&str, u64)> = Vec::new();
    for event in catalog::all() {
        match classes.iter_mut().find(|(class, _)| *class == event.retention_class) {
            Some((_, types)) => *types += 1,
            None => classes.push((event.retention_class, 1)),
        }
    }
    classes.sort_unstable();
    let columns = vec![words("Kept for at least", 1), number("Types of events")];
    let row = |(class, types): &(&str, u64)| vec![class_in_words(class).to_owned(), grouped(*types)];
    let mut blocks = vec![
        prose(
            "A type of event has a retention class. One sealed file holds entries of many classes, so the longest decides for all. A legal \
             hold goes before the end of a retention. Personal data are sealed under a key of their own, and destroying that key erases \
             them while every proof stays valid; within a retention that the law lays down this is not done.",
        ),
        table("Retention classes of the catalog", columns, &classes, classes.len() as u64, "classes", row),
    ];
    let own = document.retention_class.as_deref().map_or("not known here", class_in_words);
    let unset = if document.watch.is_some() { "no copy is set up" } else { "the settings are not known" };
    let retain = document.retain.clone().unwrap_or_else(|| unset.to_owned());
    blocks.push(facts([
        ("Types without a class of their own", own.to_owned()),
        ("Objects of the copy are written under", retain),
    ]));
    if document.holds.rows.is_empty() {
        blocks.push(prose("No legal hold is in force."));
    } else {
        let columns = vec![exact("Placed"), words("On", 2), words("By", 1)];
        let row = |hold: &crate::report::Hold| vec![hold.placed_at.to_string(), hold.scope.clone(), hold.actor.clone()];
        blocks.push(table("Legal holds in force", columns, &document.holds.rows, document.holds.total, "holds", row));
    }
    blocks
}

pub(super) fn keys(keys: &Keys) -> Vec<Block> {
    let mut blocks = vec![
        prose(
            "The ledger signs its checkpoints with one key (Ed25519). Its private half lies in the folder, for the service's user alone; its \
             public half belongs with everybody who verifies. A program may sign its entries with a key of its own, which an entry of the \
             ledger registers for the actors that it may sign for.",
        ),
        facts([("Public key of the ledger", keys.verifier_key.clone())]),
    ];
    match keys.clients.is_empty() {
        true => blocks.push(prose("No key of a client is registered.")),
        false => {
            let columns = vec![words("Key", 2), words("Signs for", 3), exact("Registered"), exact("Revoked")];
            let row = |key: &super::ClientKey| {
                let id = key.id.chars().take(16).collect::<String>();
                let revoked = key.revoked_at.map_or("–".to_owned(), |moment| moment.to_string());
                vec![id, key.actors.join(", "), key.registered_at.to_string(), revoked]
            };
            blocks.push(table(
                "Keys of clients, first digits",
                columns,
                &keys.clients,
                keys.clients.len() as u64,
                "keys",
                row,
            ));
        }
    }
    match keys.witnesses.is_empty() {
        true => blocks.push(prose("No witness cosigns: the ledger keeps no cosignatures.")),
        false => blocks.extend([
            prose("Witnesses that cosigned the newest checkpoint, as its note says; this document has not checked it:"),
            list(keys.witnesses.iter().map(String::as_str)),
        ]),
    }
    blocks
}

pub(super) fn roles(tokens: Option<&[Token]>) -> Vec<Block> {
    let roles = [
        ("writer", "records entries and asks for proofs; reads none"),
        ("reader", "reads, queries and asks for proofs"),
        ("reviewer", "reads, says what becomes of alerts, and signs the reviews of days"),
        ("auditor", "reads and takes evidence out; what it reads is recorded"),
        ("admin", "everything, and alone makes tokens and starts verifications"),
    ];
    let columns = vec![exact("Role"), words("What it may do", 1)];
    let row = |(role, what): &(&str, &str)| vec![(*role).to_owned(), (*what).to_owned()];
    let mut blocks = vec![
        prose(
            "A token is shown once, when it is made; the service keeps its SHA-256 alone. Every token made or revoked is an entry.",
        ),
        table("Roles", columns, &roles, roles.len() as u64, "roles", row),
    ];
    let Some(tokens) = tokens else {
        blocks.push(prose("The tokens are not known here: the service and the ledger's folder know them."));
        return blocks;
    };
    if tokens.is_empty() {
        blocks.push(prose("There are no tokens."));
        return blocks;
    }
    let columns = vec![words("Token of", 3), exact("Role"), words("May record", 3), exact("Ends")];
    let row = |token: &Token| {
        let prefixes = match (token.prefixes.is_empty(), token.role.as_str()) {
            (false, _) => token.prefixes.iter().map(|prefix| format!("{prefix}…")).collect::<Vec<_>>().join(", "),
            (true, "writer" | "admin") => "every type".to_owned(),
            (true, _) => "nothing".to_owned(),
        };
        let ends = token.expires_at.map_or("never".to_owned(), |moment| moment.to_string());
        vec![token.name.clone(), token.role.clone(), prefixes, ends]
    };
    blocks.push(table("Tokens in force", columns, tokens, tokens.len() as u64, "tokens", row));
    blocks
}

pub(super) fn watch(watch: Option<&Watch>) -> Vec<Block> {
    let Some(watch) = watch else {
        return vec![prose("The settings are not known, so neither are rules and sinks.")];
    };
    let mut blocks = Vec::new();
    if watch.rules.is_empty() {
        blocks.push(prose(
            "No rules are in force. What the ledger notices by itself, such as tampering and gaps, raises alerts all the same.",
        ));
    } else {
        let columns = vec![words("Rule", 3), exact("Level"), words("What it is for", 5)];
        let row =
            |rule: &super::Rule| vec![rule.title.clone(), rule.level.clone(), sentences(&rule.purpose).to_owned()];
        blocks.push(table("Rules in force", columns, &watch.rules, watch.rules.len() as u64, "rules", row));
    }
    if !watch.left_out.is_empty() {
        blocks.push(heading("Left out"));
        blocks.push(list(watch.left_out.iter().take(crate::MAX_ROWS).map(String::as_str)));
    }
    match watch.sinks.is_empty() {
        true => blocks.push(prose("Alerts go nowhere but into the ledger.")),
        false => {
            let columns = vec![words("Sink", 2), exact("Kind"), words("Where it leads", 4)];
            let row = |sink: &super::Sink| vec![sink.name.clone(), sink.kind.clone(), sink.target.clone()];
            blocks.push(table("Where alerts go", columns, &watch.sinks, watch.sinks.len() as u64, "sinks", row));
        }
    }
    blocks
}

/// As many of the first sentences as a cell holds.
fn sentences(text: &str) -> &str {
    let ends = text.match_indices(". ").map(|(at, _)| at + 1).chain([text.len()]);
    let fits = |end: &usize| text[..*end].chars().count() <= crate::MAX_CELL;
    ends.take_while(fits).last().map_or(text, |end| &text[..end])
}

pub(super) fn verification(document: &Document) -> Vec<Block> {
    let schedule = &document.verification;
    let every = |seconds: Option<u64>| match seconds {
        Some(seconds) => format!("every {}", lasting(seconds.saturating_mul(1_000_000).try_into().unwrap_or(i64::MAX))),
        None if document.watch.is_none() => "the settings are not known".to_owned(),
        None => "never by itself".to_owned(),
    };
    let last = schedule.last.as_ref().map_or("none is recorded".to_owned(), |run| {
        let result = if run.verified { "nothing found wrong" } else { "something was found wrong" };
        format!("{}, {} entries, {result}", run.ended_at, grouped(run.size))
    });
    let mut blocks = vec![
        prose(
            "A verification reads every byte, hashes every entry anew, and compares roots, signatures, order and sequences with the signed \
             checkpoint, and with a key or checkpoint from outside where one is given. It stops at nothing and lists all it finds. Each run of \
             the service is an entry.",
        ),
        facts([
            ("The service verifies what is new", every(schedule.new_seconds)),
            ("It verifies everything", every(schedule.whole_seconds)),
            ("It reads every sealed block again", every(schedule.scrub_seconds)),
            ("Last verification", last),
        ]),
    ];
    match schedule.outside.is_empty() {
        true => blocks.push(prose("Nothing outside the service is named that verifies the ledger.")),
        false => blocks
            .extend([prose("From outside, it is verified by:"), list(schedule.outside.iter().map(String::as_str))]),
    }
    if let Some(bundle) = &document.bundle {
        let told = format!(
            "The bundle {} proves {} behind this document, about keys, tokens, rules, copies and retention, under the checkpoint of {}. \
             It is checked without the ledger:",
            bundle.file,
            counted(bundle.entries, "entry"),
            counted(bundle.size, "entry")
        );
        let file = crate::report::quoted(&bundle.file);
        blocks.extend([prose(told), code(&format!("counterfoil verify --bundle {file} --key audit.vkey"))]);
    }
    blocks
}
