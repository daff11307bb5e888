//! `counterfoil query`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use counterfoil_query::Limits;

use crate::exit::{Exit, Failure, LIMITS, Outcome};
use crate::rows::{self, RowFormat};
use crate::view::View;

/// Answer a question in SQL
///
/// One statement in PostgreSQL's dialect over the table audit_log, which has a column for each member of an entry:
/// index, timestamp, recorded_at, event_type, actor, actor_type, on_behalf_of, entity_id, entity_type, old_value,
/// new_value, outcome, reason, context, trace_id, id, source, sequence, recorder. JSON operators reach into context,
/// old_value and new_value: context->>'model_version'. The answer is about everything up to one checkpoint, sealed or
/// not. SQL only reads. A changed byte in anything that the query reads is an error, not an answer.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil query audit \"SELECT * FROM audit_log
    WHERE event_type = 'manual_override'
    AND timestamp > now() - interval '24 hours'\"
  counterfoil query audit --format csv \\
    \"SELECT actor, count(*) AS n FROM audit_log GROUP BY 1 ORDER BY n DESC\"
  counterfoil query audit \"SELECT context->>'model_version' AS model, count(*)
    FROM audit_log GROUP BY 1\"

Exit codes: 0 answered, 2 the SQL is wrong or would write, 5 a limit was reached, 7 no ledger there, 10 or 11 what the \
query read is damaged or tampered with. Other exit codes: see `counterfoil --help`.")]
pub struct Query {
    /// The ledger's folder, or the URL of the service that holds it.
    ledger: PathBuf,
    /// One SELECT statement.
    sql: String,
    /// How to print the answer. A table that is wider than the terminal is printed row by row.
    #[arg(long, value_enum, default_value = "table")]
    format: RowFormat,
    /// The most rows of an answer.
    #[arg(long, value_name = "N", default_value_t = Limits::default().rows)]
    max_rows: u64,
    /// The longest that a query may take, in seconds.
    #[arg(long, value_name = "N", default_value_t = Limits::default().time.as_secs())]
    max_seconds: u64,
    /// The most memory for sorting and grouping, in MiB.
    #[arg(long, value_name = "N", default_value_t = Limits::default().memory_bytes >> 20)]
    max_memory_mib: usize,
}

impl Query {
    pub(super) fn run(self) -> Outcome {
        rows::refuse_binary_on_terminal(self.format)?;
        let view = View::of(&self.ledger)?;
        let limits = Limits {
            time: Duration::from_secs(self.max_seconds),
            memory_bytes: self.max_memory_mib.saturating_mul(1 << 20),
            rows: self.max_rows,
        };
        let answered = view
            .query(&self.sql, limits)
            .map_err(Failure::from)
            .and_then(|answer| rows::write(answer, self.format, |_| {}));
        answered.map_err(at_limit)?;
        Ok(Exit::Good)
    }
}

/// Names the option that moves the limit which a query reached.
fn at_limit(failure: Failure) -> Failure {
    let Failure::Told { message, .. } = &failure else {
        return failure;
    };
    match LIMITS.iter().find(|(limit, _)| message.starts_with(limit)) {
        Some((_, option)) => failure.advise(format!("Narrow the query, or give {option}.")),
        None => failure,
    }
}
