//! Entries about the table itself: what the follower saw that is not a new row.

use counterfoil::Result;
use counterfoil_entry::{Draft, Fields, Timestamp};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::protection::Marks;
use crate::row::{Place, RowId};

/// What every notice's event type begins with.
const NOTICES: &str = "postgres.";
/// Following has begun: no finding.
pub(crate) const STARTED: &str = "postgres.follow_started";
/// How the table's protection stood when following began: no finding, unless it replaces another database.
pub(crate) const PROTECTION: &str = "postgres.protection_recorded";
/// The protection was altered since it was last recorded.
pub(crate) const ALTERED: &str = "postgres.protection_altered";
/// A row whose stamp the write-ahead log contradicts.
pub(crate) const CONTRADICTED: &str = "postgres.row_contradicted";

/// Something about the table that is not a new row.
#[derive(Debug)]
pub(crate) struct Notice {
    pub event_type: &'static str,
    pub row: Option<RowId>,
    pub problem: String,
    pub at_micros: Option<i64>,
    pub details: Value,
}

impl Notice {
    pub fn draft(&self, place: &Place<'_>) -> Result<Draft> {
        let table = "counterfoil.audit_log";
        let entity = match (self.event_type, self.row) {
            (PROTECTION | ALTERED, _) => place.source.to_owned(),
            (_, Some(row)) => format!("{table}/{row}"),
            (_, None) => table.to_owned(),
        };
        let context = json!({"postgres_notice": {"row": self.row, "problem": self.problem, "details": self.details}});
        let mut builder = Draft::builder(self.event_type, "counterfoil-postgres", &entity)
            .context(context)
            .id(&place.id)
            .source(place.source, place.sequence);
        if let Some(micros) = self.at_micros {
            builder = builder.timestamp(Timestamp::from_micros(micros));
        }
        Ok(builder.build()?)
    }
}

/// A notice as an entry holds it.
#[derive(Debug, Deserialize)]
pub(crate) struct Noticed {
    pub row: Option<RowId>,
    pub problem: String,
    pub details: Value,
}

impl Noticed {
    /// The notice of an entry; none for rows, whatever they call themselves.
    pub fn read(fields: &Fields<'_>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Context {
            postgres: Option<IgnoredAny>,
            postgres_notice: Noticed,
        }
        if !fields.event_type.starts_with(NOTICES) {
            return None;
        }
        let context = serde_json::from_str::<Context>(fields.context?).ok()?;
        context.postgres.is_none().then_some(context.postgres_notice)
    }

    /// How the protection stood, where it says that.
    pub fn marks(&self) -> Option<Marks> {
        Marks::deserialize(&self.details["marks"]).ok()
    }

    /// The sources whose place this one may have taken.
    pub fn replaces(&self) -> Vec<&str> {
        self.details["replaces"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }
}
