//! `counterfoil postgres follow`

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use counterfoil::{Error, ErrorKind};
use counterfoil_postgres::{Dsn, Options, Progress, Way};

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, DIM, RED, YELLOW, styled};
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
        let stop = stop_on_signal()?;
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

/// Set when the process is asked to end; killed outright it loses nothing either.
fn stop_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    let failed = |error: std::io::Error| Error::new(ErrorKind::Internal, format!("signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let (Ok(mut interrupt), Ok(mut end)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            tokio::select! { _ = interrupt.recv() => {}, _ = end.recv() => {} }
            asked.store(true, Ordering::Relaxed);
            // A second signal ends it at once: nothing is lost by that.
            tokio::select! { _ = interrupt.recv() => {}, _ = end.recv() => {} }
            std::process::exit(130);
        });
    });
    Ok(stop)
}
