//! `counterfoil document`

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use counterfoil::{Clock, SystemClock};
use counterfoil_report::document::Contact;
use counterfoil_report::{Moment, document_html, document_pdf, sql};

use crate::commands::serve;
use crate::compliance::{self, Asked};
use crate::exit::{Exit, Outcome};
use crate::files;
use crate::output;
use crate::view::View;

/// Write the design document of a trail from its configuration, as HTML and as PDF
///
/// What an entry holds, the types in use and how long they are kept, where everything lies, keys, roles and tokens (names,
/// never secrets), rules and sinks in force, how it is verified, and what to do when something happens. It is written from
/// what is in force: the settings of the running service, at the URL (an administrator's token) or behind the folder. Where
/// no service runs, --config names the file that it is started with. What is not set up comes first.
///
/// --bundle writes the entries behind it, with proofs: keys, tokens, rules, copies, retention.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").args(["html", "pdf", "json"]).required(true).multiple(true))]
#[command(after_help = "\
Examples:
  counterfoil document audit --pdf design.pdf
  counterfoil document audit --config /etc/counterfoil/service.toml \\
    --contact \"Tampering, keys=security@bank.example\" \\
    --outside \"anchor.bank.example: counterfoil monitor, every minute\" \\
    --html design.html --bundle design.bundle.json

Exit codes: 0 written, 2 settings or files are wrong, 6 the token is no administrator's, 7 no ledger there, 10 or 11 what was \
read is damaged or tampered with. Other exit codes: see `counterfoil --help`.")]
pub struct Document {
    /// The ledger's folder, the URL of the service that holds it, or a copy at s3://BUCKET/PREFIX.
    ledger: PathBuf,
    /// Write the document as one HTML file; - is standard output.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the document as PDF (PDF/A-2a, PDF/UA-1); - is standard output.
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// Write the evidence bundle of the entries behind the document.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// The file of settings that the service is started with; a running service is asked instead.
    #[arg(long, value_name = "FILE", env = "COUNTERFOIL_CONFIG")]
    config: Option<PathBuf>,
    /// Whom to call, and for what; may be given more than once.
    #[arg(long = "contact", value_name = "ROLE=REACH", value_parser = contact)]
    contacts: Vec<Contact>,
    /// What keeps checkpoints elsewhere and verifies against them; may be given more than once.
    #[arg(long, value_name = "WORDS")]
    outside: Vec<String>,
    /// Where the copy under lock is [default: where the service ships to, or the ledger last said that it did].
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    copy: Option<String>,
    /// Print what the document says as JSON.
    #[arg(long)]
    json: bool,
}

fn contact(text: &str) -> Result<Contact, String> {
    match text.split_once('=') {
        Some((role, reach)) if !role.is_empty() && !reach.is_empty() => {
            Ok(Contact { role: role.to_owned(), reach: reach.to_owned() })
        }
        _ => Err("give ROLE=REACH, as in \"Tampering=security@bank.example\"".to_owned()),
    }
}

impl Document {
    pub(super) fn run(self) -> Outcome {
        compliance::refuse_outputs(self.html.as_deref(), self.pdf.as_deref(), self.bundle.as_deref(), self.json)?;
        let view = View::of(&self.ledger)?;
        let asked = Asked {
            ledger: &self.ledger,
            settings: self.config.as_deref().map(serve::in_force).transpose()?,
            copy: self.copy.as_deref(),
            contacts: self.contacts,
            outside: self.outside,
            now: Moment::from_micros(SystemClock::default().now_micros()),
        };
        let mut document = compliance::describe(&view, asked)?;
        if let Some(file) = &self.bundle {
            document.bundle = compliance::prove(&view, sql::DESIGN.to_owned(), view.size(), file)?;
        }
        if let Some(file) = &self.html {
            files::write_output(file, document_html(&document).as_bytes())?;
        }
        if let Some(file) = &self.pdf {
            files::write_output(file, &document_pdf(&document)?)?;
        }
        if self.json {
            output::json(&document)?;
        }
        Ok(Exit::Good)
    }
}
