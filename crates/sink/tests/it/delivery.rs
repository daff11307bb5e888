//! Outages, refusals, restarts.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use counterfoil::{Clock, CreateOptions, Ledger, OpenOptions, Result, Snapshot};
use counterfoil_entry::{Draft, EntryBuilder};
use counterfoil_sink::{Config, Sinks};
use serde_json::{Value, json};

use crate::doubles::{Gate, HttpSinks, Moto, json_lines};
use crate::trail::{Trail, alert, status, wait_for};

fn hook(name: &str, port: u16) -> String {
    format!(
        "[[sink]]\nname = {name:?}\ntype = \"webhook\"\naddress = \"http://127.0.0.1:{port}/hook/x\"\ngroup_s = 0\n\
         retry_max_s = 1\nstart = \"beginning\"\n"
    )
}

fn ids(messages: &[Value]) -> Vec<String> {
    let id = |message: &Value| message["events"][0]["alert"]["id"].as_str().expect("an id").to_owned();
    messages.iter().map(id).collect()
}

#[test]
fn what_a_receiver_missed_comes_in_order_once_it_is_back() {
    let Some(server) = HttpSinks::start(&["--fail", "3"]) else { return };
    let trail = Trail::new();
    let gate = Gate::new(server.port);
    let sinks = trail.sinks(&hook("hook", gate.port));
    let raised: Vec<String> = (0..20)
        .map(|number| {
            trail.raise(&format!("a-{number}"), "burst", "bob");
            format!("a-{number}")
        })
        .collect();
    wait_for("it is said that the receiver fails", || {
        status(&sinks, "hook").last_error.is_some_and(|error| error.contains("HTTP 503: {\"text\": \"Server is busy\""))
    });
    wait_for("some arrived", || server.hooks().len() > 2);
    gate.set_open(false);
    wait_for("it is said that nobody is there", || status(&sinks, "hook").failing_since.is_some());
    gate.set_open(true);
    wait_for("all arrived", || status(&sinks, "hook").waiting == 0 && status(&sinks, "hook").messages_total == 20);
    let mut arrived = ids(&server.hooks());
    arrived.dedup();
    assert_eq!(arrived, raised);
    wait_for("it is well again", || status(&sinks, "hook").failing_since.is_none());
}

#[test]
fn a_receiver_that_never_answers_holds_up_nobody() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    // It takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let sinks = trail.sinks(&(hook("silent", port) + &hook("hook", server.port)));
    for number in 0..5 {
        trail.raise(&format!("a-{number}"), "burst", "bob");
    }
    wait_for("the other sink has all", || server.hooks().len() == 5);
    assert_eq!(status(&sinks, "silent").messages_total, 0);
    wait_for("it waits for all of them", || status(&sinks, "silent").waiting == 5);
}

#[test]
fn a_message_that_is_refused_for_good_goes_to_the_dead_letters() {
    let Some(server) = HttpSinks::start(&["--poison", "POISON"]) else { return };
    let trail = Trail::new();
    let token = trail.folder.path().join("token");
    std::fs::write(&token, "test-token").expect("it is written");
    let hec = format!(
        "[[sink]]\nname = \"siem\"\ntype = \"splunk_hec\"\naddress = \"http://127.0.0.1:{}\"\ntoken = {{ file = {token:?} }}\n\
         start = \"beginning\"\n",
        server.port
    );
    for number in 0..100 {
        let actor = if number == 41 { "POISON" } else { "bob" };
        trail.raise(&format!("a-{number}"), "burst", actor);
    }
    let sinks = trail.sinks(&(hook("hook", server.port) + &hec));
    wait_for("the others arrived", || server.hooks().len() == 99 && server.received("hec").len() == 99);
    let place = |value: &Value| value["body"]["event"]["index"].as_u64().expect("an index");
    assert!(server.received("hec").iter().map(place).is_sorted(), "in order, though the batch was halved");
    for name in ["hook", "siem"] {
        wait_for("it is counted", || status(&sinks, name).dead_letters == 1);
        wait_for("nothing waits", || status(&sinks, name).waiting == 0);
        let letters = json_lines(&trail.state(&format!("{name}.dead")));
        assert_eq!(letters.len(), 1);
        let entry = trail.ledger.snapshot().entry(letters[0]["indices"][0].as_u64().unwrap()).expect("it is there");
        assert!(String::from_utf8(entry).unwrap().contains("POISON"));
        assert!(letters[0]["reason"].as_str().unwrap().starts_with("HTTP 400"));
    }
    drop(sinks);
    let sinks = trail.sinks(&hook("hook", server.port));
    wait_for("it is still counted after a restart", || status(&sinks, "hook").dead_letters == 1);
}

#[test]
fn dead_letters_go_into_a_file_of_the_sinks_own_and_nowhere_else() {
    let Some(server) = HttpSinks::start(&["--poison", "POISON"]) else { return };
    let trail = Trail::new();
    std::fs::create_dir_all(trail.state("")).expect("a folder");
    let (elsewhere, letters) = (trail.folder.path().join("elsewhere"), trail.state("hook.dead"));
    std::fs::write(&elsewhere, "").expect("a file");
    std::os::unix::fs::symlink(&elsewhere, &letters).expect("a link");
    trail.raise("a-1", "burst", "POISON");
    let sinks = trail.sinks(&hook("hook", server.port));
    let says = |words: &str| status(&sinks, "hook").last_error.is_some_and(|error| error.contains(words));
    wait_for("a link is refused", || says("hook.dead"));
    assert_eq!(std::fs::read(&elsewhere).expect("it is there"), b"", "nothing is written behind a link");
    std::fs::remove_file(&letters).expect("it is gone");
    assert!(std::process::Command::new("mkfifo").arg(&letters).status().expect("mkfifo").success());
    wait_for("a pipe is refused and does not hang", || says("it is no regular file"));
    std::fs::remove_file(&letters).expect("it is gone");
    wait_for("it is kept", || status(&sinks, "hook").dead_letters == 1);
    assert_eq!(json_lines(&letters).len(), 1);
}

/// A ledger that cannot be read any more after a few looks.
#[derive(Clone)]
struct Hanging {
    ledger: Arc<Ledger>,
    looked: Arc<AtomicUsize>,
    never: Arc<Mutex<Receiver<()>>>,
}

impl counterfoil_sink::Trail for Hanging {
    fn snapshot(&self) -> Result<Snapshot> {
        if self.looked.fetch_add(1, Ordering::Relaxed) > 2 {
            let _ = self.never.lock().expect("one thread").recv();
        }
        Ok(self.ledger.snapshot())
    }

    fn record(&self, act: EntryBuilder) -> Result<()> {
        self.ledger.record_act(act).map(drop)
    }
}

#[test]
fn a_sink_that_hangs_is_left_behind_at_the_end() {
    let trail = Trail::new();
    let config = Config::parse(&hook("hook", 1)).expect("a configuration");
    let (hangs, never) = std::sync::mpsc::channel::<()>();
    let never = Arc::new(Mutex::new(never));
    let looked = Arc::new(AtomicUsize::new(0));
    let hanging = Hanging { ledger: trail.ledger.clone(), looked: looked.clone(), never };
    let sinks = Sinks::start(&config, &trail.state(""), hanging).expect("sinks");
    wait_for("it hangs", || looked.load(Ordering::Relaxed) > 3);
    let (ended, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        sinks.close();
        ended.send(()).expect("somebody listens");
    });
    told.recv_timeout(std::time::Duration::from_secs(60)).expect("the end comes all the same");
    drop(hangs);
}

#[test]
fn a_restart_continues_where_it_was() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    for number in 0..30 {
        trail.raise(&format!("a-{number}"), "burst", "bob");
        let sinks = trail.sinks(&hook("hook", server.port));
        wait_for("it arrived", || server.hooks().len() == number + 1);
        drop(sinks);
    }
    let arrived = ids(&server.hooks());
    assert_eq!(arrived, (0..30).map(|number| format!("a-{number}")).collect::<Vec<_>>(), "a clean end doubles nothing");
}

#[test]
fn a_place_beyond_the_ledger_is_said_and_given_up() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    std::fs::create_dir_all(trail.state("")).expect("a folder");
    let parcel = json!({ "key": "", "listed": [90], "bytes": 9, "count": 1, "last": 90, "due_ms": 0 });
    let state = json!({ "next": 100, "gathering": [parcel], "outbox": [] });
    std::fs::write(trail.state("hook.json"), state.to_string()).expect("it is written");
    let sinks = trail.sinks(&hook("hook", server.port));
    wait_for("what is gone is a dead letter", || status(&sinks, "hook").dead_letters == 1);
    trail.raise("a-1", "burst", "bob");
    wait_for("it goes on", || server.hooks().len() == 1);
    std::fs::write(trail.state("other.json"), "{").expect("it is written");
    let other = trail.sinks(&hook("other", server.port));
    wait_for("a file that cannot be read is named", || {
        status(&other, "other")
            .last_error
            .is_some_and(|error| error.contains("other.json") && error.contains("remove it"))
    });
}

#[test]
fn a_member_that_is_missing_never_stops_an_alert() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    let config = hook("hook", server.port) + "alerts = \"critical\"\n";
    let sinks = trail.sinks(&config);
    let oddities = [
        json!({}),
        json!({ "rule_id": 1, "level": 7, "indices": "none", "group": {}, "why": null, "drill": "yes" }),
        json!({ "title": 1, "rule_id": [], "references": {}, "tags": 3, "group": [1, {}], "indices": [-1, "x", 1.5, {}] }),
    ];
    for (number, context) in oddities.into_iter().enumerate() {
        trail.raise_with(&format!("a-{number}"), context);
    }
    trail.record("ledger.alert_resolved", "never raised", None, json!({}));
    wait_for("all arrived", || server.hooks().len() == 4);
    assert_eq!(server.hooks()[0]["level"], "critical");
    let mut drill = alert("burst", "bob");
    (drill["drill"], drill["level"]) = (true.into(), "critical".into());
    trail.raise_with("a-drill", drill);
    wait_for("a drill is marked", || server.hooks().last().is_some_and(|last| last["drill"] == true));
    assert_eq!(server.hooks()[4]["title"], "[DRILL] critical: Rule burst");
    drop(sinks);
}

/// A clock that went by twenty days ago, until it is told to be right.
#[derive(Debug)]
struct LateClock;

impl Clock for LateClock {
    fn now_micros(&self) -> i64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
        let then = now - Duration::from_secs(20 * 24 * 3600);
        i64::try_from(then.as_micros()).expect("in range")
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn what_cloudwatch_finds_too_old_goes_to_the_dead_letters() {
    let Some(server) = Moto::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger");
    let append = |ledger: &Ledger, from: u32| {
        for number in from..from + 3 {
            let draft = Draft::builder("loan_approved", "alice", &format!("LN-{number}")).build().expect("an entry");
            ledger.append(draft).expect("it is recorded");
        }
    };
    let late = OpenOptions { clock: Arc::new(LateClock), ..OpenOptions::default() };
    let options = CreateOptions::new("example.com/old").expect("a valid origin");
    let ledger = Ledger::create(&path, options, late).expect("a ledger");
    append(&ledger, 0);
    ledger.close().expect("it closes");
    let ledger = Arc::new(Ledger::open(&path, OpenOptions::default()).expect("it opens"));
    append(&ledger, 3);
    let key = folder.path().join("key");
    std::fs::write(&key, "test").expect("it is written");
    let config = format!(
        "[[sink]]\nname = \"aws\"\ntype = \"cloudwatch\"\naddress = \"http://127.0.0.1:{}\"\nregion = \"eu-central-1\"\n\
         log_group = \"audit\"\nlog_stream = \"main\"\ncreate = true\naccess_key_id = {{ file = {key:?} }}\n\
         secret_access_key = {{ file = {key:?} }}\nevents = [\"loan_*\"]\nstart = \"beginning\"\n",
        server.port
    );
    let state = path.join("state/sinks");
    let config = Config::parse(&config).expect("a configuration");
    let sinks = Sinks::start(&config, &state, Arc::downgrade(&ledger)).expect("sinks");
    wait_for("the new ones are there", || server.events().len() == 3);
    // moto names the last one refused, AWS the first one that is not: of three, moto seems to refuse two.
    wait_for("the old ones are dead letters", || status(&sinks, "aws").dead_letters >= 2);
    let letters = json_lines(&state.join("aws.dead"));
    assert!(letters[0]["reason"].as_str().unwrap().contains("14 days"), "{}", letters[0]);
}

#[test]
fn an_entry_that_was_tampered_with_does_not_hold_up_the_alert_about_it() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    trail.raise("a-before", "burst", "bob");
    let victim = trail.append("loan_approved", "LN-VICTIM");
    trail.raise("a-after", "burst", "bob");
    let folder = trail.path().join("journal");
    let journal = std::fs::read_dir(folder).expect("a folder").next().expect("a file").expect("a name").path();
    let mut bytes = std::fs::read(&journal).expect("it can be read");
    let at = bytes.windows(9).position(|window| window == b"LN-VICTIM").expect("it is there");
    bytes[at] = b'X';
    std::os::unix::fs::FileExt::write_all_at(
        &std::fs::OpenOptions::new().write(true).open(&journal).expect("it opens"),
        &bytes[at..=at],
        at as u64,
    )
    .expect("it is written");
    let sinks = trail.sinks(&hook("hook", server.port));
    wait_for("both alerts arrive", || ids(&server.hooks()) == ["a-before", "a-after"]);
    wait_for("what was not delivered is kept", || status(&sinks, "hook").dead_letters == 1);
    let letter = &json_lines(&trail.state("hook.dead"))[0];
    assert_eq!(letter["indices"], json!([victim]));
    assert!(letter["reason"].as_str().unwrap().contains("is not the one that was hashed"), "{letter}");
}
