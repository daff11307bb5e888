//! `counterfoil ship`

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use counterfoil::{ErrorKind, Layout, Reader};
use counterfoil_evidence::FindingClass;
use counterfoil_server::in_force::InForce;
use counterfoil_ship::{Bucket, Encryption, Location, Lock, LockReport, Retention, Settings, Shipped, Shipper};
use serde::Serialize;

use crate::exit::{Exit, Failure, Outcome};
use crate::ledgers;
use crate::output;
use crate::remote::{Call, Remote};
use crate::text::{Counted, Grouped};

/// Put what is new into an object store, under Object Lock
///
/// Sealed segments, the journal behind them and the checkpoint that covers both: each object is written once, under a
/// retention that nobody can end early. The bucket must have versioning and Object Lock; that is checked before the
/// first byte. Run again, it ships what is new. A ledger that is not the one in the bucket, or a fork of it, is refused.
///
/// Credentials, region and endpoint come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL and
/// their like, or from the profile AWS_PROFILE in ~/.aws; for gs:// from GOOGLE_APPLICATION_CREDENTIALS or the machine, for
/// az:// from AZURE_STORAGE_ACCOUNT_NAME with a key, a token or an identity. docs/guides/object-storage.md lists them all.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  counterfoil ship audit s3://bank-audit/payments
  counterfoil ship audit s3://bank-audit/payments --retain compliance:2190
  counterfoil ship audit s3://bank-audit/payments --retain compliance --sse kms
  counterfoil ship audit s3://bank-audit/payments --check > locks.note
  counterfoil ship audit gs://bank-audit/payments --retain compliance:2190

Exit codes: 0 shipped or all locked, 2 the bucket keeps nothing from being deleted, 3 somebody else's object stands where a segment \
belongs and all but it was shipped, 5 it does not answer, 10 --check \
found a lock that is short or missing or an object that is not there, 11 the bucket holds another history, or --check found \
what somebody else put there. Other exit codes: see `counterfoil --help`.")]
pub struct Ship {
    /// The ledger's folder.
    ledger: PathBuf,
    /// Where to: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX, or file:///FOLDER without locks.
    to: Location,
    /// The retention of every object, MODE being compliance or governance [default: the bucket's, unless the newest object there
    /// was put under more]. MODE alone takes the longest retention class of the event catalog and of this ledger: one object
    /// holds entries of many.
    #[arg(long, value_name = "MODE[:DAYS]")]
    retain: Option<Retention>,
    /// Keep every object beyond its retention until the hold is lifted.
    #[arg(long, requires = "retain")]
    legal_hold: bool,
    /// Have the store encrypt every object: s3 with its own keys, kms or kms:KEY with a key of the key service [default: the
    /// bucket's].
    #[arg(long, value_name = "s3|kms[:KEY]")]
    sse: Option<Encryption>,
    /// Ship nothing: read back mode and date of the lock of every object, name each that is short or missing, each object
    /// that is not there and each that somebody else put there, and print an attestation signed with the ledger's key.
    #[arg(long)]
    check: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

impl Ship {
    pub(super) fn run(self) -> Outcome {
        ledgers::check_folder(&self.ledger)?;
        let reader = Reader::open(&self.ledger)?;
        let snapshot = reader.snapshot()?;
        let (retain, legal_hold) = match self.retain {
            Some(retention) => (Some(retention), self.legal_hold),
            None => self.retention_of_service()?,
        };
        let lock = retain.map(|retention| retention.lock(snapshot.retention_class())).transpose()?;
        let lock = lock.map(|lock| Lock { legal_hold, ..lock });
        let mut settings = Settings::from_environment();
        if let Some(encryption) = &self.sse {
            settings = settings.with_encryption(encryption);
        }
        let state = Layout::new(&self.ledger).state();
        if self.check {
            let copy = Bucket::open(&self.to, &settings)?.remembered_in(&state);
            let report = copy.check_locks(&snapshot, lock)?;
            return self.tell_locks(&report, &reader);
        }
        let mut shipper = Shipper::open(&self.to, &settings, lock)?.remembering(&state, &self.to);
        if lock.is_none() {
            shipper = shipper.under_no_less();
        }
        let shipped = shipper.ship(&snapshot)?;
        shipped.pretences.iter().for_each(output::note);
        for key in &shipped.taken {
            output::note(format!(
                "{key}: somebody else had put something there. The ledger's object stands beside it; verify {} names all of it",
                self.to
            ));
        }
        self.tell(&shipped)?;
        match shipped.blocked {
            Some(message) => Err(Failure::new(ErrorKind::Conflict, message)),
            None => Ok(Exit::Good),
        }
    }

    /// What the service that runs on the folder ships to this place under: two retentions in one copy would be a finding.
    fn retention_of_service(&self) -> Result<(Option<Retention>, bool), Failure> {
        let Some(service) = Remote::in_folder(&self.ledger)? else { return Ok((None, false)) };
        let settings: InForce = service.ask(Call::get("/api/v1/settings"))?;
        let Some(ship) = settings.ship.filter(|ship| ship.to == self.to.to_string()) else { return Ok((None, false)) };
        Ok((ship.retain.as_deref().map(str::parse).transpose()?, ship.legal_hold))
    }

    fn tell(&self, shipped: &Shipped) -> Result<(), Failure> {
        if self.json {
            return output::json(&Told {
                to: self.to.to_string(),
                size: shipped.size,
                segments: shipped.segments,
                objects: shipped.objects,
                bytes: shipped.bytes,
            });
        }
        let mut out = output::stdout();
        writeln!(
            out,
            "{} now holds {} entries; new: {}, {} bytes",
            self.to,
            Grouped(shipped.size),
            Counted(shipped.objects, "object", "objects"),
            Grouped(shipped.bytes)
        )?;
        Ok(out.flush()?)
    }

    fn tell_locks(&self, report: &LockReport, reader: &Reader) -> Outcome {
        for fault in &report.faults {
            output::note(format!("{} (version {}): {}", fault.key, fault.version, fault.message));
        }
        for finding in &report.findings {
            output::note(finding.to_string());
        }
        let earliest = report.earliest.as_deref().unwrap_or("nothing is locked");
        output::note(format!("{}, none free before {earliest}", Counted(report.objects, "object", "objects")));
        let note = report.attestation(&self.to, &reader.signer()?)?;
        let mut out = output::raw_stdout();
        out.write_all(note.as_bytes())?;
        out.flush()?;
        Ok(match report.findings.iter().map(|finding| finding.kind.class()).max() {
            Some(FindingClass::Tampered) => Exit::Bad(ErrorKind::Tampered),
            None if report.faults.is_empty() => Exit::Good,
            _ => Exit::Bad(ErrorKind::Damaged),
        })
    }
}

#[derive(Serialize)]
struct Told {
    to: String,
    size: u64,
    segments: u64,
    objects: u64,
    bytes: u64,
}
