//! What a service says on standard output once it answers.

use std::io::Write;
use std::path::Path;

use counterfoil_server::Announcement;

use crate::output::{self, BOLD, DIM, styled};

/// Says where the service answers. The sign-in link is for the terminal of whoever started the service: a journal or a file is read by others.
pub(super) struct Announcer<'a> {
    pub ledger: &'a Path,
    pub read_only: bool,
    /// The link was asked for.
    pub link: bool,
    pub terminal: bool,
    /// Whoever wants JSON reads no lines.
    pub log_alone: bool,
}

impl Announcer<'_> {
    pub fn announce(&self, at: &Announcement) {
        if self.link || self.terminal || !self.log_alone {
            self.print(at);
        }
    }

    fn print(&self, at: &Announcement) {
        let mut out = output::stdout();
        // Without a console the link opens nothing to look at. Who only reads has no other way to a first token.
        let link = self.link || self.terminal && (at.console || self.read_only);
        let mut lines = match (at.console, link) {
            (true, true) => entrance("console", &at.sign_in, "the link signs you in once, within an hour"),
            (true, false) => entrance("console", &at.url, "sign in with a token"),
            (false, true) => {
                entrance("session", &at.sign_in, "signs a program in once, within an hour: curl -c cookies LINK")
            }
            (false, false) => Vec::new(),
        };
        lines.push(format!("{}  {}/api/v1/openapi.json", label("API"), at.url));
        if !at.console {
            lines.push(format!("{}  this program was built without its console (make console)", label("")));
        }
        lines.extend(at.pg.map(|pg| format!("{}  psql -h {} -p {} audit", label("SQL"), pg.ip(), pg.port())));
        lines.extend(at.otlp_grpc.map(|grpc| format!("{}  {grpc}", label("OTLP gRPC"))));
        let role = if link && at.console { "writer" } else { "admin" };
        let made = if at.console { "in the console" } else { "by POST /api/v1/tokens" };
        lines.push(match self.read_only {
            true => format!("{}  made {made}, for as long as this runs; nothing is recorded", label("tokens")),
            false => format!("{}  counterfoil token create {} --role {role}", label("tokens"), self.ledger.display()),
        });
        for line in lines {
            let _ = writeln!(out, "{line}");
        }
        let _ = out.flush();
    }
}

fn entrance(what: &str, address: &str, how: &str) -> Vec<String> {
    vec![format!("{}  {}", label(what), styled(BOLD, address)), format!("{}  {how}", label(""))]
}

fn label(text: &str) -> String {
    styled(DIM, format!("{text:<10}")).to_string()
}
