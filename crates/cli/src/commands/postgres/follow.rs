//! `counterfoil postgres follow`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use counterfoil_postgres::{Dsn, Options, Progress, Way};

use crate::exit::{Exit, Outcome};
use crate::output::{self, DIM, RED, YELLOW, styled};
use crate::signals;
use crate::text::{Counted, Printable};
use crate::trail::WrittenTrail;

#[derive(Debug, Args)]
pub struct Follow {
    /// The ledger's folder; beside a running service it records through it.
    ledger: PathBuf,
    /// The database, as postgres://USER@HOST:PORT/DATABASE.
    dsn: String,
    /// The replication slot; each ledger that follows a database needs its own.
    #[arg(long, default_value = "counterfoil")]
    slot: String,
    /// By replication or by polling [default: replication where server and role allow it].
    #[arg(long)]
    by: Option<By>,
    /// Stop when everything is moved that is committed now.
    #[arg(long)]
    once: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Replication,
    Polling,
}

impl Follow {
    pub fn run(self) -> Outcome {
        let dsn = Dsn::parse(&self.dsn)?;
        let way = self.by.map(|by| match by {
            By::Replication => Way::Replication,
            By::Polling => Way::Polling,
        });
        let options = Options { slot: self.slot, way, once: self.once };
        let stop = signals::stop()?;
        let trail = WrittenTrail::of(&self.ledger)?;
        let followed = counterfoil_postgres::follow(&dsn, &trail, &options, &stop, &mut tell);
        let closed = trail.close();
        let followed = followed?;
        closed?;
        if self.json {
            output::json(&followed)?;
            return Ok(Exit::Good);
        }
        let notices = match followed.notices {
            0 => String::new(),
            count => format!(", {}", Counted(count, "notice", "notices")),
        };
        output::note(format_args!("moved {}{notices}", Counted(followed.rows, "row", "rows")));
        Ok(Exit::Good)
    }
}

fn tell(progress: Progress<'_>) {
    match progress {
        Progress::Following(Way::Replication) => output::note(styled(DIM, "following by replication, in commit order")),
        Progress::Following(Way::Polling) => {
            output::note(styled(DIM, "following by polling, in the order of transaction numbers"));
        }
        Progress::Moved(_) => {}
        Progress::Noticed(problem) => output::note(styled(RED, Printable(problem))),
        Progress::Retrying(error, pause) => {
            let text = format!("{}; trying again in {} s", error.message, pause.as_secs_f32());
            output::note(styled(YELLOW, Printable(&text)));
        }
    }
}
