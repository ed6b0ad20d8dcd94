//! `lockstep audit CLAIMS [--data DIR]`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::audit::{Answer, Audited, DataFolder, Evaluator, FUNCTIONS, Limits, MAX_CLAIMS_BYTES, audit, read_claims};
use crate::cli::output::{Format, emit, emit_json, style};
use crate::cli::{Error, Exit};
use crate::report;

/// The hidden verb that computes one formula.
const FORMULA_VERB: &str = "audit-formula";

/// Options of `audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exits with 1 when a claim is contradicted, with 4 when none could be checked.\n\n\
                        Examples:\n  lockstep audit claims.jsonl\n  \
                        lockstep audit claims.jsonl --data tables/data --format json\n  lockstep audit --functions")]
pub(in crate::cli) struct Options {
    /// Claims, one JSON object a line (`lockstep schema claims`).
    #[arg(required_unless_present = "functions")]
    claims: Option<PathBuf>,
    /// The folder called `data` that the claims name their tables in [default: `data` beside CLAIMS].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print what a formula may use: tables, statistics, Starlark.
    #[arg(long)]
    functions: bool,
    /// How the answers are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(in crate::cli) fn execute(options: &Options) -> Result<Exit, Error> {
    if options.functions {
        emit(FUNCTIONS)?;
        return Ok(Exit::AsExpected);
    }
    let Some(path) = &options.claims else {
        return Err(Error::Internal("an argument that is required was not asked for".to_owned()));
    };
    let name = path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
    let claims = read_claims(&name, &bytes(path)?)?;
    let beside = || path.parent().unwrap_or(Path::new("")).join("data");
    let data = DataFolder::open(&options.data.clone().unwrap_or_else(beside))?;
    let program = std::env::current_exe().map_err(Error::file("finding", "this program"))?;
    let evaluator = Evaluator { program, arguments: vec![FORMULA_VERB.to_owned()], limits: Limits::FORMULA };
    let audited = audit(&name, &claims, &data, &evaluator)?;
    match options.format {
        Format::Json => emit_json(&audited)?,
        Format::Text => emit(&report::audit_text(&name, &audited, style()))?,
    }
    Ok(exit(&audited))
}

/// One byte more than is taken, so that a file that is too long shows.
fn bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::file("opening", path))?;
    file.take(MAX_CLAIMS_BYTES + 1).read_to_end(&mut bytes).map_err(Error::file("reading", path))?;
    Ok(bytes)
}

fn exit(audited: &[Audited]) -> Exit {
    let any = |answer| audited.iter().any(|claim| claim.answer == answer);
    match (any(Answer::Contradicted), any(Answer::Confirmed)) {
        (true, _) => Exit::Changed,
        (false, true) => Exit::AsExpected,
        (false, false) => Exit::NothingMeasured,
    }
}
