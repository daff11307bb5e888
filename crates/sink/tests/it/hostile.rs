//! Texts that were made to do harm do none at any receiver.

use serde_json::{Value, json};

use crate::doubles::{Alertmanager, HttpSinks, Moto, Rsyslog, Smtp};
use crate::trail::{ORIGIN, Trail, wait_for};

const HTML: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";
const HEADERS: &str = "urgent\r\nBcc: thief@example.com\r\nX-Evil: 1\r\n\r\nNew body";
const SYSLOG: &str = "x\"] [fake@1 a=\"b\"] \\\" \n<13>1 - evil evil - - - forged";
const CHAT: &str = "<!channel> <https://evil.example|click> @everyone `x` [click](https://evil.example)";
const CONTROL: &str = "bell\u{7} escape\u{1b}[2J \u{202e}desrever \u{2028} nul-like \u{1} end";

fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [HTML, HEADERS, SYSLOG, CHAT, CONTROL].map(str::to_owned).into();
    texts.push("ä".repeat(20_000));
    texts.push("<".repeat(60_000));
    texts.push("\u{1}".repeat(9_000));
    texts
}

fn raise_all(trail: &Trail) -> usize {
    for (number, text) in hostile().iter().enumerate() {
        let short: String = text.chars().take(60).collect();
        let context = json!({
            "rule_id": short, "title": short, "author": short, "references": [short], "tags": [short],
            "level": "high", "indices": [0], "group": [{ "field": short, "value": short }], "why": text,
        });
        trail.raise_with(&format!("a-{number}"), context);
    }
    hostile().len()
}

fn start(name: &str, r#type: &str, rest: &str) -> String {
    format!("[[sink]]\nname = {name:?}\ntype = {type:?}\nstart = \"beginning\"\n{rest}\n")
}

#[test]
fn in_mail() {
    let Some(server) = Smtp::start(false) else { return };
    let trail = Trail::new();
    let count = raise_all(&trail);
    let address = format!("address = \"smtp://127.0.0.1:{}\"\ntls = \"none\"\ngroup_s = 0\n", server.port);
    let people = "from = \"ledger@example.com\"\nto = [\"audit@example.com\"]";
    let sinks = trail.sinks(&start("mail", "smtp", &(address + people)));
    wait_for("all arrive", || server.messages().len() == count);
    for mail in server.messages() {
        assert_eq!(mail["to"], json!(["audit@example.com"]));
        let names: Vec<String> = mail["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|header| header[0].as_str().unwrap().to_lowercase())
            .collect();
        assert!(!names.iter().any(|name| name == "bcc" || name == "x-evil"), "{names:?}");
        let subject = mail["subject"].as_str().expect("a subject");
        assert!(subject.chars().count() <= 150 && !subject.chars().any(char::is_control), "{subject:?}");
        let html = mail["html"].as_str().expect("HTML");
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(mail["raw"].as_str().unwrap().len() < 40_000, "it is cut");
        let text = mail["text"].as_str().expect("text");
        assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\r'), "{text:?}");
        assert!(!text.contains('\u{202e}'));
    }
    drop(sinks);
}

#[test]
fn in_webhooks() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    let count = raise_all(&trail);
    let secret = trail.folder.path().join("secret");
    std::fs::write(&secret, "test-token").expect("it is written");
    let port = server.port;
    let hook = |name: &str, path: &str, template: &str| {
        let address = format!("address = \"http://127.0.0.1:{port}/{path}\"\ntemplate = {template:?}\ngroup_s = 0\n");
        let key =
            if template == "pagerduty" { format!("routing_key = {{ file = {secret:?} }}") } else { String::new() };
        start(name, "webhook", &(address + &key))
    };
    let hec = format!("address = \"http://127.0.0.1:{port}\"\ntoken = {{ file = {secret:?} }}");
    let sinks = trail.sinks(
        &[
            hook("json", "hook/json", "json"),
            hook("teams", "hook/teams", "teams"),
            hook("slack", "services/T0/B0/x", "slack"),
            hook("pager", "v2/enqueue", "pagerduty"),
            start("siem", "splunk_hec", &hec),
        ]
        .concat(),
    );
    wait_for("all arrive", || {
        let of = |kind| server.received(kind).len();
        of("hook") == 2 * count && of("slack") == count && of("pagerduty") == count && of("hec") == count
    });
    for message in server.received("slack") {
        let text = message["body"]["text"].as_str().expect("a text");
        assert!(!text.contains('<'), "no link and no mention: {text}");
        for block in message["body"]["blocks"].as_array().expect("blocks") {
            assert!(block["text"].is_null() || block["text"]["type"] == "plain_text");
            assert!(block["text"]["text"].as_str().unwrap_or_default().chars().count() <= 3_000);
        }
    }
    for message in server.received("pagerduty") {
        assert!(message["body"]["payload"]["summary"].as_str().unwrap().chars().count() <= 1_024);
    }
    let exact = |event: &Value| event["entry"]["context"]["why"].as_str().expect("a text").to_owned();
    let mut indexed: Vec<String> = server.received("hec").iter().map(|one| exact(&one["body"]["event"])).collect();
    let mut wanted = hostile();
    indexed.sort();
    wanted.sort();
    assert!(indexed == wanted, "a SIEM has the entry as it is");
    assert!(sinks.status().iter().all(|sink| sink.dead_letters == 0));
}

#[test]
fn in_syslog() {
    let Some(server) = Rsyslog::start() else { return };
    let trail = Trail::new();
    let count = raise_all(&trail);
    let tls =
        format!("address = \"tls://127.0.0.1:{}\"\nca = {:?}", server.tls_port, server.ca().display().to_string());
    let udp = format!("address = \"udp://127.0.0.1:{}\"", server.port);
    let sinks = trail.sinks(&(start("tls", "syslog", &tls) + &start("udp", "syslog", &udp)));
    wait_for("all arrive", || server.lines().len() >= 2 * count);
    let lines = server.lines();
    assert_eq!(lines.len(), 2 * count, "no line was forged");
    for line in &lines {
        assert_eq!((&line["app"], &line["host"]), (&json!("counterfoil"), &json!(ORIGIN)));
        let data = line["sd"].as_str().expect("structured data");
        assert!(data.starts_with("[counterfoil@32473 ") && data.ends_with(']'), "{data}");
        assert!(!data.replace("\\]", "").replace("\\\"", "").trim_end_matches(']').contains(']'), "{data}");
    }
    let messages = server.messages();
    assert!(messages.iter().all(|message| message["index"].is_u64()), "each is whole JSON");
    assert!(messages.iter().any(|message| message["cut"] == true), "what is too long is told without its entry");
    drop(sinks);
}

#[test]
fn in_alertmanager_and_cloudwatch() {
    let (Some(prometheus), Some(moto)) = (Alertmanager::start(), Moto::start()) else { return };
    let trail = Trail::new();
    let count = raise_all(&trail);
    let key = trail.folder.path().join("key");
    std::fs::write(&key, "test").expect("it is written");
    let alertmanager = format!("address = \"http://127.0.0.1:{}\"", prometheus.port);
    let cloudwatch = format!(
        "address = \"http://127.0.0.1:{}\"\nregion = \"eu-central-1\"\nlog_group = \"audit\"\nlog_stream = \"main\"\n\
         create = true\naccess_key_id = {{ file = {key:?} }}\nsecret_access_key = {{ file = {key:?} }}\nformat = \"ocsf\"",
        moto.port
    );
    let sinks = trail.sinks(&(start("prom", "alertmanager", &alertmanager) + &start("aws", "cloudwatch", &cloudwatch)));
    wait_for("all are active", || prometheus.alerts().len() == count);
    wait_for("all are put", || moto.events().len() == count);
    let desc = |event: &Value| event["finding_info"]["desc"].as_str().expect("a text").to_owned();
    assert_eq!(moto.events().iter().map(desc).collect::<Vec<_>>(), hostile());
    drop(sinks);
}
