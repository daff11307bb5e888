//! Verifying a ledger's folder without trusting whoever wrote it: every byte read, every leaf, tile, index, root and
//! signature derived anew, every finding collected.

mod anchor;
mod batch;
mod chain;
mod edge;
mod files;
mod ids;
mod resume;
mod scrub;
mod seals;
mod segment;
mod signed;
mod tail;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use counterfoil_evidence::{Finding, FindingKind, Report};
use counterfoil_tlog::VerifierKey;
use crossbeam_channel::bounded;

use crate::config::Config;
use crate::disk::{Disk, OsDisk};
use crate::error::{Error, Result};
use crate::layout::Layout;

use anchor::Anchors;
use chain::Chain;
use files::Files;
pub use resume::{CopyMark, Verified};
use segment::SegmentCheck;

/// What a verification is told from outside.
#[derive(Clone)]
pub struct VerifyOptions<'a> {
    /// A signed checkpoint of this ledger that was kept elsewhere.
    pub checkpoint: Option<Vec<u8>>,
    /// Keys that are trusted to be the ledger's.
    pub keys: Vec<VerifierKey>,
    /// How many threads read segments.
    pub threads: usize,
    /// Called with the entries checked so far and their total.
    pub progress: Option<&'a (dyn Fn(u64, u64) + Sync)>,
    /// How far an earlier verification came: only what is behind it is read.
    pub resume: Option<Verified>,
    /// Called now and then, and at the end, with how far this one came without a finding.
    pub remember: Option<&'a (dyn Fn(Verified) + Sync)>,
    /// The disk.
    pub disk: Arc<dyn Disk>,
}

/// How many segments are read until what was verified is remembered again.
const REMEMBER_SEGMENTS: usize = 16;

impl Default for VerifyOptions<'_> {
    fn default() -> Self {
        Self {
            checkpoint: None,
            keys: Vec::new(),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            progress: None,
            resume: None,
            remember: None,
            disk: Arc::new(OsDisk),
        }
    }
}

/// Verifies the ledger in a folder. It needs no key and takes no lock; findings are in the report.
///
/// Errors: `NotFound` when there is no ledger, `Invalid` when a given checkpoint or key is none.
pub fn verify(path: impl AsRef<Path>, options: &VerifyOptions<'_>) -> Result<Report> {
    let layout = Layout::new(path.as_ref());
    let disk = options.disk.as_ref();
    let mut report = Report::default();
    let text = match disk.read_small(&layout.config()) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !files::hold_a_ledger(disk, &layout) => {
            return Err(Error::not_found(format!("{} is no ledger: it has no ledger.toml", path.as_ref().display())));
        }
        Err(error) => {
            report.add(finding(FindingKind::MissingFile, "ledger.toml", None, error.to_string()));
            return Ok(report);
        }
    };
    let config = match Config::parse(&text) {
        Ok(config) => config,
        Err(error) => {
            report.add(finding(FindingKind::LedgerFileChanged, "ledger.toml", None, error.message));
            return Ok(report);
        }
    };
    report.origin = config.origin.to_string();
    // Before the files: what it covers is in them, whatever a writer does meanwhile.
    let published = disk.read_small(&layout.checkpoint());
    let files = Files::list(disk, &layout, &mut report.findings);
    let anchors = Anchors::read((disk, &layout, &config), published, &files, options, &mut report)?;
    let mut chain = Chain::new(&config, &text, &anchors);
    if let Some(state) = &options.resume {
        chain.resume(state, &layout)?;
        let (size, root) = (state.size(), state.root());
        report
            .notices
            .push(format!("the first {size} entries, of root {root}, were verified earlier and not read again"));
    }
    let remember = options.remember.filter(|_| report.is_clean());
    check_segments(disk, &layout, &files, options, remember, &mut chain)?;
    let reached = remember.and_then(|_| chain.remember());
    tail::check(disk, &layout, &files, &anchors, &mut chain);
    files.check_attachments(disk, &layout, &mut report.findings);
    chain.finish(disk, &layout, &files, &mut report);
    signed::check(disk, &layout, &config, &mut chain, &mut report);
    if let (Some(remember), Some(reached)) = (remember, reached)
        && report.is_clean()
    {
        remember(reached.with_signatures_checked());
    }
    Ok(report)
}

/// Reads the segments on several threads and joins what they found in order. An error when a pruned one cannot be had: then
/// nothing is known of it, which is no finding.
fn check_segments(
    disk: &dyn Disk,
    layout: &Layout,
    files: &Files,
    options: &VerifyOptions<'_>,
    remember: Option<&(dyn Fn(Verified) + Sync)>,
    chain: &mut Chain<'_>,
) -> Result<()> {
    let anchors = chain.anchors;
    let start = files.segments.partition_point(|segment| segment.first < chain.size());
    let next = AtomicUsize::new(start);
    let threads = options.threads.clamp(1, (files.segments.len() - start).max(1));
    let (sender, receiver) = bounded::<(usize, SegmentCheck)>(threads);
    let work = |sender: crossbeam_channel::Sender<(usize, SegmentCheck)>| {
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(segment) = files.segments.get(position) else { return };
            let checked = SegmentCheck::run(disk, layout, segment, &anchors.sizes);
            if sender.send((position, checked)).is_err() {
                return;
            }
        }
    };
    let like_the_caller = crate::background::like_the_caller();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            scope.spawn(|| {
                like_the_caller();
                work(sender);
            });
        }
        drop(sender);
        let mut early = std::collections::BTreeMap::new();
        let mut wanted = start;
        for (position, mut checked) in receiver {
            if let Some(error) = checked.unreachable.take() {
                return Err(error);
            }
            early.insert(position, checked);
            while let Some(checked) = early.remove(&wanted) {
                chain.join(checked);
                wanted += 1;
                if let Some(remember) = remember
                    && (wanted - start).is_multiple_of(REMEMBER_SEGMENTS)
                    && let Some(reached) = chain.remember()
                {
                    remember(reached);
                }
                if let Some(progress) = options.progress {
                    progress(chain.size(), files.expected_size(anchors.published_size()));
                }
            }
        }
        Ok(())
    })
}

fn finding(kind: FindingKind, file: &str, index: Option<u64>, message: impl Into<String>) -> Finding {
    Finding { kind, file: Some(file.to_owned()), offset: None, index, message: message.into() }
}
