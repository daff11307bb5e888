//! A watcher beside a ledger that goes on.

use std::path::{Path, PathBuf};

use counterfoil::{CreateOptions, ErrorKind, Ledger, OpenOptions};
use counterfoil_entry::{ActorType, Draft, Fields};
use counterfoil_watch::{Start, Step, Watcher};
use sha2::{Digest, Sha256};

pub const OVERRIDE: &str = "
title: Override
id: 6a1f4c0e-1f6b-4b43-8f0e-0a4d7a6c2f10
author: Eva
references: [https://example.com/why]
level: high
logsource: {product: counterfoil}
detection:
  selection: {event_type: manual_override}
  condition: selection
";

/// A ledger and a folder of rules.
pub struct Place {
    _folder: tempfile::TempDir,
    pub ledger: PathBuf,
    pub rules: PathBuf,
}

impl Place {
    pub fn with(rules: &str) -> (Self, Ledger) {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Self { ledger: folder.path().join("ledger"), rules: folder.path().join("rules"), _folder: folder };
        std::fs::create_dir(&place.rules).expect("a folder");
        place.write(rules);
        let mut options = CreateOptions::new("example.com/watched").expect("an origin");
        options.segment_span = 256;
        let ledger = Ledger::create(&place.ledger, options, OpenOptions::default()).expect("a ledger");
        (place, ledger)
    }

    pub fn write(&self, rules: &str) {
        std::fs::write(self.rules.join("rules.yml"), rules).expect("written");
    }

    pub fn watcher(&self, ledger: &Ledger) -> counterfoil::Result<Watcher> {
        Watcher::open(&self.ledger, &self.rules, &ledger.snapshot(), Start::End)
    }
}

/// Steps until nothing waits.
pub fn catch_up(watcher: &mut Watcher, ledger: &Ledger) -> Vec<Step> {
    let mut steps = Vec::new();
    loop {
        let step = watcher.step(ledger).expect("a step");
        let done = step.behind == 0;
        steps.push(step);
        if done {
            return steps;
        }
    }
}

pub fn append(ledger: &Ledger, event_type: &str, actor: &str) -> u64 {
    let draft = Draft::builder(event_type, actor, "LOAN-1").build().expect("an entry");
    ledger.append(draft).expect("appended").index
}

/// Every alert in the ledger: the entry's id and the indices that caused it.
pub fn alerts(ledger: &Ledger) -> Vec<(String, Vec<u64>)> {
    let snapshot = ledger.snapshot();
    let mut found = Vec::new();
    for index in 0..snapshot.size() {
        let bytes = snapshot.entry(index).expect("an entry");
        let fields = Fields::split(&bytes).expect("fields");
        if fields.event_type == "ledger.alert_raised" {
            let context: serde_json::Value = serde_json::from_str(fields.context.expect("a context")).expect("JSON");
            let indices = context["indices"].as_array().expect("indices").iter();
            found.push((fields.entity_id.to_string(), indices.filter_map(serde_json::Value::as_u64).collect()));
        }
    }
    found
}

#[test]
fn an_alert_is_an_entry_with_its_cause_author_and_references() {
    let (place, ledger) = Place::with(OVERRIDE);
    let before = append(&ledger, "manual_override", "eva");
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    append(&ledger, "invoice_approved", "eva");
    let cause = append(&ledger, "manual_override", "tom");
    let raised: Vec<_> = catch_up(&mut watcher, &ledger).into_iter().flat_map(|step| step.alerts).collect();
    assert_eq!(raised.len(), 1, "and none for entry {before}, which was there already");
    assert_eq!((raised[0].level, raised[0].author.as_deref()), ("high", Some("Eva")));
    let snapshot = ledger.snapshot();
    let history = snapshot.history(&raised[0].id).expect("read");
    let text = String::from_utf8(history[0].1.clone()).expect("text");
    for part in [r#""author":"Eva""#, r#""references":["https://example.com/why"]"#, &format!(r#""indices":[{cause}]"#)]
    {
        assert!(text.contains(part), "{text} does not say {part}");
    }
    catch_up(&mut watcher, &ledger);
    assert_eq!(alerts(&ledger).len(), 1, "alerts raise no alerts");
}

#[test]
fn a_correlation_goes_on_after_a_restart() {
    let count = format!(
        "{OVERRIDE}---
title: Three
id: three
correlation: {{type: event_count, rules: [Override], group-by: [actor], timespan: 1h, condition: {{gte: 3}}}}
"
    );
    let (place, ledger) = Place::with(&count);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    let first = append(&ledger, "manual_override", "eva");
    let second = append(&ledger, "manual_override", "eva");
    catch_up(&mut watcher, &ledger);
    watcher.save(&ledger).expect("saved");
    ledger.close().expect("closed");
    let ledger = Ledger::open(&place.ledger, OpenOptions::default()).expect("opened");
    let third = append(&ledger, "manual_override", "eva");
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    assert_eq!(alerts(&ledger).iter().map(|alert| &alert.1).collect::<Vec<_>>(), [&vec![first, second, third]]);
}

#[test]
fn what_a_crash_makes_it_see_twice_is_raised_once() {
    let (place, ledger) = Place::with(OVERRIDE);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    append(&ledger, "manual_override", "eva");
    catch_up(&mut watcher, &ledger);
    drop(watcher);
    // The rule was edited before the restart: the alert would say something else, and is the same alert.
    place.write(&OVERRIDE.replace("level: high", "level: critical"));
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    assert_eq!(alerts(&ledger).len(), 1);
}

#[test]
fn a_client_cannot_keep_an_alert_out_by_taking_its_id() {
    let (place, ledger) = Place::with(OVERRIDE);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    append(&ledger, "manual_override", "eva");
    let id = catch_up(&mut watcher, &ledger).remove(0).alerts.remove(0).id;
    let (other, ledger) = Place::with(OVERRIDE);
    let mut watcher = other.watcher(&ledger).expect("a watcher");
    let cause = append(&ledger, "manual_override", "eva");
    let taken = Draft::builder("note", "tom", &id).id(&id).build().expect("an entry");
    ledger.append(taken).expect("appended");
    catch_up(&mut watcher, &ledger);
    assert_eq!(alerts(&ledger), [(id, vec![cause])]);
}

#[test]
fn changed_rules_come_into_force_and_the_ledger_says_so() {
    let (place, ledger) = Place::with(OVERRIDE);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    place.write(&format!("{}---\ntitle: Bad\n", OVERRIDE.replace("manual_override", "stop_pressed")));
    let reloaded = (0..300).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        watcher.step(&ledger).expect("a step").reloaded
    });
    assert!(reloaded, "within 30 s");
    assert_eq!(watcher.rules().problems.iter().filter(|problem| problem.skipped).count(), 1);
    append(&ledger, "manual_override", "eva");
    let cause = append(&ledger, "stop_pressed", "eva");
    catch_up(&mut watcher, &ledger);
    assert_eq!(alerts(&ledger).iter().map(|alert| &alert.1).collect::<Vec<_>>(), [&vec![cause]]);
    let loads = ledger.snapshot().newest_acts("rules", &["ledger.rules_loaded"], 9).expect("read");
    assert_eq!(loads.len(), 2);
    assert!(String::from_utf8_lossy(&loads[0].1).contains("rules.yml, document 2 (Bad)"));
    std::fs::remove_dir_all(&place.rules).expect("removed");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    watcher.step(&ledger).expect("the old rules stay");
    assert!(watcher.fault().is_some() && !watcher.rules().rules.is_empty());
}

#[test]
fn a_ledger_that_was_rolled_back_is_refused() {
    let (place, ledger) = Place::with(OVERRIDE);
    ledger.close().expect("closed");
    let copy = place.ledger.with_extension("old");
    copy_folder(&place.ledger, &copy);
    let ledger = Ledger::open(&place.ledger, OpenOptions::default()).expect("opened");
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    append(&ledger, "note", "eva");
    catch_up(&mut watcher, &ledger);
    watcher.save(&ledger).expect("saved");
    ledger.close().expect("closed");
    let state = place.ledger.join("state");
    copy_folder(&state, &copy.join("state"));
    let ledger = Ledger::open(&copy, OpenOptions::default()).expect("opened");
    let refused = Watcher::open(&copy, &place.rules, &ledger.snapshot(), Start::End).expect_err("refused");
    assert_eq!(refused.kind, ErrorKind::Tampered, "{refused}");
}

/// The file in which the rules remember where they are.
fn memory(place: &Place) -> PathBuf {
    place.ledger.join("state/watch/rules.json")
}

#[test]
fn a_cursor_that_the_ledger_does_not_know_of_passes_no_entry_over() {
    let (place, ledger) = Place::with(OVERRIDE);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    append(&ledger, "note", "eva");
    catch_up(&mut watcher, &ledger);
    watcher.save(&ledger).expect("saved");
    let kept = std::fs::read(memory(&place)).expect("a file");
    assert_eq!(watcher.forgot(), None);
    drop(watcher);
    let mut causes = Vec::new();
    let forged = |ledger: &Ledger| {
        let mut state: serde_json::Value = serde_json::from_slice(&kept).expect("JSON");
        let snapshot = ledger.snapshot();
        state["cursor"] = snapshot.size().into();
        state["leaf"] = snapshot.leaf_hash(snapshot.size() - 1).expect("a leaf").to_string().into();
        state.to_string()
    };
    for content in ["forged", "no JSON", "gone"] {
        causes.push(vec![append(&ledger, "manual_override", "tom")]);
        match content {
            "forged" => std::fs::write(memory(&place), forged(&ledger)).expect("written"),
            "no JSON" => std::fs::write(memory(&place), "{").expect("written"),
            _ => std::fs::remove_file(memory(&place)).expect("removed"),
        }
        let mut watcher = place.watcher(&ledger).expect("it watches all the same");
        let forgot = watcher.forgot().expect("it says so").to_owned();
        assert!(forgot.contains("rules.json") && forgot.contains("look again from entry"), "{forgot}");
        catch_up(&mut watcher, &ledger);
        watcher.save(&ledger).expect("saved");
        assert_eq!(alerts(&ledger).into_iter().map(|(_, causes)| causes).collect::<Vec<_>>(), causes);
        assert_eq!(place.watcher(&ledger).expect("a watcher").forgot(), None, "the next one goes on as usual");
    }
}

#[test]
fn what_an_earlier_version_remembered_is_forgotten_and_no_entry_passed_over() {
    let (place, ledger) = Place::with(OVERRIDE);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    append(&ledger, "note", "eva");
    catch_up(&mut watcher, &ledger);
    watcher.save(&ledger).expect("saved");
    drop(watcher);
    let mut state: serde_json::Value =
        serde_json::from_slice(&std::fs::read(memory(&place)).expect("a file")).expect("JSON");
    state["version"] = 1.into();
    state["engine"]["correlations"] = serde_json::json!({"version": 1, "windows": {}, "last_alert": {}});
    let digest = hex::encode(Sha256::digest(state.to_string()));
    let act = Draft::builder("ledger.watched", "counterfoil", "rules").actor_type(ActorType::Service);
    let context = serde_json::json!({"cursor": state["cursor"], "state": digest});
    ledger.record_act(act.context(context)).expect("as that version did");
    std::fs::write(memory(&place), state.to_string()).expect("written");
    let cause = append(&ledger, "manual_override", "tom");
    let mut watcher = place.watcher(&ledger).expect("it watches all the same");
    assert!(watcher.forgot().expect("it says so").contains("cannot be read"), "{:?}", watcher.forgot());
    catch_up(&mut watcher, &ledger);
    assert_eq!(alerts(&ledger).into_iter().map(|(_, causes)| causes).collect::<Vec<_>>(), [vec![cause]]);
}

#[test]
fn after_a_crash_the_rules_look_again_from_the_last_mark_and_raise_nothing_twice() {
    let count = format!(
        "{OVERRIDE}---
title: Three
id: three
generate: true
correlation: {{type: event_count, rules: [Override], group-by: [actor], timespan: 1h, condition: {{gte: 3}}}}
"
    );
    let (place, ledger) = Place::with(&count);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    let all: Vec<u64> = (0..3)
        .map(|_| {
            let index = append(&ledger, "manual_override", "eva");
            catch_up(&mut watcher, &ledger);
            index
        })
        .collect();
    for _ in 0..3 {
        drop(watcher);
        watcher = place.watcher(&ledger).expect("a watcher");
        assert_eq!(watcher.forgot(), None, "a crash is no forgery");
        catch_up(&mut watcher, &ledger);
    }
    let mut raised: Vec<Vec<u64>> = alerts(&ledger).into_iter().map(|(_, causes)| causes).collect();
    raised.sort_unstable();
    assert_eq!(raised, [vec![all[0]], all.clone(), vec![all[1]], vec![all[2]]]);
    assert_eq!(marks(&ledger), 1);
}

#[test]
fn how_far_the_rules_came_is_found_in_sealed_segments_too() {
    let (place, ledger) = Place::with(OVERRIDE);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    drop(watcher);
    let cause = append(&ledger, "manual_override", "tom");
    for _ in 0..600 {
        append(&ledger, "note", "eva");
    }
    assert!(ledger.seal().expect("sealed") > 0);
    std::fs::remove_file(memory(&place)).expect("removed");
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    assert!(watcher.forgot().is_some_and(|forgot| forgot.contains("is gone")));
    catch_up(&mut watcher, &ledger);
    assert_eq!(alerts(&ledger).into_iter().map(|(_, causes)| causes).collect::<Vec<_>>(), [vec![cause]]);
}

#[test]
fn a_crash_between_the_ledger_and_the_disk_is_no_forgery() {
    let (place, ledger) = Place::with(OVERRIDE);
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    // The ledger is told, and the file cannot be written.
    let in_the_way = memory(&place).with_extension("tmp");
    std::fs::create_dir(&in_the_way).expect("a folder");
    append(&ledger, "manual_override", "eva");
    catch_up(&mut watcher, &ledger);
    watcher.save(&ledger).expect_err("it cannot be written");
    drop(watcher);
    for crash in 1..=3 {
        let mut watcher = place.watcher(&ledger).expect("a watcher");
        assert_eq!(watcher.forgot(), None, "crash {crash}");
        append(&ledger, "manual_override", "eva");
        catch_up(&mut watcher, &ledger);
        assert_eq!(alerts(&ledger).len(), 1 + crash);
        watcher.save(&ledger).expect_err("it cannot be written still");
    }
    let mut watcher = place.watcher(&ledger).expect("a watcher");
    catch_up(&mut watcher, &ledger);
    append(&ledger, "note", "eva");
    catch_up(&mut watcher, &ledger);
    watcher.save(&ledger).expect_err("it cannot be written still");
    std::fs::remove_dir(&in_the_way).expect("removed");
    watcher.step(&ledger).expect("it is written now");
    assert_eq!(place.watcher(&ledger).expect("a watcher").forgot(), None);
    assert_eq!(marks(&ledger), 6, "what could not be written is not told again");
}

#[test]
fn a_ledger_in_which_nothing_happens_is_not_made_longer_by_its_rules() {
    let (place, ledger) = Place::with(OVERRIDE);
    for _ in 0..3 {
        let mut watcher = place.watcher(&ledger).expect("a watcher");
        catch_up(&mut watcher, &ledger);
        watcher.save(&ledger).expect("saved");
        ledger.record_act(Draft::builder("ledger.verified", "counterfoil", "ledger")).expect("recorded");
    }
    assert_eq!(marks(&ledger), 1);
}

/// How often the ledger was told how far the rules came.
fn marks(ledger: &Ledger) -> usize {
    ledger.snapshot().newest_acts("rules", &["ledger.watched"], 100).expect("read").len()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("copied")),
        }
    }
}
