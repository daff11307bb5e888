//! A temporary folder in which the binary runs.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Three entries of an invoice's life, one of a customer's.
pub const LINES: &str = r#"{"event_type":"invoice_received","actor":"mail-gateway","actor_type":"service","entity_id":"INV-1","entity_type":"invoice","new_value":{"amount":"1200.00","status":"received"},"timestamp":"2026-11-24T09:00:00Z"}
{"event_type":"kyc_check","actor":"kyc-model","actor_type":"ai_agent","entity_id":"CUST-3","outcome":"success","context":{"model_version":"kyc-3.2","confidence":0.91},"timestamp":"2026-11-24T09:01:00Z"}
{"event_type":"invoice_approved","actor":"invoice-bot","actor_type":"ai_agent","entity_id":"INV-1","old_value":{"amount":"1200.00","status":"received"},"new_value":{"amount":"1200.00","status":"approved"},"context":{"model_version":"inv-2.11","confidence":0.97},"timestamp":"2026-11-24T09:02:00Z","id":"a-1"}
{"event_type":"manual_override","actor":"maria","actor_type":"user","entity_id":"INV-1","old_value":{"amount":"1200.00","status":"approved"},"new_value":{"amount":"1200.00","status":"held"},"reason":"supplier changed its bank account","timestamp":"2026-11-24T09:03:00Z"}
"#;

/// Index of the first of [`LINES`] in a ledger from [`Place::ledger`]: the entry `ledger.created` comes before, and
/// `ledger.opened` when `append` opens it.
pub const FIRST: u64 = 2;

pub struct Place {
    dir: TempDir,
    /// Variables that every run of the binary has.
    environment: Vec<(String, String)>,
}

/// What a run of the binary left.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Place {
        Place { dir: TempDir::new().unwrap(), environment: Vec::new() }
    }

    /// A place whose runs have these variables.
    pub fn with(environment: Vec<(String, String)>) -> Place {
        Place { environment, ..Place::new() }
    }

    /// Another place with the same variables.
    pub fn beside(&self) -> Place {
        Place::with(self.environment.clone())
    }

    /// A place with the ledger `audit` that holds [`LINES`].
    pub fn ledger() -> Place {
        let place = Place::new();
        place.ok(&["init", "audit", "--origin", "bank.example/audit"]);
        place.feed(&["append", "audit"], LINES).expect(0);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counterfoil"));
        command
            .current_dir(self.dir.path())
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).stdin(Stdio::null()).output().unwrap())
    }

    /// A run that must succeed; its standard output.
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.run(arguments).expect(0).stdout
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments)).unwrap()
    }

    pub fn feed(&self, arguments: &[&str], input: &str) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that refuses early does not read everything.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Ran::of(child.wait_with_output().unwrap())
    }

    /// Changes one byte of a file, at an offset from its start.
    pub fn flip(&self, name: &str, offset: usize) {
        let path = self.path(name);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[offset] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
}

impl Ran {
    pub fn of(output: Output) -> Ran {
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The run failed with this code, and said all of this on standard error.
    pub fn refused(self, code: i32, said: &[&str]) -> Ran {
        let ran = self.expect(code);
        for part in said {
            assert!(ran.stderr.contains(part), "{part:?} is not in: {}", ran.stderr);
        }
        ran
    }

    pub fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn value(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}
