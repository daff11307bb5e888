//! A webhook, in our own form or in that of a known service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use counterfoil::Result;
use ring::hmac;
use serde::Deserialize;

use super::http::{Http, check_address};
use super::{Failure, Receiver, Sent, template};
use crate::config::{Ca, invalid, minute};
use crate::message::Message;
use crate::ocsf;
use crate::secret::{Address, Secret};

/// Where PagerDuty takes events.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    #[serde(default = "pagerduty")]
    pub address: Address,
    #[serde(default)]
    pub template: Template,
    /// Signs each request, as Standard Webhooks has it.
    pub signing_secret: Option<Secret>,
    /// A bearer token.
    pub bearer: Option<Secret>,
    /// PagerDuty's integration key.
    pub routing_key: Option<Secret>,
    pub ca: Ca,
    #[serde(default = "minute")]
    pub group_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Template {
    /// The whole message.
    #[default]
    Json,
    Slack,
    Teams,
    Pagerduty,
    /// An array of OCSF events.
    Ocsf,
}

/// A server that takes a POST.
pub(crate) struct Webhook {
    http: Http,
    address: String,
    template: Template,
    signing_key: Option<hmac::Key>,
    bearer: Option<String>,
    routing_key: String,
}

impl Webhook {
    pub fn open(options: &Options) -> Result<Self> {
        let address = options.address.read()?;
        let has_secret = options.bearer.is_some() || matches!(options.address, Address::Secret(_));
        check_address(&address, has_secret || options.routing_key.is_some())?;
        let is_pagerduty = options.template == Template::Pagerduty;
        if is_pagerduty != options.routing_key.is_some() {
            return Err(invalid("routing_key: write it with template = \"pagerduty\", and only there"));
        }
        if options.address == pagerduty() && !is_pagerduty {
            return Err(invalid("address: write where the webhook is, as https://HOST/PATH"));
        }
        let read =
            |secret: &Option<Secret>, member: &str| secret.as_ref().map(|secret| secret.read(member)).transpose();
        let signing_key = read(&options.signing_secret, "signing_secret")?.map(|secret| signing_key(&secret));
        Ok(Self {
            http: Http::new(options.ca.as_deref())?,
            address,
            template: options.template,
            signing_key: signing_key.transpose()?,
            bearer: read(&options.bearer, "bearer")?.map(|token| format!("Bearer {token}")),
            routing_key: read(&options.routing_key, "routing_key")?.unwrap_or_default(),
        })
    }

    fn body(&self, message: &Message<'_>) -> Vec<u8> {
        match self.template {
            Template::Json => template::whole(message),
            Template::Slack => template::slack(message).to_string().into_bytes(),
            Template::Teams => template::teams(message).to_string().into_bytes(),
            Template::Pagerduty => template::pagerduty(message, &self.routing_key).to_string().into_bytes(),
            Template::Ocsf => {
                let events: Vec<_> = message.events.iter().map(|event| ocsf::event(event, message.origin)).collect();
                serde_json::to_vec(&events).expect("texts and numbers are JSON")
            }
        }
    }
}

impl Receiver for Webhook {
    fn send(&mut self, message: &Message<'_>) -> std::result::Result<Sent, Failure> {
        let body = self.body(message);
        let timestamp = jiff::Timestamp::now().as_second().to_string();
        let mut headers = vec![
            ("content-type", "application/json"),
            ("webhook-id", message.dedup_key.as_str()),
            ("webhook-timestamp", timestamp.as_str()),
        ];
        let signature = self.signing_key.as_ref().map(|key| sign(key, &message.dedup_key, &timestamp, &body));
        headers.extend(signature.as_deref().map(|signature| ("webhook-signature", signature)));
        headers.extend(self.bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let answer = self.http.post(&self.address, &headers, &body)?.check()?;
        Ok(Sent::saying(answer.words()))
    }
}

/// The signature of Standard Webhooks, version 1.
fn sign(key: &hmac::Key, id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(key);
    context.update(format!("{id}.{timestamp}.").as_bytes());
    context.update(body);
    format!("v1,{}", BASE64.encode(context.sign()))
}

/// A secret as Standard Webhooks writes it (`whsec_` and base64), or the bytes of any text.
fn signing_key(secret: &str) -> Result<hmac::Key> {
    let bytes = match secret.strip_prefix("whsec_") {
        Some(encoded) => BASE64.decode(encoded).map_err(|error| invalid(format!("signing_secret: {error}")))?,
        None => secret.as_bytes().to_vec(),
    };
    if bytes.len() < 16 {
        return Err(invalid("signing_secret: at least 16 bytes"));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

fn pagerduty() -> Address {
    Address::Plain(PAGERDUTY.to_owned())
}
