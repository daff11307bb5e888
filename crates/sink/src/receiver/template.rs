//! A message in the forms that chat and paging services take.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::alert::Change;
use crate::filter::Level;
use crate::message::{MAX_SENTENCE, Message};
use crate::text;

/// The whole message for programs.
#[derive(Serialize)]
struct Whole<'a> {
    dedup_key: &'a str,
    origin: &'a str,
    title: String,
    sentence: String,
    level: Level,
    count: u64,
    first_index: u64,
    last_index: u64,
    drill: bool,
    test: bool,
    link: Option<String>,
    /// The first of them when there are more than a message holds.
    events: Vec<Box<RawValue>>,
}

pub(crate) fn whole(message: &Message<'_>) -> Vec<u8> {
    let whole = Whole {
        dedup_key: &message.dedup_key,
        origin: message.origin,
        title: message.title(),
        sentence: message.sentence(),
        level: message.level(),
        count: message.count,
        first_index: message.first().index,
        last_index: message.last,
        drill: message.is_drill(),
        test: message.is_test(),
        link: message.link(message.first().index),
        events: message.events.iter().map(|event| event.json(message.origin)).collect(),
    };
    serde_json::to_vec(&whole).expect("texts and numbers are JSON")
}

/// Slack's incoming webhook. Everything from entries is `plain_text`, in which nothing is a link or a mention.
pub(crate) fn slack(message: &Message<'_>) -> Value {
    let plain = |text: String| json!({ "type": "plain_text", "text": text, "emoji": false });
    let facts = message.facts().into_iter().map(|(name, value)| plain(format!("{name}: {value}")));
    let mut blocks = vec![
        json!({ "type": "header", "text": plain(message.title()) }),
        json!({ "type": "section", "text": plain(message.sentence()) }),
        json!({ "type": "context", "elements": facts.collect::<Vec<_>>() }),
    ];
    if let Some(link) = message.causes().first().and_then(|index| message.link(*index)) {
        let button = json!({ "type": "button", "text": plain("Open the entry".to_owned()), "url": link });
        blocks.push(json!({ "type": "actions", "elements": [button] }));
    }
    // The notification's text is markup: its three marks are written out.
    let notification = message.title().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": notification, "blocks": blocks })
}

/// A Teams workflow's adaptive card. Text runs know no markup.
pub(crate) fn teams(message: &Message<'_>) -> Value {
    let run = |text: String, weight: &str| {
        let run = json!({ "type": "TextRun", "text": text, "weight": weight });
        json!({ "type": "RichTextBlock", "inlines": [run] })
    };
    let mut body = vec![run(message.title(), "Bolder"), run(message.sentence(), "Default")];
    body.extend(message.facts().into_iter().map(|(name, value)| run(format!("{name}: {value}"), "Lighter")));
    let link = message.causes().first().and_then(|index| message.link(*index));
    let actions: Vec<Value> = link
        .into_iter()
        .map(|url| json!({ "type": "Action.OpenUrl", "title": "Open the entry", "url": url }))
        .collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard", "version": "1.4", "body": body, "actions": actions,
    });
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card,
    });
    json!({ "type": "message", "attachments": [attachment] })
}

/// PagerDuty's Events API v2. An incident is known by the first alert of the message that opened it, and follows that alert.
pub(crate) fn pagerduty(message: &Message<'_>, routing_key: &str) -> Value {
    let alert = message.first().alert.as_ref();
    let change = alert.map_or(Change::Raised, |alert| alert.change);
    let known_by = alert.map_or(&message.dedup_key, |alert| &alert.id);
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": match change {
            Change::Raised | Change::Reopened => "trigger",
            Change::Acknowledged => "acknowledge",
            Change::Resolved => "resolve",
        },
        "dedup_key": text::line(known_by, 255),
    });
    if change != Change::Raised {
        return event;
    }
    let severity = match message.level() {
        // Nobody is to get up for a drill.
        _ if message.is_drill() => "info",
        Level::Critical => "critical",
        Level::High => "error",
        Level::Medium => "warning",
        Level::Low | Level::Informational => "info",
    };
    let details: serde_json::Map<String, Value> =
        message.facts().into_iter().map(|(name, value)| (name.to_lowercase(), value.into())).collect();
    event["payload"] = json!({
        "summary": text::line(&format!("{}: {}", message.title(), message.sentence()), MAX_SENTENCE),
        "source": message.origin,
        "severity": severity,
        "timestamp": message.first().recorded_at.to_string(),
        "component": alert.map_or("counterfoil", |alert| &alert.rule),
        "custom_details": details,
    });
    event["client"] = "Counterfoil".into();
    let causes = message.causes();
    let link = |index: &u64| Some(json!({ "href": message.link(*index)?, "text": format!("Entry {index}") }));
    event["links"] = causes.iter().filter_map(link).collect();
    event
}
