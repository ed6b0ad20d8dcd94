//! `lockstep bundle PLAN -o FILE`.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::run::lanes_of;
use crate::bundle::{self, About, Contents};
use crate::cli::counts::Counts;
use crate::cli::output::{Format, emit, emit_json, note};
use crate::cli::pack::{Gathered, gather};
use crate::cli::prepare::{Model, experiment};
use crate::cli::{Error, Exit, Project};

/// Options of `bundle`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lockstep bundle quickstart -o quickstart.bundle\n  \
    lockstep bundle quickstart -o q.bundle --author \"A. Author\" --license CC-BY-4.0\n  \
    lockstep run --bundle quickstart.bundle")]
pub(in crate::cli) struct Options {
    /// Name of a plan, or a file ending in .toml.
    plan: String,
    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Checkpoint folder to take in place of the plan's own model.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    #[command(flatten)]
    counts: Counts,
    /// Who made it, for archives of publications; may be given several times.
    #[arg(long, value_name = "NAME")]
    author: Vec<String>,
    /// Its license, for archives of publications: an SPDX identifier or an address.
    #[arg(long, value_name = "LICENSE")]
    license: Option<String>,
    /// Day of publication; without it that on which the accepted verdict was measured, or today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<jiff::civil::Date>,
    /// How the answer is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    let (plan, found) = project.plan(&options.plan)?;
    let lanes = lanes_of(project, &plan)?;
    let model = Model::chosen(options.model.as_deref());
    let experiment = experiment(project, &options.plan, &found.text, model, options.counts)?;
    let Gathered { contents, sources, measured, .. } = &gather(project, &experiment, &lanes)?;
    let today = || jiff::Zoned::now().date().to_string();
    let about = About {
        description: experiment.plan.description.clone(),
        published: options.date.map(|day| day.to_string()).or_else(|| measured.clone()).unwrap_or_else(today),
        authors: options.author.clone(),
        license: options.license.clone(),
    };
    if contents.snapshots.is_empty() {
        note(&format!(
            "no verdict of plan {} was accepted yet: a run from the bundle has nothing to be held against",
            contents.plan
        ));
    }
    let written = write(&options.output, |out| Ok(bundle::write(out, contents.clone(), sources, &about)?))?;
    match options.format {
        Format::Json => emit_json(&written)?,
        Format::Text => emit(&text(&options.output, &written))?,
    }
    Ok(Exit::AsExpected)
}

/// Writes the file whole or not at all.
fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> Result<Contents, Error>,
) -> Result<Contents, Error> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = name else {
        return Err(Error::usage(format!("{} is no file name", path.display()), "name a file by -o"));
    };
    let partial = path.with_file_name(format!(".{name}.partial"));
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&partial).map_err(Error::file("creating", &partial))?);
    let written = content(&mut out).and_then(|contents| {
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(Error::file("writing", &partial))?;
        std::fs::rename(&partial, path).map_err(Error::file("moving into place", path))?;
        Ok(contents)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written
}

fn text(path: &Path, contents: &Contents) -> String {
    let bytes: u64 = contents.files.iter().map(|file| file.bytes).sum();
    let mut text = format!(
        "wrote {}: plan {}, {} files, {} MiB\n  {}\n",
        path.display(),
        contents.plan,
        contents.files.len(),
        bytes >> 20,
        contents.digest
    );
    for lane in &contents.lanes {
        let held = match (&lane.image, &lane.left_out, &lane.from_host[..]) {
            (Some(image), _, _) => format!("image {}", image.config),
            (None, Some(left), _) => format!("left out: {}", left.reason),
            (None, None, []) => "lockstep itself".to_owned(),
            (None, None, programs) => format!("{} of the host that runs it", programs.join(", ")),
        };
        text.push_str(&format!("  lane {}: {held}\n", lane.name));
    }
    text.push_str(&format!(
        "publish the digest beside it; a reviewer runs\n  lockstep run --bundle {} --expect {}\n",
        path.display(),
        contents.digest
    ));
    text
}
