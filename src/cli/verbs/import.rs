//! `lockstep import KIND FILE… --plan PLAN --out JOURNAL`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::cli::durable::write_whole;
use crate::cli::output::{Format, emit, emit_json};
use crate::cli::{Error, Exit, Project};
use crate::import::{Imported, Kind, MAX_KEY_CHARS, PlanIdentity, axes, gather, import};
use crate::journal::{ImportedFile, compress, read};
use crate::plan::PlanFile;
use crate::terms::{Axes, Digest, Outcome};

/// Options of `import`.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(in crate::cli) struct Options {
    /// What the files are; see the list of kinds below.
    #[arg(required_unless_present = "kinds")]
    kind: Option<String>,
    /// The files, or folders of them.
    #[arg(required_unless_present = "kinds")]
    files: Vec<PathBuf>,
    /// The plan that the journal is bound to: its file, or else its name.
    #[arg(long, required_unless_present = "kinds")]
    plan: Option<String>,
    /// The journal to write; compressed where its name ends in .xz. It must not be there yet.
    #[arg(long, value_name = "JOURNAL", required_unless_present = "kinds")]
    out: Option<PathBuf>,
    /// An identity axis that you know, for example triton=3.4.0; all others stay unknown.
    #[arg(long = "axis", value_name = "NAME=VALUE")]
    axes: Vec<String>,
    /// List the kinds, and nothing else.
    #[arg(long)]
    kinds: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

fn after_help() -> String {
    let mut text = String::from("Kinds:\n");
    for kind in Kind::ALL {
        let _ = writeln!(text, "  {:<18} {}", kind.name(), kind.reads());
    }
    text.push_str(
        "\nExamples:\n  lockstep import table tables/tr165 --plan tr165 --out tr165.jsonl.xz\n  \
         lockstep import vllm-bench result.json --plan mine.toml --out result.jsonl.xz --axis torch=2.6.0",
    );
    text
}

/// What was imported, for programs.
#[derive(serde::Serialize)]
struct Written<'a> {
    journal: String,
    run: &'a str,
    head: Digest,
    kind: &'a str,
    plan: &'a str,
    plan_sha256: Digest,
    axes: &'a Axes,
    tables: u64,
    summaries: u64,
    observations: u64,
    outcomes: BTreeMap<&'static str, u64>,
    files: &'a [ImportedFile],
}

pub(in crate::cli) fn execute(project: &Project, options: &Options) -> Result<Exit, Error> {
    if options.kinds {
        list(options.format)?;
        return Ok(Exit::AsExpected);
    }
    let (Some(kind), Some(plan), Some(out)) = (&options.kind, &options.plan, &options.out) else {
        return Err(Error::Internal("arguments that are required were not asked for".to_owned()));
    };
    let kind: Kind = kind.parse()?;
    let (file, found) = project.plan_file_at(plan)?;
    let path = plan;
    let plan = PlanIdentity { sha256: file.digest(), name: file.name().to_owned() };
    if out.exists() {
        let found = format!("{} is there already", out.display());
        return Err(Error::usage(found, "a journal is never written over: remove it, or give another --out"));
    }
    if out.extension().is_some_and(|ending| ending == "gz") {
        let found = format!("{} asks for a gzip file", out.display());
        return Err(Error::usage(
            found,
            "journals are compressed by xz: let the name end in .jsonl.xz, or in .jsonl for none",
        ));
    }
    let is_compressed = out.extension().is_some_and(|ending| ending == "xz");
    let stated = axes(&options.axes)?;
    let imported = import(kind, &gather(kind, &options.files)?, &plan, stated)?;
    let bytes = imported.encode()?;
    let journal = read(&bytes)?;
    if let PlanFile::Published(design) = &file {
        Project::check_columns(path, &found, design, &journal)?;
    }
    let head = journal.head;
    write_whole(out, &if is_compressed { compress(&bytes) } else { bytes })?;
    match options.format {
        Format::Text => emit(&text(&imported, &plan.name, &out.display().to_string()))?,
        Format::Json => emit_json(&Written {
            journal: out.display().to_string(),
            run: &imported.run,
            head,
            kind: kind.name(),
            plan: &plan.name,
            plan_sha256: plan.sha256,
            axes: &imported.from.axes,
            tables: imported.tables,
            summaries: imported.summaries,
            observations: imported.observations(),
            outcomes: imported.outcomes.iter().map(|(outcome, count)| (outcome.name(), *count)).collect(),
            files: &imported.from.files,
        })?,
    }
    Ok(Exit::AsExpected)
}

fn list(format: Format) -> Result<(), Error> {
    match format {
        Format::Text => {
            let line = |kind: Kind| format!("{:<18} {}\n", kind.name(), kind.reads());
            emit(&Kind::ALL.map(line).concat())
        }
        Format::Json => {
            let kinds: BTreeMap<&str, &str> = Kind::ALL.map(|kind| (kind.name(), kind.reads())).into();
            emit_json(&kinds)
        }
    }
}

fn text(imported: &Imported, plan: &str, out: &str) -> String {
    let Imported { from, summaries, tables, outcomes, .. } = imported;
    let mut text = format!(
        "{out}: {summaries} printed rows of {tables} tables and {} raw rows, from {} files ({}), bound to plan {plan}\n",
        imported.observations(),
        from.files.len(),
        from.kind
    );
    let counted = |(outcome, count): (&Outcome, &u64)| format!("{count} {outcome}");
    if !outcomes.is_empty() {
        let _ = writeln!(text, "raw rows: {}", outcomes.iter().map(counted).collect::<Vec<_>>().join(", "));
    }
    let stated: Vec<String> = from.axes.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let known = if stated.is_empty() { "none".to_owned() } else { stated.join(", ") };
    let _ = writeln!(text, "identity axes stated: {known}; all others are unknown, and so is the host");
    for file in from.files.iter().filter(|file| !file.ignored.is_empty()) {
        let _ = writeln!(
            text,
            "left out of {} (lists, objects, texts of more than {MAX_KEY_CHARS} characters, and what the kind {} does not \
             read): {}",
            file.name,
            from.kind,
            file.ignored.join(", ")
        );
    }
    text
}
