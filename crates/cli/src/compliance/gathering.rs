//! The figures of a report, out of one state of a ledger.

use std::path::Path;

use counterfoil_report::report::{
    Activity, Alerts, Copy, Drill, Integrity, Overrides, Removals, Report, Retention, Scope, Step, Verification,
};
use counterfoil_report::{Moment, sql};

use super::answers::{Answers, is_damage, unreadable};
use super::state;
use crate::exit::{Exit, Failure};
use crate::progress::{Progress, Unit};
use crate::view::View;

/// What a report is asked for.
pub struct Period<'a> {
    /// The ledger, as the command was told.
    pub ledger: &'a Path,
    pub from: Moment,
    pub to: Moment,
    /// Where a copy is, if that was said.
    pub copy: Option<&'a str>,
    /// When the report is written.
    pub now: Moment,
}

/// The figures of a period, and how the command ends: a damaged ledger has a report of what can still be read.
pub fn gather(view: &View, period: &Period<'_>) -> Result<(Report, Exit), Failure> {
    // A copy of another ledger is refused before everything is read.
    let named = period.copy.map(|place| state::named_copy(view, place, period.now)).transpose()?;
    let (check, class) = state::check(view);
    let mut exit = Exit::of(class);
    let mut gathered = gather_around(view, period, named.as_ref(), &[]);
    if let Err(Failure::Told { kind, .. }) = &gathered
        && is_damage(*kind)
    {
        if exit == Exit::Good {
            exit = Exit::Bad(*kind);
        }
        gathered = unreadable(view)
            .map_err(Failure::from)
            .and_then(|unread| gather_around(view, period, named.as_ref(), &unread));
    }
    let report = gathered?;
    Ok((Report { check, ..report }, exit))
}

/// The figures of all entries but those that cannot be read.
fn gather_around(
    view: &View,
    period: &Period<'_>,
    named: Option<&Copy>,
    unread: &[(u64, u64)],
) -> Result<Report, Failure> {
    let size = view.size();
    let whole = Answers::up_to(view, size, unread);
    let bound = |statement: &str| sql::between(statement, period.from, period.to);
    let end = whole.number(&bound(sql::AFTER), "end")?.unwrap_or(size).min(size);
    let first = whole.number(&bound(sql::BEFORE), "first")?.unwrap_or(0).min(end);
    let answers = Answers { first, end, step: Step::of(period.from, period.to), ..whole };
    let counting = Counting { answers: &answers, progress: Progress::new("counting", Unit::Steps, Some(STEPS)) };
    let clock = counting.rows(sql::CLOCK)?;
    let micros = |name: &str| clock.first().and_then(|row| row[name].as_i64());
    let last_segment = answers.listed(sql::SEGMENTS)?;
    Ok(Report {
        activity: counting.activity()?,
        overrides: counting.overrides()?,
        integrity: integrity(view, first, end, last_segment)?,
        check: Default::default(),
        unread: unread.to_vec(),
        verification: counting.verification()?,
        drills: counting.listed::<Drill>(sql::DRILLS)?,
        alerts: counting.alerts()?,
        reviews: counting.listed(&sql::reviews(period.from, period.to, size))?,
        sources: state::sources(view, micros("late_micros"), micros("early_micros"))?,
        retention: Retention {
            copy: named.cloned().map_or_else(|| copy(view, &answers, period.now), |named| Ok(Some(named)))?,
            holds: counting.listed(sql::HOLDS)?,
            removals: counting.removals()?,
        },
        access: counterfoil_report::report::Access {
            acts: counting.listed(sql::ACCESS)?,
            tokens: counting.listed(sql::TOKENS)?,
        },
        scope: Scope {
            ledger: period.ledger.display().to_string(),
            origin: view.origin()?.to_string(),
            from: period.from,
            to: period.to,
            begun: begun(&answers)?,
            written: period.now,
            over: period.to <= period.now,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            first,
            end,
            size,
            earlier_origins: earlier_origins(&answers)?,
        },
    })
}

/// Statements that are counted on the progress bar.
const STEPS: u64 = 21;

/// The statements of a report, one after the other.
struct Counting<'a> {
    answers: &'a Answers<'a>,
    progress: Progress,
}

impl Counting<'_> {
    fn rows(&self, statement: &str) -> Result<Vec<serde_json::Value>, Failure> {
        self.progress.more(1);
        Ok(self.answers.rows(statement)?)
    }

    fn one<T: serde::de::DeserializeOwned>(&self, statement: &str) -> Result<T, Failure> {
        self.progress.more(1);
        self.answers.one(statement)
    }

    fn listed<T: serde::de::DeserializeOwned>(
        &self,
        statement: &str,
    ) -> Result<counterfoil_report::report::Listed<T>, Failure> {
        self.progress.more(1);
        self.answers.listed(statement)
    }

    fn activity(&self) -> Result<Activity, Failure> {
        Ok(Activity {
            event_types: self.listed(sql::EVENT_TYPES)?,
            actor_types: self.listed(sql::ACTOR_TYPES)?,
            volume: self.listed(sql::VOLUME)?.rows,
            ..self.one(sql::ACTIVITY)?
        })
    }

    fn overrides(&self) -> Result<Overrides, Failure> {
        Ok(Overrides {
            by_model: self.listed(sql::OVERRIDES_BY_MODEL)?,
            by_actor: self.listed(sql::OVERRIDES_BY_ACTOR)?,
            denials: self.listed(sql::DENIALS)?,
            ..self.one(sql::OVERRIDES)?
        })
    }

    fn verification(&self) -> Result<Verification, Failure> {
        Ok(Verification { listed: self.listed(sql::VERIFICATIONS)?, ..self.one(sql::VERIFICATION)? })
    }

    fn removals(&self) -> Result<Removals, Failure> {
        Ok(Removals {
            erased: self.listed(sql::ERASED)?,
            restored: self.listed(sql::RESTORATIONS)?,
            pruned: self.listed(sql::PRUNED)?,
        })
    }

    /// None where no rules were in force and nothing was raised.
    fn alerts(&self) -> Result<Option<Alerts>, Failure> {
        let alerts = Alerts { listed: self.listed(sql::ALERTS)?, ..self.one(sql::ALERT_FIGURES)? };
        let rules = self.answers.number(sql::RULES, "rules")?.unwrap_or(0);
        Ok((rules > 0 || alerts.listed.total > 0).then_some(alerts))
    }
}

fn integrity(
    view: &View,
    first: u64,
    end: u64,
    segments: counterfoil_report::report::Listed<counterfoil_report::report::Segment>,
) -> Result<Integrity, Failure> {
    let at_end = state::checkpoint(view, end)?;
    let newest = match at_end.note {
        Some(_) => None,
        None => Some(state::checkpoint(view, view.size())?),
    };
    let consistency = match first > 0 && first < end {
        true => view.consistency(first, end)?.iter().map(ToString::to_string).collect(),
        false => Vec::new(),
    };
    Ok(Integrity {
        verifier_key: view.verifier_key()?.to_string(),
        begin: (first > 0).then(|| state::checkpoint(view, first)).transpose()?,
        end: at_end,
        newest,
        consistency,
        sealed: segments.rows.first().map_or(0, |newest| newest.first + newest.count),
        segments,
        bundle: None,
    })
}

/// The copy: where the service ships to, or where the ledger last said that it did.
fn copy(view: &View, answers: &Answers<'_>, now: Moment) -> Result<Option<Copy>, Failure> {
    let shipping = view.shipping();
    let recorded =
        || answers.rows(sql::SHIPPED).map(|rows| rows.first().and_then(|row| row["place"].as_str().map(str::to_owned)));
    let place = match (shipping, view) {
        (Some(shipping), _) => Some(shipping.to.clone()),
        (None, View::Folder { path, .. }) if crate::ledgers::location(path)?.is_some() => {
            Some(path.display().to_string())
        }
        _ => recorded()?,
    };
    Ok(place.map(|place| state::copy(view, &place, shipping.map_or(0, |shipping| shipping.shipped_size), now)))
}

fn begun(answers: &Answers<'_>) -> Result<Option<Moment>, Failure> {
    let rows = answers.rows(sql::BEGUN)?;
    Ok(rows.first().and_then(|row| super::moment(row["at"].as_str()?).ok()))
}

/// The names that a ledger had before it was restored.
pub fn earlier_origins(answers: &Answers<'_>) -> Result<Vec<String>, Failure> {
    let rows = answers.rows(sql::RESTORED)?;
    Ok(rows.iter().filter_map(|row| row["origin"].as_str().map(str::to_owned)).collect())
}
