//! Each kind of sink against its receiver.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterfoil_sink::{Config, test};
use serde_json::{Value, json};

use crate::doubles::{Alertmanager, HttpSinks, Moto, Rsyslog, Smtp, json_lines};
use crate::trail::{ORIGIN, Trail, alert, status, wait_for};

/// A file with a secret; the configuration's way to name it.
fn secret(trail: &Trail, name: &str, value: &str) -> String {
    let path = trail.folder.path().join(name);
    std::fs::write(&path, format!("{value}\n")).expect("it is written");
    format!("{{ file = {:?} }}", path.display().to_string())
}

#[test]
fn mail_over_starttls_with_a_password() {
    let Some(server) = Smtp::start(true) else { return };
    let trail = Trail::new();
    let password = secret(&trail, "password", "a password");
    let config = format!(
        "console = \"https://ledger.example.com/\"\n[[sink]]\nname = \"duty\"\ntype = \"smtp\"\n\
         address = \"smtp://127.0.0.1:{}\"\nfrom = \"Counterfoil <ledger@example.com>\"\n\
         to = [\"audit@example.com\", \"risk@example.com\"]\nusername = \"counterfoil\"\npassword = {password}\n\
         ca = {:?}\nalerts = \"medium\"\n",
        server.port,
        server.ca.display().to_string(),
    );
    let sinks = trail.sinks(&config);
    wait_for("the sink is ready", || status(&sinks, "duty").next == trail.ledger.snapshot().size());
    let cause = trail.append("loan_approved", "LN-7");
    let mut quiet = alert("quiet", "bob");
    quiet["level"] = "low".into();
    trail.raise_with("a-0", quiet);
    let mut loud = alert("four-eyes", "bob");
    loud["indices"] = json!([cause]);
    trail.raise_with("a-1", loud);
    wait_for("the mail arrives", || !server.messages().is_empty());
    let mail = &server.messages()[0];
    assert_eq!(mail["subject"], "high: Rule four-eyes");
    assert_eq!(mail["to"], json!(["audit@example.com", "risk@example.com"]));
    assert_eq!(mail["tls"], true);
    let link = format!("https://ledger.example.com/trail?entry={cause}");
    for part in ["text", "html"] {
        let text = mail[part].as_str().expect("both parts");
        assert!(text.contains("Rule four-eyes: because of bob") && text.contains(&link), "{part}: {text}");
    }
    let answer = status(&sinks, "duty").last_answer.expect("an answer");
    assert!(answer.starts_with("250"), "{answer}");
    drop(sinks);
    assert_eq!(server.messages().len(), 1, "the alert of level low stays away");
}

#[test]
fn mail_over_tls_and_whom_not_to_trust() {
    let Some(server) = Smtp::start_implicit() else { return };
    let trail = Trail::new();
    let password = secret(&trail, "password", "a password");
    let sink = |name: &str, ca: &str| {
        format!(
            "[[sink]]\nname = {name:?}\ntype = \"smtp\"\naddress = \"smtps://localhost:{}\"\nfrom = \"ledger@example.com\"\n\
             to = [\"audit@example.com\"]\nusername = \"counterfoil\"\npassword = {password}\n{ca}start = \"beginning\"\n",
            server.port,
        )
    };
    let ca = format!("ca = {:?}\n", server.ca.display().to_string());
    trail.raise("a-1", "four-eyes", "bob");
    let sinks = trail.sinks(&(sink("trusting", &ca) + &sink("strict", "")));
    wait_for("the mail arrives", || server.messages().len() == 1);
    wait_for("a certificate of nobody known is refused", || {
        status(&sinks, "strict").last_error.is_some_and(|error| error.contains("certificate"))
    });
}

#[test]
fn a_wrong_password_waits_for_the_right_one() {
    let Some(server) = Smtp::start(true) else { return };
    let trail = Trail::new();
    let password = secret(&trail, "password", "wrong");
    let config = format!(
        "[[sink]]\nname = \"duty\"\ntype = \"smtp\"\naddress = \"smtp://127.0.0.1:{}\"\nfrom = \"ledger@example.com\"\n\
         to = [\"audit@example.com\"]\nusername = \"counterfoil\"\npassword = {password}\nca = {:?}\n\
         retry_max_s = 1\nstart = \"beginning\"\n",
        server.port,
        server.ca.display().to_string(),
    );
    trail.raise("a-1", "four-eyes", "bob");
    let sinks = trail.sinks(&config);
    wait_for("it fails", || status(&sinks, "duty").last_error.is_some());
    let error = status(&sinks, "duty").last_error.expect("it was there");
    assert!(error.contains("535") && error.contains("look at username"), "{error}");
    assert_eq!(status(&sinks, "duty").waiting, 1);
    secret(&trail, "password", "a password");
    wait_for("the mail arrives", || server.messages().len() == 1);
    wait_for("it is well", || status(&sinks, "duty").failing_since.is_none());
}

#[test]
fn a_webhook_is_signed() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    let key = b"0123456789abcdef0123456789abcdef";
    let signing = secret(&trail, "signing", &format!("whsec_{}", BASE64.encode(key)));
    let config = format!(
        "[[sink]]\nname = \"hook\"\ntype = \"webhook\"\naddress = \"http://127.0.0.1:{}/hook/x\"\n\
         signing_secret = {signing}\nstart = \"beginning\"\n",
        server.port
    );
    let index = trail.raise("a-1", "four-eyes", "bob");
    let sinks = trail.sinks(&config);
    wait_for("it arrives", || server.received("hook").len() == 1);
    let request = &server.received("hook")[0];
    let header = |name: &str| request["headers"][name].as_str().expect("the header is there").to_owned();
    let signed =
        format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), request["body"].as_str().unwrap());
    let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), signed.as_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{}", BASE64.encode(tag)));
    assert_eq!(header("webhook-id"), format!("{ORIGIN}#{index}-{index}"));
    let body = &server.hooks()[0];
    assert_eq!(
        (&body["count"], &body["level"], &body["events"][0]["alert"]["id"]),
        (&json!(1), &json!("high"), &json!("a-1"))
    );
    assert_eq!(body["events"][0]["entry"]["event_type"], "ledger.alert_raised");
    drop(sinks);
}

#[test]
fn slack_and_pagerduty_take_their_forms() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    let routing = secret(&trail, "routing", "R0UT1NG");
    let slack = secret(&trail, "slack", &format!("http://127.0.0.1:{}/services/T0/B0/x", server.port));
    let config = format!(
        "console = \"https://ledger.example.com\"\n\
         [[sink]]\nname = \"chat\"\ntype = \"webhook\"\ntemplate = \"slack\"\naddress = {slack}\nstart = \"beginning\"\ngroup_s = 0\n\
         [[sink]]\nname = \"pager\"\ntype = \"webhook\"\ntemplate = \"pagerduty\"\nrouting_key = {routing}\n\
         address = \"http://127.0.0.1:{port}/v2/enqueue\"\nstart = \"beginning\"\n\
         [[sink]]\nname = \"teams\"\ntype = \"webhook\"\ntemplate = \"teams\"\naddress = \"http://127.0.0.1:{port}/hook/teams\"\n\
         start = \"beginning\"\n",
        port = server.port
    );
    trail.raise("a-1", "four-eyes", "bob");
    trail.record("ledger.alert_acknowledged", "a-1", Some("seen"), json!({}));
    trail.record("ledger.alert_resolved", "a-1", Some("bob was wrong"), json!({}));
    let sinks = trail.sinks(&config);
    wait_for("PagerDuty has all", || server.received("pagerduty").len() == 3);
    let events: Vec<Value> = server.received("pagerduty").iter().map(|one| one["body"].clone()).collect();
    let field = |name: &str| events.iter().map(|event| event[name].clone()).collect::<Vec<_>>();
    assert_eq!(field("event_action"), ["trigger", "acknowledge", "resolve"]);
    assert_eq!(field("dedup_key"), ["a-1", "a-1", "a-1"]);
    assert_eq!(events[0]["payload"]["severity"], "error");
    wait_for("Slack has all", || server.received("slack").len() == 3);
    let resolved = server.received("slack")[2]["body"].to_string();
    assert!(resolved.contains("resolved: Rule four-eyes") && resolved.contains("bob was wrong"), "{resolved}");
    wait_for("Teams has the alert", || !server.received("hook").is_empty());
    assert_eq!(server.hooks()[0]["attachments"][0]["content"]["type"], "AdaptiveCard");
    assert_eq!(status(&sinks, "chat").address, "(secret)");
}

/// Entries that are no alerts too, and nobody gets up for it.
#[test]
fn all_that_a_drill_sends_says_so_to_every_receiver() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let Some(prom) = Alertmanager::start() else { return };
    let trail = Trail::new();
    let (routing, token) = (secret(&trail, "routing", "R0UT1NG"), secret(&trail, "token", "test-token"));
    let config = format!(
        "[[sink]]\nname = \"pager\"\ntype = \"webhook\"\ntemplate = \"pagerduty\"\nrouting_key = {routing}\n\
         address = \"http://127.0.0.1:{port}/v2/enqueue\"\nstart = \"beginning\"\n\
         [[sink]]\nname = \"plain\"\ntype = \"webhook\"\naddress = \"http://127.0.0.1:{port}/hook/plain\"\nstart = \"beginning\"\n\
         alerts = \"low\"\nevents = [\"loan_*\"]\n\
         [[sink]]\nname = \"siem\"\ntype = \"splunk_hec\"\naddress = \"http://127.0.0.1:{port}\"\ntoken = {token}\nack = false\n\
         format = \"ocsf\"\nstart = \"beginning\"\nevents = [\"loan_*\"]\n\
         [[sink]]\nname = \"prom\"\ntype = \"alertmanager\"\naddress = \"http://127.0.0.1:{}\"\nstart = \"beginning\"\n",
        prom.port,
        port = server.port
    );
    trail.append("loan_approved", "LN-1");
    trail.raise("a-1", "four-eyes", "bob");
    trail.raise("a-2", "four-eyes", "bob");
    let _sinks = trail.drill(&config);
    wait_for("PagerDuty has it", || !server.received("pagerduty").is_empty());
    let page = server.received("pagerduty")[0]["body"].clone();
    assert_eq!(page["payload"]["severity"], "info", "{page}");
    assert!(page["payload"]["summary"].as_str().expect("a text").starts_with("[DRILL] high: Rule four-eyes"), "{page}");
    wait_for("the webhook has both", || server.hooks().len() == 2);
    for hook in server.hooks() {
        assert!(hook["title"].as_str().expect("a text").starts_with("[DRILL] ") && hook["drill"] == true, "{hook}");
        assert!(hook["events"].as_array().expect("a list").iter().all(|event| event["drill"] == true), "{hook}");
    }
    wait_for("Splunk has it", || !server.received("hec").is_empty());
    assert_eq!(server.received("hec")[0]["body"]["event"]["unmapped"]["drill"], true);
    wait_for("Alertmanager has both", || prom.alerts().len() == 2);
    assert!(prom.alerts().iter().all(|alert| alert["labels"]["drill"] == "true"));
}

#[test]
fn splunk_has_an_event_when_it_is_indexed() {
    let Some(server) = HttpSinks::start(&["--ack-after", "4"]) else { return };
    let trail = Trail::new();
    let token = secret(&trail, "token", "test-token");
    let config = format!(
        "[[sink]]\nname = \"siem\"\ntype = \"splunk_hec\"\naddress = \"http://127.0.0.1:{port}\"\ntoken = {token}\n\
         events = [\"loan_*\", \"ledger.verified\"]\nstart = \"beginning\"\n\
         [[sink]]\nname = \"plain\"\ntype = \"splunk_hec\"\naddress = \"http://127.0.0.1:{port}\"\ntoken = {token}\nack = false\n\
         format = \"ocsf\"\nstart = \"beginning\"\n",
        port = server.port
    );
    for number in 0..1_200 {
        trail.append(if number % 2 == 0 { "loan_approved" } else { "invoice_paid" }, &format!("LN-{number}"));
    }
    let checkpoint = trail.ledger.checkpoint().to_string();
    let verified =
        json!({"of": "ledger", "extent": "whole", "verified": true, "findings_total": 0, "checkpoint": checkpoint});
    trail.record("ledger.verified", ORIGIN, None, verified);
    trail.raise("a-1", "four-eyes", "bob");
    let sinks = trail.sinks(&config);
    wait_for("Splunk has indexed something", || !server.received("hec").is_empty());
    wait_for("Splunk has all", || server.received("hec").len() == 603);
    let events: Vec<Value> = server.received("hec").iter().map(|one| one["body"].clone()).collect();
    let (ocsf, entries): (Vec<_>, Vec<_>) =
        events.into_iter().partition(|event| event["sourcetype"] == "counterfoil:ocsf");
    let indices: Vec<u64> = entries.iter().map(|event| event["event"]["index"].as_u64().unwrap()).collect();
    assert!(indices.is_sorted(), "in order");
    assert!(entries[600]["event"]["entry"]["context"]["checkpoint"].as_str().unwrap().starts_with(ORIGIN));
    let [verification, alert] = ocsf.as_slice() else { panic!("one finding for each: {ocsf:?}") };
    let verification = &verification["event"];
    assert_eq!((&verification["class_uid"], &verification["type_uid"]), (&json!(2003), &json!(200_301)));
    assert_eq!(verification["compliance"]["status"], "Pass");
    assert_eq!(verification["unmapped"]["checkpoint"], json!(checkpoint));
    let finding = &alert["event"];
    assert_eq!(
        (&finding["class_uid"], &finding["type_uid"], &finding["severity_id"]),
        (&json!(2004), &json!(200401), &json!(4))
    );
    assert_eq!(finding["metadata"]["version"], "1.9.0");
    assert_eq!(finding["finding_info"]["uid"], "a-1");
    wait_for("the place is behind them", || status(&sinks, "siem").waiting == 0);
    assert!(status(&sinks, "siem").last_answer.unwrap().ends_with("indexed"));
}

#[test]
fn cloudwatch_has_every_entry_in_order() {
    let Some(server) = Moto::start() else { return };
    let trail = Trail::new();
    let key = secret(&trail, "key", "test");
    let config = format!(
        "[[sink]]\nname = \"aws\"\ntype = \"cloudwatch\"\naddress = \"http://127.0.0.1:{}\"\nregion = \"eu-central-1\"\n\
         log_group = \"audit\"\nlog_stream = \"main\"\ncreate = true\naccess_key_id = {key}\nsecret_access_key = {key}\n\
         events = [\"loan_*\"]\nalerts = \"informational\"\nstart = \"beginning\"\n",
        server.port
    );
    for number in 0..700 {
        trail.append("loan_approved", &format!("LN-{number}"));
    }
    trail.raise("a-1", "four-eyes", "bob");
    let sinks = trail.sinks(&config);
    wait_for("all are put", || status(&sinks, "aws").entries_total == 701);
    let events = server.events();
    let indices: Vec<u64> = events.iter().map(|event| event["index"].as_u64().unwrap()).collect();
    assert_eq!(indices.len(), 701);
    assert!(indices.is_sorted());
    assert_eq!(events[700]["alert"]["id"], "a-1");
}

#[test]
fn syslog_over_tls_tcp_and_udp() {
    let Some(server) = Rsyslog::start() else { return };
    let trail = Trail::new();
    let ca = server.ca().display().to_string();
    let config = format!(
        "[[sink]]\nname = \"tls\"\ntype = \"syslog\"\naddress = \"tls://127.0.0.1:{}\"\nca = {ca:?}\nstart = \"beginning\"\n\
         [[sink]]\nname = \"tcp\"\ntype = \"syslog\"\naddress = \"tcp://127.0.0.1:{port}\"\nfacility = 16\nstart = \"beginning\"\n\
         [[sink]]\nname = \"udp\"\ntype = \"syslog\"\naddress = \"udp://127.0.0.1:{port}\"\nfacility = 17\nformat = \"ocsf\"\n\
         start = \"beginning\"\n",
        server.tls_port,
        port = server.port
    );
    let index = trail.raise("a-1", "four-eyes", "bob");
    let sinks = trail.sinks(&config);
    wait_for("all three arrive", || server.lines().len() == 3);
    let of = |pri: &str| server.lines().into_iter().find(|line| line["pri"] == pri).expect("a line of that priority");
    let line = of("107");
    assert_eq!(
        (&line["host"], &line["app"], &line["msgid"]),
        (&json!(ORIGIN), &json!("counterfoil"), &json!("alert_raised"))
    );
    let data = line["sd"].as_str().unwrap();
    assert!(data.contains(&format!("index=\"{index}\"")) && data.contains("rule=\"four-eyes\""), "{data}");
    assert_eq!(of("131")["msgid"], "alert_raised");
    let ocsf: Value = serde_json::from_str(of("139")["msg"].as_str().unwrap().trim()).expect("JSON");
    assert_eq!(ocsf["class_uid"], 2004);
    assert_eq!(status(&sinks, "tls").last_answer.as_deref(), Some("read to the end by the receiver"));
}

#[test]
fn alertmanager_is_told_of_the_end_too() {
    let Some(server) = Alertmanager::start() else { return };
    let trail = Trail::new();
    let config = format!(
        "[[sink]]\nname = \"prom\"\ntype = \"alertmanager\"\naddress = \"http://127.0.0.1:{}\"\nstart = \"beginning\"\n",
        server.port
    );
    trail.raise("a-1", "four-eyes", "bob");
    trail.raise("a-2", "four-eyes", "eve");
    let sinks = trail.sinks(&config);
    wait_for("both are active", || server.alerts().len() == 2);
    let one = server.alerts().into_iter().find(|alert| alert["labels"]["alert"] == "a-1").expect("it is there");
    assert_eq!((&one["labels"]["alertname"], &one["labels"]["group_actor"]), (&json!("Rule four-eyes"), &json!("bob")));
    trail.record("ledger.alert_resolved", "a-1", Some("done"), json!({}));
    wait_for("one is over", || server.alerts().len() == 1);
    assert_eq!(server.alerts()[0]["labels"]["alert"], "a-2");
    drop(sinks);
}

#[test]
fn a_file_takes_lines() {
    let trail = Trail::new();
    let path = trail.folder.path().join("out.jsonl");
    let config = format!(
        "[[sink]]\nname = \"file\"\ntype = \"file\"\naddress = {:?}\nevents = [\"loan_approved\"]\n",
        path.display().to_string()
    );
    trail.append("loan_approved", "LN-1");
    let sinks = trail.sinks(&config);
    wait_for("the sink is ready", || status(&sinks, "file").next == trail.ledger.snapshot().size());
    let index = trail.append("loan_approved", "LN-2");
    wait_for("it is written", || !json_lines(&path).is_empty());
    assert_eq!(json_lines(&path)[0]["index"], index, "a new sink begins with what comes");
    assert_eq!(json_lines(&path)[0]["entry"]["entity_id"], "LN-2");
}

#[test]
fn a_test_message_says_what_the_receiver_said() {
    let Some(server) = HttpSinks::start(&[]) else { return };
    let trail = Trail::new();
    let (right, wrong) = (secret(&trail, "right", "test-token"), secret(&trail, "wrong", "another"));
    let sink = |name: &str, token: &str| {
        format!(
            "[[sink]]\nname = {name:?}\ntype = \"splunk_hec\"\naddress = \"http://127.0.0.1:{}\"\ntoken = {token}\n",
            server.port
        )
    };
    let config = Config::parse(&(sink("right", &right) + &sink("wrong", &wrong))).expect("a configuration");
    let snapshot = trail.ledger.snapshot();
    let said = test(&config, "right", &snapshot).expect("it is taken");
    assert!(said.contains("HTTP 200") && said.contains("indexed"), "{said}");
    assert_eq!(server.received("hec")[0]["body"]["event"]["test"], true);
    let said = test(&config, "wrong", &snapshot).expect_err("it is refused").message;
    assert!(said.contains("HTTP 403") && said.contains("Invalid token") && said.contains("credentials"), "{said}");
    assert!(!said.contains("another"), "no secret is shown: {said}");
    assert!(!trail.state("right.json").exists(), "the place is left alone");
}
