//! A storm of alerts is few messages, and nothing of it is lost.

use serde_json::{Value, json};

use crate::doubles::{HttpSinks, Smtp, json_lines};
use crate::trail::{Trail, status, wait_for};

const STORM: usize = 10_000;

fn hook(server: &HttpSinks, group_s: u64) -> String {
    format!(
        "[[sink]]\nname = \"hook\"\ntype = \"webhook\"\naddress = \"http://127.0.0.1:{}/hook/x\"\ngroup_s = {group_s}\n\
         start = \"beginning\"\n",
        server.port
    )
}

fn counts(messages: &[Value]) -> u64 {
    messages.iter().map(|message| message["count"].as_u64().expect("a count")).sum()
}

#[test]
fn ten_thousand_alerts_of_one_rule_are_few_messages_with_the_right_count() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    let sinks = trail.sinks(&hook(&server, 2));
    let storm: Vec<u64> = (0..STORM).map(|number| trail.raise(&format!("a-{number}"), "burst", "bob")).collect();
    wait_for("all arrived", || status(&sinks, "hook").entries_total == STORM as u64);
    let messages = server.hooks();
    assert_eq!(counts(&messages), STORM as u64);
    assert!(messages.len() < 40, "{} messages", messages.len());
    eprintln!("{STORM} alerts: {} messages", messages.len());
    assert_eq!(messages[0]["first_index"], storm[0]);
    assert_eq!(messages.last().expect("some")["last_index"], storm[STORM - 1]);
    for pair in messages.windows(2) {
        assert!(pair[0]["last_index"].as_u64() < pair[1]["first_index"].as_u64(), "each alert is in one message");
    }
    let largest = messages.iter().max_by_key(|message| message["count"].as_u64()).expect("some");
    assert!(largest["events"].as_array().expect("a list").len() <= 100);
    let title = largest["title"].as_str().expect("a text");
    assert!(title.ends_with(&format!("({} times)", largest["count"])), "{title}");
}

#[test]
fn alerts_that_have_nothing_in_common_do_not_become_a_flood() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    for number in 0..2_000 {
        trail.raise(&format!("a-{number}"), "burst", &format!("actor-{number}"));
    }
    let sinks = trail.sinks(&hook(&server, 60));
    wait_for("all arrived", || status(&sinks, "hook").entries_total == 2_000);
    let messages = server.hooks();
    assert_eq!(counts(&messages), 2_000);
    assert!(messages.len() <= 51, "{} messages", messages.len());
}

#[test]
fn checkpoints_go_by_mail_once_a_day_and_to_machines_each_time() {
    let Some(server) = Smtp::start(false) else { return };
    let trail = Trail::new();
    let file = trail.folder.path().join("log.jsonl");
    let config = format!(
        "[[sink]]\nname = \"duty\"\ntype = \"smtp\"\naddress = \"smtp://127.0.0.1:{}\"\ntls = \"none\"\n\
         from = \"ledger@example.com\"\nto = [\"audit@example.com\"]\ngroup_s = 0\nstart = \"beginning\"\n\
         [[sink]]\nname = \"log\"\ntype = \"file\"\naddress = {:?}\nstart = \"beginning\"\n\
         [[sink]]\nname = \"app\"\ntype = \"file\"\naddress = {:?}\nstart = \"beginning\"\nevents = [\"loan_*\"]\n",
        server.port,
        file.display().to_string(),
        trail.folder.path().join("app.jsonl").display().to_string(),
    );
    let verified = |size: u64| {
        let note = format!("example.com/sinks\n{size}\nrootroot\n\n\u{2014} example.com/sinks signature\n");
        trail.record("ledger.verified", "example.com/sinks", None, json!({"verified": true, "checkpoint": note}))
    };
    verified(7);
    trail.record("ledger.verified", "example.com/sinks", None, json!({"verified": false, "findings_total": 1}));
    let sinks = trail.sinks(&config);
    wait_for("the first mail", || server.messages().len() == 1);
    let mail = &server.messages()[0];
    assert_eq!(mail["subject"], "Checkpoint of example.com/sinks");
    for part in ["text", "html"] {
        let text = mail[part].as_str().expect("both parts").replace('\r', "");
        assert!(text.contains("example.com/sinks\n7\nrootroot"), "{part}: {text}");
    }
    for size in 8..12 {
        verified(size);
    }
    trail.raise("a-1", "four-eyes", "bob");
    wait_for("the alert", || server.messages().len() == 2);
    wait_for("the checkpoints", || json_lines(&file).len() == 6);
    assert_eq!(server.messages()[1]["subject"], "high: Rule four-eyes", "the other checkpoints wait for the next day");
    wait_for("the others wait", || status(&sinks, "duty").waiting == 4);
    assert!(!trail.folder.path().join("app.jsonl").exists(), "who asks for events alone gets no checkpoints");
}
