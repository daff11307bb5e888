//! The vocabulary of the OpenTelemetry GenAI conventions, old and new names.

use super::attributes::Attributes;
use crate::ingest::value::{Object, Value};

/// Members of `context.gen_ai` and the attributes that they are taken from; the first that is there counts.
///
/// Names that came before semantic conventions 1.37 stand last: most instrumentations still send them.
const FACTS: [(&str, &[&str]); 19] = [
    ("agent_id", &["gen_ai.agent.id"]),
    ("agent_name", &["gen_ai.agent.name"]),
    ("agent_version", &["gen_ai.agent.version"]),
    ("cached_input_tokens", &["gen_ai.usage.cache_read.input_tokens"]),
    ("conversation_id", &["gen_ai.conversation.id"]),
    ("data_source_id", &["gen_ai.data_source.id"]),
    ("finish_reasons", &["gen_ai.response.finish_reasons"]),
    ("input_tokens", &["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"]),
    ("operation", &["gen_ai.operation.name"]),
    ("output_tokens", &["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"]),
    ("prompt_name", &["gen_ai.prompt.name"]),
    ("provider", &["gen_ai.provider.name", "gen_ai.system"]),
    ("reasoning_tokens", &["gen_ai.usage.reasoning.output_tokens"]),
    ("request_model", &["gen_ai.request.model"]),
    ("response_id", &["gen_ai.response.id"]),
    ("response_model", &["gen_ai.response.model"]),
    ("tool_call_id", &["gen_ai.tool.call.id"]),
    ("tool_type", &["gen_ai.tool.type"]),
    ("workflow", &["gen_ai.workflow.name"]),
];

/// The model that answered, else the one that was asked.
pub(super) const MODEL: [&str; 2] = ["gen_ai.response.model", "gen_ai.request.model"];
/// What the model wrote.
const ANSWER: [&str; 3] = ["gen_ai.output.messages", "gen_ai.completion", "gen_ai.output"];
/// What the tool gave back.
const RESULT: [&str; 2] = ["gen_ai.tool.call.result", "gen_ai.output"];

/// What a span or log record tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Activity {
    /// A model was asked.
    Inference,
    /// A tool was called.
    ToolCall,
    /// Another operation of the GenAI conventions, by its name.
    Other(String),
    /// Nothing of the GenAI conventions.
    None,
}

impl Activity {
    pub fn of(attributes: &Attributes) -> Self {
        match attributes.scalar("gen_ai.operation.name") {
            Some("chat" | "text_completion" | "completion" | "generate_content" | "embeddings" | "call_llm") => {
                Self::Inference
            }
            Some("execute_tool") => Self::ToolCall,
            Some(other) => Self::Other(other.to_owned()),
            None if attributes.first(&["gen_ai.tool.name", "gen_ai.tool.call.id"]).is_some() => Self::ToolCall,
            None if attributes.first(&MODEL).is_some() => Self::Inference,
            None => Self::None,
        }
    }

    /// The event type, given whether it failed; `None` outside the GenAI conventions.
    pub fn event_type(&self, failed: bool) -> Option<String> {
        match self {
            Self::Inference if failed => Some("inference_failed".into()),
            Self::Inference => Some("model_inference".into()),
            Self::ToolCall => Some("tool_call".into()),
            Self::Other(operation) => Some(format!("gen_ai.{operation}")),
            Self::None => None,
        }
    }
}

/// `context.gen_ai`: the same names whatever the age of the instrumentation.
pub(super) fn facts(attributes: &Attributes) -> Object {
    let fact = |keys: &[&str]| keys.iter().find_map(|key| attributes.get(key)).cloned();
    FACTS.iter().filter_map(|(name, keys)| Some(((*name).to_owned(), fact(keys)?))).collect()
}

/// `new_value` of an inference: all that is known of the answer. What the model wrote moves there.
pub(super) fn answer(attributes: &mut Attributes, facts: &Object) -> Value {
    let mut answer = Object::new();
    for name in ["finish_reasons", "output_tokens", "response_id"] {
        if let Some(fact) = facts.get(name) {
            answer.insert(name.to_owned(), fact.clone());
        }
    }
    if let Some(messages) = ANSWER.iter().find_map(|key| attributes.take(key)) {
        answer.insert("messages".into(), messages);
    }
    Value::Object(answer)
}

/// `new_value` of a tool call: what the tool gave back, if that was captured. It moves there.
pub(super) fn result(attributes: &mut Attributes) -> Option<Value> {
    RESULT.iter().find_map(|key| attributes.take(key))
}

/// Whether a member holds prompts, answers or documents: the first to be left out of an entry that is too large.
pub(super) fn is_bulky(name: &str) -> bool {
    const NAMES: [&str; 11] = [
        "gen_ai.completion",
        "gen_ai.input.messages",
        "gen_ai.output",
        "gen_ai.output.messages",
        "gen_ai.prompt",
        "gen_ai.retrieval.documents",
        "gen_ai.system_instructions",
        "gen_ai.tool.args",
        "gen_ai.tool.call.arguments",
        "gen_ai.tool.call.result",
        "gen_ai.tool.definitions",
    ];
    name == "messages"
        || NAMES.contains(&name)
        || name.starts_with("gen_ai.prompt.")
        || name.starts_with("gen_ai.completion.")
}
