//! What to do when something happens.

use super::Document;
use crate::page::{Block, code, heading, prose, steps};

/// An incident: what it is called, how it shows, and the steps.
struct Incident {
    title: &'static str,
    sign: &'static str,
    steps: &'static [&'static str],
    commands: &'static str,
}

/// `LEDGER` stands for the ledger's folder.
const INCIDENTS: [Incident; 5] = [
    Incident {
        title: "Tampering is found",
        sign: "A verification or a query ends with exit code 10 or 11, an alert says so, or the console shows broken entries.",
        steps: &[
            "Leave the machine as it is: no restart, no repair, no new backup over an old one. What lies there is evidence.",
            "Call whom the section on contacts names. Write down when it was seen and by whom.",
            "Take a copy of the folder to another machine, and verify the copy with the key and a checkpoint from outside. The findings name file, place and kind.",
            "Verify the copy under lock. What it holds up to the finding is what was acknowledged.",
            "Find who could write to the folder, from the system's own logs.",
            "Go on recording in a restored ledger (see below); keep the broken one for as long as the entries in it are to be kept.",
        ],
        commands: "counterfoil verify LEDGER --key audit.vkey --checkpoint kept.checkpoint --json > findings.json",
    },
    Incident {
        title: "A key may be known to somebody else",
        sign: "A private key, a token or a backup of keys/ was seen where it does not belong.",
        steps: &[
            "Key of a client: revoke it. Entries signed before the revocation stay valid; the time of recording tells before from after.",
            "Token: revoke it, make a new one, and look for what it did in the access section of a report.",
            "Key of the ledger: stop the service. Whoever has it can sign another history, so checkpoints kept outside, the copy under lock and cosignatures of witnesses now decide what is true: compare with them first.",
            "Restore under a new name and key (see below). The old ledger ends at its last checkpoint that is held outside.",
        ],
        commands: "counterfoil key revoke LEDGER KEY_ID\ncounterfoil token revoke LEDGER NAME",
    },
    Incident {
        title: "Entries are missing",
        sign: "\"counterfoil status\" or an alert names numbers of a source that never arrived.",
        steps: &[
            "Wait as long as the program needs to send again: gaps close by themselves when what is missing arrives.",
            "Look into the program's spool, and let it be sent. Entries with an id or a number are not recorded twice.",
            "If the entries are lost, record that as an entry of its own, with the numbers, the cause and who decided it.",
        ],
        commands: "counterfoil status LEDGER",
    },
    Incident {
        title: "The disk is full",
        sign: "Appends are answered with \"unavailable\"; the log of the service names the disk.",
        steps: &[
            "Nothing that was acknowledged is lost. Programs keep what was refused and send it again.",
            "Make room on that disk, outside of the ledger's folder. Delete nothing in it.",
            "The ledger goes on by itself, or at its next start; then verify it.",
        ],
        commands: "df -h LEDGER\ncounterfoil verify LEDGER --key audit.vkey",
    },
    Incident {
        title: "The ledger must be restored",
        sign: "The machine is lost, or the folder is damaged.",
        steps: &[
            "Put the broken folder aside; it is evidence.",
            "From a copy under lock: restore it into a new folder. It goes on under a new name and key, and its first entry says what it continues.",
            "From a backup of the folder: verify it with a checkpoint from outside before the service starts. \"checkpoint-ahead\" means that entries are missing from it; then do not record in it.",
            "Give the new public key to everybody who verifies, and verify.",
            "Say in the next report which entries lie between the copy and the loss.",
        ],
        commands: "counterfoil restore s3://BUCKET/PREFIX NEW\ncounterfoil verify NEW",
    },
];

pub(super) fn blocks(document: &Document) -> Vec<Block> {
    let mut blocks = vec![prose(
        "Every incident, and what was done about it, is recorded as entries: what happened, when it was noticed, who decided.",
    )];
    let folder = crate::report::quoted(&document.locations.folder);
    for incident in &INCIDENTS {
        blocks.extend([heading(incident.title), prose(incident.sign), steps(incident.steps.iter().copied())]);
        blocks.push(code(&incident.commands.replace("LEDGER", &folder)));
    }
    blocks
}
