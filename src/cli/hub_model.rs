//! The checkpoint that a plan takes from a model hub.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::leftovers::Around;
use super::output::note;
use super::prepare::replace;
use super::{Error, Project, environment};
use crate::lock::{Fetched, fetch_checkpoint, folder_digest};
use crate::plan::{Hub, Plan};

/// Without a terminal a line is written at each tenth of the way.
const LINE_EVERY_PCT: u64 = 10;

/// The folder of the downloaded checkpoint: kept like a generated one, and downloaded on first use. What arrived before a
/// break stays in a folder of its own and is used by the next attempt.
pub(super) fn hub_model(project: &Project, plan: &Plan, hub: &Hub) -> Result<PathBuf, Error> {
    let (models, sha256) = (project.models(), plan.model.sha256);
    let folder = models.join(format!("{}-{}", plan.model.name, sha256.short()));
    if folder_digest(&folder).is_ok_and(|found| found.digest == sha256) {
        return Ok(folder);
    }
    let options = environment::hub()?;
    let arriving = models.join(format!(".download-{}", sha256.short()));
    let Hub { repository, revision, files } = hub;
    let _downloading = tracing::debug_span!("downloading the model", repository, revision).entered();
    note(&format!("preparing {repository} at revision {revision}, {} files, in {}", files.len(), models.display()));
    // Where nothing has arrived, nothing stays.
    let _around = Around::of(&arriving)?;
    let mut progress = Arriving::new();
    let fetched = fetch_checkpoint(&options, hub, sha256, &arriving, &mut |news| progress.show(news));
    progress.finish();
    if fetched.is_err() {
        let _ = std::fs::remove_dir(&arriving);
    }
    fetched?;
    let found = folder_digest(&arriving)?.digest;
    if found != sha256 {
        let found =
            format!("{} holds a model with the digest {found}, and {sha256} was downloaded", arriving.display());
        return Err(Error::usage(found, "remove that folder, and what else stands in it than was downloaded"));
    }
    replace(&arriving, &folder)?;
    Ok(folder)
}

/// How far the download is: a bar on a terminal, plain lines elsewhere.
struct Arriving {
    terminal: bool,
    bar: Option<ProgressBar>,
    next_line_pct: u64,
}

impl Arriving {
    fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), bar: None, next_line_pct: LINE_EVERY_PCT }
    }

    fn show(&mut self, Fetched { file, done_bytes, total_bytes }: Fetched<'_>) {
        if self.terminal {
            let bar = self.bar.get_or_insert_with(|| {
                let bar = ProgressBar::new(total_bytes);
                let template = "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {msg} [{eta_precise}]";
                ProgressStyle::with_template(template).map_or(bar.clone(), |style| bar.with_style(style))
            });
            bar.set_message(file.to_owned());
            bar.set_position(done_bytes);
            return;
        }
        let pct = (u128::from(done_bytes) * 100).checked_div(u128::from(total_bytes)).unwrap_or(100);
        let pct = u64::try_from(pct).unwrap_or(100);
        if pct >= self.next_line_pct {
            self.next_line_pct = pct - pct % LINE_EVERY_PCT + LINE_EVERY_PCT;
            note(&format!("{pct:>3} %  {} of {} MiB  {file}", done_bytes >> 20, total_bytes >> 20));
        }
    }

    fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
