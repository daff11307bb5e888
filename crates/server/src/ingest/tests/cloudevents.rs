use super::*;
use crate::ingest::cloudevents::{batch, binary, split, structured};

const REQUIRED: &str = r#""specversion":"1.0","id":"7","source":"/erp","type":"invoice_paid""#;

fn event(members: &str) -> Result<Draft, Refused> {
    structured(format!("{{{REQUIRED}{members}}}").as_bytes())
}

const HEADERS: [(&str, &str); 4] =
    [("ce-specversion", "1.0"), ("CE-Id", "7"), ("ce-source", "/erp"), ("ce-type", "invoice_paid")];

fn with<'h>(more: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h str)> {
    HEADERS.iter().chain(more).copied().collect()
}

#[test]
fn the_least_event_is_an_entry() {
    let wanted = r#"{"actor":"/erp","context":{"cloudevent":{"id":"7","source":"/erp"}},"entity_id":"/erp","event_type":"invoice_paid","id":"/erp 7"}"#;
    assert_eq!(text(event("")), wanted);
    assert_eq!(text(binary(with(&[("content-length", "0"), ("x-ce-id", "no")]), b"", None)), wanted);
}

#[test]
fn attributes_become_members_and_extensions_stay() {
    let members = r#","subject":"INV-1","time":"2026-11-24T12:00:00+02:00","authtype":"api_key","authid":"svc-ap",
        "traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","partition":5,"final":true,"gone":null,
        "dataschema":"https://example.com/s","data":{"id":"x","amount":12345678901234567890123}"#;
    let wanted = concat!(
        r#"{"actor":"svc-ap","actor_type":"service","context":{"cloudevent":{"dataschema":"https://example.com/s","#,
        r#""extensions":{"authid":"svc-ap","authtype":"api_key","final":true,"partition":5,"#,
        r#""traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},"id":"7","source":"/erp","#,
        r#""time":"2026-11-24T12:00:00+02:00"},"#,
        r#""data":{"amount":12345678901234567890123,"id":"x"}},"entity_id":"INV-1","event_type":"invoice_paid","id":"/erp 7","#,
        r#""timestamp":"2026-11-24T10:00:00Z","trace_id":"0af7651916cd43dd8448eb211c80319c"}"#,
    );
    assert_eq!(text(event(members)), wanted.replace(r#","time":"2026-11-24T12:00:00+02:00""#, ""));
}

#[test]
fn event_fields_in_the_data_become_members() {
    let data = r#","subject":"INV-1","data":{"event_type":"manual_override","actor":"mlopez","actor_type":"user","entity_id":"INV-2",
        "old_value":null,"new_value":{"b":1.0},"outcome":"denied","reason":"limit","timestamp":"2026-01-01T00:00:00Z",
        "source":"erp-1","sequence":4,"context":{"model_version":"m-1"},"id":"kept","amount":1}"#;
    let wanted = concat!(
        r#"{"actor":"mlopez","actor_type":"user","context":{"cloudevent":{"id":"7","source":"/erp","subject":"INV-1","type":"invoice_paid"},"#,
        r#""data":{"amount":1,"id":"kept"},"model_version":"m-1"},"entity_id":"INV-2","event_type":"manual_override","id":"/erp 7","#,
        r#""new_value":{"b":1},"old_value":null,"outcome":"denied","reason":"limit","sequence":4,"source":"erp-1","timestamp":"2026-01-01T00:00:00Z"}"#,
    );
    assert_eq!(text(event(data)), wanted);
    let other = text(event(r#","data":{"actor":{"login":"x"},"reason":5,"source":"web"}"#));
    assert!(other.contains(r#""data":{"actor":{"login":"x"},"reason":5,"source":"web"}"#), "{other}");
    let taken = problem(event(r#","data":{"actor":"a","context":{"cloudevent":1}}"#));
    assert_eq!(taken, "context.cloudevent: the mapping writes this member itself; choose another name");
    assert!(problem(event(r#","data":{"actor":"a","actor_type":"robot"}"#)).starts_with("actor_type: "));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for name in ["specversion", "id", "source", "type"] {
        let absent = format!("{{{REQUIRED}}}").replace(&format!("\"{name}\""), "\"other\"");
        assert_eq!(problem(structured(absent.as_bytes())), format!("{name}: missing; every CloudEvent needs it"));
    }
    let cases = [
        (r#","subject":"""#, "subject: empty"),
        (r#","time":"yesterday""#, "time: is not an RFC 3339 timestamp"),
        (r#","time":5"#, "time: must be a text"),
        (r#","ext":{"a":1}"#, "ext: an attribute must be a text"),
        (r#","data":1,"data_base64":"AA==""#, "data and data_base64 stand side by side"),
        (r#","data_base64":"A""#, "data_base64: must be a text in base64"),
        (r#","data":1,"data":2"#, "data: stands twice"),
        (r#","data":1e400"#, "data: the number 1e400 is too large"),
        (r#","datacontenttype":"application/json","data_base64":"ew==""#, "data: not JSON"),
    ];
    for (members, wanted) in cases {
        let problem = problem(event(members));
        assert!(problem.starts_with(wanted), "{problem}");
    }
    let old = format!("{{{REQUIRED}}}").replace("1.0", "0.3");
    assert_eq!(problem(structured(old.as_bytes())), "specversion: 0.3 is not supported; send 1.0");
    for body in ["[]", "1", "", "{", "\u{feff}{}"] {
        assert!(structured(body.as_bytes()).is_err(), "{body}");
    }
    let deep = event(&format!(r#","data":{}{}"#, "[".repeat(100_000), "]".repeat(100_000)));
    assert!(problem(deep).contains("nested deeper than 64 levels"));
}

#[test]
fn a_null_as_data_is_data() {
    assert!(text(event(r#","data":null"#)).contains(r#""data":null}"#));
}

#[test]
fn types_and_ids_are_made_to_fit() {
    let own = format!("{{{REQUIRED}}}").replace("invoice_paid", "ledger.sealed");
    let own = text(structured(own.as_bytes()));
    assert!(
        own.contains(r#""event_type":"cloudevents.ledger.sealed""#) && own.contains(r#""type":"ledger.sealed""#),
        "{own}"
    );
    let long = "t".repeat(300);
    let cut = text(structured(format!("{{{REQUIRED}}}").replace("invoice_paid", &long).as_bytes()));
    assert!(cut.contains(r#""mapping_notes":["event_type: cut from 300 bytes"]"#) && cut.contains(&long), "{cut}");
    let id = |source: &str, id: &str| {
        let event = format!(r#"{{"specversion":"1.0","id":"{id}","source":"{source}","type":"t"}}"#);
        structured(event.as_bytes()).unwrap().id().unwrap().into_owned()
    };
    assert_eq!(id("s", &"i".repeat(62)), format!("s {}", "i".repeat(62)));
    let digests = [id("s", &"i".repeat(63)), id("a b", "c"), id("a", "b c"), id("a b c", "d"), id("a b", "c d")];
    assert_eq!(digests[2], "a b c");
    for digest in [&digests[0], &digests[1], &digests[3], &digests[4]] {
        assert!(digest.starts_with("ce:") && digest.len() == 51, "{digest}");
    }
    assert_ne!(digests[3], digests[4]);
    assert_ne!(id("a b", "cd"), id("a bc", "d"));
}

#[test]
fn only_a_valid_traceparent_names_the_trace() {
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let named = |parent: &str| text(event(&format!(r#","traceparent":"{parent}""#))).contains("\"trace_id\"");
    assert!(named(&format!("00-{trace}-b7ad6b7169203331-01")));
    assert!(named(&format!("cc-{trace}-b7ad6b7169203331-01-later")));
    for parent in [
        format!("ff-{trace}-b7ad6b7169203331-01"),
        format!("00-{}-b7ad6b7169203331-01", &trace[1..]),
        format!("00-{}-b7ad6b7169203331-01", trace.to_uppercase()),
        format!("00-{}-b7ad6b7169203331-01", "0".repeat(32)),
        trace.to_owned(),
    ] {
        assert!(!named(&parent), "{parent}");
    }
}

#[test]
fn header_values_are_decoded_once() {
    let decoded = |value: &str| {
        let draft = binary(with(&[("ce-subject", value)]), b"", None)?;
        Ok::<_, Refused>(draft.entity_id().into_owned())
    };
    assert_eq!(decoded("Euro%20%E2%82%AC%20%f0%9f%98%80").unwrap(), "Euro € 😀");
    assert_eq!(decoded(r#""a \"b\" c""#).unwrap(), "a \"b\" c");
    assert_eq!(decoded("%2525").unwrap(), "%25");
    assert_eq!(decoded("50% off%").unwrap(), "50% off%");
    assert_eq!(decoded("%C0%A0").unwrap_err().problem, "ce-subject: not UTF-8 once percent-decoded");
    let twice = binary(with(&[("ce-id", "8")]), b"", None);
    assert_eq!(problem(twice), "ce-id: the header stands twice; send it once");
    let typed = binary(with(&[("ce-datacontenttype", "text/plain")]), b"x", None);
    assert!(problem(typed).starts_with("ce-datacontenttype: not allowed"));
}

#[test]
fn data_is_read_as_its_media_type_says() {
    let data = |body: &[u8], media_type| text(binary(HEADERS, body, media_type));
    assert!(data(b"{\"a\": 1.0}", Some("application/vnd.x+json; charset=utf-8")).contains(r#""data":{"a":1}"#));
    assert!(data(b"[1]", None).contains(r#""data":[1]"#));
    assert!(data(b"plain", None).contains(r#""data":"plain""#));
    assert!(data(b"[1]", Some("text/plain")).contains(r#""data":"[1]""#));
    assert!(data(b"\xff", Some("text/plain")).contains(r#""data_base64":"/w==""#));
    assert!(data(b"[1]", Some("application/avro")).contains(r#""data_base64":"WzFd""#));
    assert!(problem(binary(HEADERS, b"{", Some("application/json"))).starts_with("data: not JSON"));
    let encoded = text(event(r#","datacontenttype":"application/json","data_base64":"eyJhIjoxfQ==""#));
    assert!(encoded.contains(r#""data":{"a":1}"#), "{encoded}");
    assert!(text(event(r#","data_base64":"/w==""#)).contains(r#""data_base64":"/w==""#));
}

#[test]
fn a_batch_answers_for_each_event() {
    let body = format!("[{{{REQUIRED}}},{{}},{{{REQUIRED},\"x\":1,\"x\":2}},{{{REQUIRED}}}]");
    let results: Vec<_> = batch(&split(body.as_bytes()).unwrap()).collect();
    assert_eq!(results.len(), 4);
    assert!(results[0].is_ok() && results[3].is_ok());
    let refused: Vec<_> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    assert_eq!(refused.iter().map(|refused| refused.position).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(refused[0].problem, "specversion: missing; every CloudEvent needs it");
    assert!(split(b"[]").unwrap().is_empty());
    for body in ["{}", "[", "[{}", "[1,]"] {
        assert!(split(body.as_bytes()).unwrap_err().0.starts_with("not a JSON array of events: "));
    }
}
