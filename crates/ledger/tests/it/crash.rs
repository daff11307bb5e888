//! The crash matrix: every durable step of creating, appending, sealing, opening and closing is killed, torn and failed.

use counterfoil::{ErrorKind, Pruned, Result};
use counterfoil_entry::Draft;
use counterfoil_testkit::{Fault, MemoryDisk};
use sha2::{Digest, Sha256};

use crate::effort::stride;
use crate::elsewhere;
use crate::trial::Trial;

/// Something that a ledger does.
struct Script {
    name: &'static str,
    /// What was done before, on a disk that works.
    before: fn(&mut Trial) -> Result<()>,
    /// What is disturbed.
    act: fn(&mut Trial) -> Result<()>,
    /// The disk's size; a small one leaves no room for the journal's reserve.
    capacity: Option<u64>,
    /// Every how manieth operation is the first of two kills.
    stride: usize,
}

const CREATE: Script = Script {
    name: "create",
    before: |_| Ok(()),
    act: |trial| {
        trial.create(256)?;
        trial.append(1)?;
        trial.append(3)?;
        trial.close()?;
        trial.open()?;
        trial.append(1)?;
        trial.close()
    },
    capacity: None,
    stride: 2,
};

const CROSSING: Script = Script {
    name: "crossing",
    before: |trial| {
        trial.create(256)?;
        trial.append(150)?;
        trial.close()
    },
    act: |trial| {
        trial.open()?;
        trial.append(1)?;
        trial.append(103)?;
        trial.seal()?;
        trial.append(2)?;
        trial.append(300)?;
        trial.seal()?;
        trial.append(1)?;
        trial.close()
    },
    capacity: Some(4 << 20),
    stride: 4,
};

const EARLY_SEAL: Script = Script {
    name: "early seal",
    before: |trial| {
        trial.create(1024)?;
        trial.append(300)?;
        trial.close()
    },
    act: |trial| {
        trial.open()?;
        trial.append(1)?;
        trial.append(40)?;
        trial.append(1)?;
        trial.seal()?;
        trial.append(220)?;
        trial.append(2)?;
        trial.seal()?;
        trial.close()
    },
    capacity: Some(8 << 20),
    stride: 2,
};

/// An entry of which a segment of 256 fills several blocks.
fn long_draft(number: usize) -> Draft {
    let note: String = (0..16).map(|part| hex::encode(Sha256::digest(format!("{number} {part}")))).collect();
    let draft = Draft::builder("note", "bot", "N-1").context_json(&format!("{{\"note\":\"{note}\"}}"));
    draft.build().expect("a draft")
}

const SEVERAL_SPANS: Script = Script {
    name: "several spans",
    before: |trial| {
        trial.create(256)?;
        trial.append(5)?;
        trial.close()
    },
    act: |trial| {
        trial.open()?;
        trial.append(900)?;
        trial.seal()?;
        trial.close()
    },
    capacity: Some(4 << 20),
    stride: 4,
};

const PRUNE: Script = Script {
    name: "prune",
    before: |trial| {
        trial.create(256)?;
        trial.append_drafts(&(0..600).map(long_draft).collect::<Vec<_>>())?;
        trial.seal()?;
        trial.close()
    },
    act: |trial| {
        trial.open()?;
        let snapshot = trial.ledger().snapshot();
        let pruned = Pruned { place: elsewhere::hold(&snapshot)?, below: 512 };
        let gone = trial.ledger().prune(pruned, snapshot.size())?;
        assert_eq!(gone.segments, 2);
        trial.append(1)?;
        let back = trial.ledger().fetch_pruned()?;
        assert_eq!(back, gone);
        trial.append(1)?;
        trial.close()
    },
    capacity: Some(4 << 20),
    stride: 2,
};

impl Script {
    fn start(&self) -> Trial {
        let mut trial = Trial::new(self.capacity.map_or_else(MemoryDisk::new, MemoryDisk::with_capacity));
        (self.before)(&mut trial).expect("a disk that works");
        trial.label = self.name.to_owned();
        trial
    }

    /// Runs the script with a fault at operation `number`; `None` when there is no such operation.
    fn run(&self, base: &Trial, number: u64, fault: Fault) -> Option<(Trial, Result<()>)> {
        let mut trial = base.branch(base.disk.restart(), &format!("{fault:?} at {number}"));
        trial.disk.plan(number, fault);
        let outcome = (self.act)(&mut trial);
        let struck = trial.disk.is_struck();
        if let Some(operation) = trial.disk.trace().get(number as usize - 1) {
            trial.label = format!("{} ({operation})", trial.label);
        }
        struck.then_some((trial, outcome))
    }

    /// Kills at every operation, and checks what a power failure, a mere restart, and both one after the other leave.
    fn kill_everywhere(&self) {
        let base = self.start();
        for number in 1.. {
            for fault in [Fault::Kill, Fault::Tear] {
                let Some((mut killed, _)) = self.run(&base, number, fault) else {
                    assert!(number > 20, "{}: {number} operations", self.name);
                    return;
                };
                if fault == Fault::Tear && !killed.label.contains("(write") {
                    continue;
                }
                drop(killed.ledger.take());
                for seed in 0..3 {
                    let seed = number * 3 + seed;
                    killed.branch(killed.disk.crash(seed), &format!("crash {seed}")).assert_recovers();
                }
                let mut restarted = killed.branch(killed.disk.restart(), "restart");
                restarted.assert_no_finding();
                if restarted.open().is_ok() {
                    let mut crashed = restarted.crashed(number, "crash after it opened");
                    drop(restarted);
                    crashed.assert_recovers();
                }
                killed.branch(killed.disk.restart(), "restart").assert_recovers();
            }
        }
    }

    /// Kills at every operation, and then again at every operation of the opening that follows.
    fn kill_while_opening(&self) {
        let base = self.start();
        for number in (1..).step_by(stride(self.stride)) {
            let Some((mut killed, _)) = self.run(&base, number, Fault::Kill) else { return };
            drop(killed.ledger.take());
            let found = killed.disk.crash(number * 7);
            for second in 1.. {
                let mut again = killed.branch(found.restart(), &format!("crash, kill {second} while opening"));
                again.disk.plan(second, Fault::Kill);
                let opened = again.open();
                drop(again.ledger.take());
                if !again.disk.is_struck() {
                    break;
                }
                assert!(opened.is_err() || second > 1, "{}", again.label);
                again.branch(again.disk.crash(second), "crash").assert_recovers();
            }
        }
    }

    /// Lets every operation fail once.
    fn fail_everywhere(&self) {
        let base = self.start();
        for number in 1.. {
            for fault in [Fault::InputOutput, Fault::NoSpace] {
                let Some((mut failed, outcome)) = self.run(&base, number, fault) else { return };
                if let Err(error) = outcome {
                    let honest = matches!(error.kind, ErrorKind::Unavailable | ErrorKind::Poisoned);
                    assert!(honest, "{}: {:?}: {error}", failed.label, error.kind);
                    assert_poisoned_stays_so(&mut failed, error.kind);
                }
                drop(failed.ledger.take());
                failed.branch(failed.disk.crash(number), "crash").assert_recovers();
                failed.branch(failed.disk.restart(), "restart").assert_recovers();
            }
        }
    }
}

/// A poisoned ledger takes nothing more; one whose journal could not be synced is poisoned.
fn assert_poisoned_stays_so(failed: &mut Trial, kind: ErrorKind) {
    if failed.ledger.is_none() {
        return;
    }
    let poisoned = failed.ledger().status().is_ok_and(|status| status.poisoned.is_some());
    assert_eq!(kind == ErrorKind::Poisoned, poisoned, "{}: status tells", failed.label);
    match failed.append(1) {
        Ok(()) => assert!(!poisoned, "{}: a poisoned ledger took an entry", failed.label),
        Err(error) if poisoned => assert_eq!(error.kind, ErrorKind::Poisoned, "{}: {error}", failed.label),
        Err(error) => panic!("{}: the fault is over: {error}", failed.label),
    }
}

#[test]
fn creating_survives_a_kill_anywhere() {
    CREATE.kill_everywhere();
}

#[test]
fn crossing_a_span_survives_a_kill_anywhere() {
    CROSSING.kill_everywhere();
}

#[test]
fn sealing_early_survives_a_kill_anywhere() {
    EARLY_SEAL.kill_everywhere();
}

#[test]
fn sealing_several_spans_survives_a_kill_anywhere() {
    SEVERAL_SPANS.kill_everywhere();
}

#[test]
fn pruning_and_fetching_back_survive_a_kill_anywhere() {
    PRUNE.kill_everywhere();
}

#[test]
fn opening_after_a_crash_survives_a_kill_anywhere() {
    for script in [&CREATE, &CROSSING, &EARLY_SEAL, &SEVERAL_SPANS, &PRUNE] {
        script.kill_while_opening();
    }
}

#[test]
fn a_step_that_fails_once_loses_nothing() {
    for script in [&CREATE, &CROSSING, &EARLY_SEAL, &SEVERAL_SPANS, &PRUNE] {
        script.fail_everywhere();
    }
}

#[test]
fn a_sync_of_the_journal_that_fails_poisons_the_ledger() {
    for script in [&CREATE, &CROSSING, &EARLY_SEAL] {
        let base = script.start();
        let mut commits = 0;
        for number in 3.. {
            let Some((failed, outcome)) = script.run(&base, number, Fault::InputOutput) else { break };
            let trace = failed.disk.trace();
            let [.., before, write, sync] = &trace[..number as usize] else { unreachable!("three operations") };
            let carried = before.starts_with("create") || before.starts_with("write");
            let commit = sync.starts_with("sync /books/ledger/journal") && write.starts_with("write") && !carried;
            if commit && failed.ledger.is_some() {
                commits += 1;
                let error = outcome.expect_err("an entry that is not durable is not acknowledged");
                assert_eq!(error.kind, ErrorKind::Poisoned, "{}: {error}", failed.label);
            }
        }
        assert!(commits >= 2, "{}: {commits} commits", script.name);
    }
}
