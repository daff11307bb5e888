//! A delivering process that is shot again and again, while receivers go away and come back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use counterfoil_sink::{Config, Sinks};
use serde_json::Value;

use crate::doubles::{Gate, HttpSinks, Moto, Rsyslog, Smtp};
use crate::trail::{ORIGIN, Reading, Trail, wait_for};

const ROLE: &str = "COUNTERFOIL_SINK_LEDGER";
const SEED: &str = "COUNTERFOIL_SINK_SEED";
const KILLS: u64 = 30;

/// What the child of the test below does; nothing by itself.
#[test]
fn the_process_that_is_shot() {
    let Some(ledger) = std::env::var_os(ROLE) else { return };
    let path = Path::new(&ledger);
    let config =
        Config::parse(&std::fs::read_to_string(path.with_extension("toml")).expect("a file")).expect("a configuration");
    let _sinks = Sinks::start(&config, &path.join("state/sinks"), Reading(path.to_owned())).expect("sinks");
    loop {
        std::thread::park();
    }
}

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

struct Receivers {
    smtp: Smtp,
    http: HttpSinks,
    moto: Moto,
    rsyslog: Rsyslog,
    gates: Vec<Gate>,
}

impl Receivers {
    fn start() -> Option<Self> {
        let (smtp, http) = (Smtp::start(false)?, HttpSinks::start(&["--fail", "5", "--ack-after", "1"])?);
        let (moto, rsyslog) = (Moto::start()?, Rsyslog::start()?);
        let gates = [smtp.port, http.port, http.port, moto.port, rsyslog.tls_port].map(Gate::new).into();
        Some(Self { smtp, http, moto, rsyslog, gates })
    }

    fn config(&self, folder: &Path) -> String {
        for (name, secret) in [("token", "test-token"), ("key", "test")] {
            std::fs::write(folder.join(name), secret).expect("it is written");
        }
        let [mail, hook, hec, aws, syslog] = [0, 1, 2, 3, 4].map(|at| self.gates[at].port);
        let common = "start = \"beginning\"\nretry_max_s = 1\n";
        let file = |name: &str| format!("{{ file = {:?} }}", folder.join(name).display().to_string());
        format!(
            "[[sink]]\nname = \"mail\"\ntype = \"smtp\"\naddress = \"smtp://127.0.0.1:{mail}\"\ntls = \"none\"\n\
             from = \"ledger@example.com\"\nto = [\"audit@example.com\"]\ngroup_s = 0\n{common}\
             [[sink]]\nname = \"hook\"\ntype = \"webhook\"\naddress = \"http://127.0.0.1:{hook}/hook/x\"\ngroup_s = 1\n{common}\
             [[sink]]\nname = \"siem\"\ntype = \"splunk_hec\"\naddress = \"http://127.0.0.1:{hec}\"\ntoken = {token}\n{common}\
             [[sink]]\nname = \"aws\"\ntype = \"cloudwatch\"\naddress = \"http://127.0.0.1:{aws}\"\nregion = \"eu-central-1\"\n\
             log_group = \"audit\"\nlog_stream = \"main\"\ncreate = true\naccess_key_id = {key}\nsecret_access_key = {key}\n{common}\
             [[sink]]\nname = \"syslog\"\ntype = \"syslog\"\naddress = \"tls://127.0.0.1:{syslog}\"\nca = {ca:?}\n{common}",
            token = file("token"),
            key = file("key"),
            ca = self.rsyslog.ca().display().to_string(),
        )
    }

    /// The alerts that each of them has, as often as it has them.
    fn arrived(&self) -> BTreeMap<&'static str, Vec<u64>> {
        let event = |event: &Value| event["index"].as_u64().expect("an index");
        let mail = |mail: &Value| {
            let text = mail["text"].as_str().expect("a text");
            let (_, place) = text.rsplit_once(&format!("{ORIGIN}#")).expect("its key");
            place.split('-').next().and_then(|index| index.parse().ok()).expect("an index")
        };
        let hooks = self.http.hooks();
        let hooked = hooks.iter().flat_map(|message| message["events"].as_array().expect("a list")).map(event);
        let hec = self.http.received("hec");
        BTreeMap::from([
            ("mail", self.smtp.messages().iter().map(mail).collect()),
            ("hook", hooked.collect()),
            ("siem", hec.iter().map(|one| event(&one["body"]["event"])).collect()),
            ("aws", self.moto.events().iter().map(event).collect()),
            ("syslog", self.rsyslog.messages().iter().map(event).collect()),
        ])
    }
}

#[test]
fn every_alert_arrives_at_every_sink_through_kills_and_outages() {
    let Some(mut receivers) = Receivers::start() else { return };
    let seed =
        std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("{SEED}={seed}");
    let mut random = Random(seed);
    let trail = Trail::new();
    std::fs::write(trail.path().with_extension("toml"), receivers.config(trail.folder.path())).expect("it is written");
    let done = Arc::new(AtomicBool::new(false));
    let raised = std::thread::scope(|scope| {
        let raising = scope.spawn(|| {
            let mut raised = BTreeSet::new();
            while !done.load(Ordering::SeqCst) {
                let number = raised.len();
                raised.insert(trail.raise(
                    &format!("a-{number}"),
                    &format!("rule-{}", number % 3),
                    &format!("actor-{}", number % 5),
                ));
                trail.append("loan_approved", &format!("LN-{number}"));
                std::thread::sleep(Duration::from_millis(40));
            }
            raised
        });
        for _ in 0..KILLS {
            let mut child = Command::new(std::env::current_exe().expect("this test"))
                .args(["--exact", "kills::the_process_that_is_shot", "--nocapture"])
                .env(ROLE, trail.path())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts");
            let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
            let trail = &trail;
            scope.spawn(move || lines.map_while(Result::ok).for_each(|line| trail.record_asked(&line)));
            for gate in &receivers.gates {
                gate.set_open(random.below(3) > 0);
            }
            std::thread::sleep(Duration::from_millis(100 + random.below(1_400)));
            if random.below(6) == 0 {
                receivers.rsyslog.restart();
            }
            child.kill().expect("it can be shot");
            child.wait().expect("it is dead");
        }
        done.store(true, Ordering::SeqCst);
        raising.join().expect("no panic")
    });
    receivers.gates.iter().for_each(|gate| gate.set_open(true));
    let folder = trail.path().with_extension("toml");
    let sinks = trail.sinks(&std::fs::read_to_string(folder).expect("a file"));
    let size = trail.ledger.snapshot().size();
    wait_for("all is delivered", || sinks.status().iter().all(|sink| sink.waiting == 0 && sink.next >= size));
    drop(sinks);
    for (name, arrived) in receivers.arrived() {
        let distinct: BTreeSet<u64> = arrived.iter().copied().collect();
        let missing: Vec<_> = raised.difference(&distinct).collect();
        assert!(missing.is_empty(), "{name}: of {} alerts {missing:?} are missing", raised.len());
        eprintln!("{name}: {} alerts, {} doubled", raised.len(), arrived.len() - distinct.len());
    }
    assert_repeats_are_the_same(&receivers.http.received("hook"));
}

/// A message with the key of another is that message again: a receiver that leaves it out loses nothing.
fn assert_repeats_are_the_same(requests: &[Value]) {
    let mut known = BTreeMap::new();
    for request in requests {
        let key = request["headers"]["webhook-id"].as_str().expect("a key");
        let first = known.entry(key).or_insert(&request["body"]);
        assert_eq!(*first, &request["body"], "{key}");
    }
}
