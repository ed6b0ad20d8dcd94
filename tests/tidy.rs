//! The house rules, as tests. Every message says where, what is wrong, and what to do instead.
//!
//! This file holds the tables in force; `tests/tidy/` holds the rules, each with samples that it must catch. A new edge
//! between rooms is a new word in `ROOMS`, and its reason stands in the commit that adds it.
//!
//! Another checkout is checked with `LOCKSTEP_TIDY_ROOT=FOLDER cargo test --test tidy`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

#[path = "tidy/confined.rs"]
mod confined;
#[path = "tidy/errors.rs"]
mod errors;
#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/words.rs"]
mod words;

use confined::{Confined, Sign};
use source::{Finding, Source};

/// Each room, and the rooms that it may import.
const ROOMS: imports::Table = &[
    ("terms", &[]),
    ("stats", &[]),
    ("engine", &[]),
    ("wire", &["terms"]),
    ("plan", &["terms"]),
    ("lock", &["terms", "plan"]),
    ("journal", &["terms"]),
    ("import", &["terms", "journal"]),
    ("audit", &["terms", "stats", "journal", "import"]),
    ("launch", &["terms", "plan"]),
    ("verdict", &["terms", "stats", "plan", "journal"]),
    ("snapshot", &["terms", "verdict"]),
    ("report", &["terms", "stats", "journal", "verdict", "snapshot", "audit"]),
    ("bundle", &["terms"]),
    ("runner", &["terms", "wire", "engine"]),
    ("supervise", &["terms", "plan", "lock", "wire", "journal", "launch"]),
    (
        "cli",
        &[
            "terms",
            "stats",
            "engine",
            "wire",
            "plan",
            "lock",
            "journal",
            "import",
            "audit",
            "launch",
            "verdict",
            "snapshot",
            "report",
            "bundle",
            "runner",
            "supervise",
        ],
    ),
    ("main.rs", &["cli"]),
];

const CONFINED: &[Confined] = &[
    Confined {
        what: "only `cli` prints",
        sign: Sign::Macro(&["print", "println", "eprint", "eprintln", "dbg"]),
        places: &["cli", "main.rs"],
        instead: "return the value or the bytes and let `cli` print them; for a diagnosis, tracing",
    },
    Confined {
        what: "only `cli` reads the environment and the arguments",
        sign: Sign::Environment,
        places: &["cli", "main.rs"],
        instead: "take the value as an argument; for a temporary folder in a test, the crate tempfile",
    },
    Confined {
        what: "only `supervise`, `launch` and `lock` are asynchronous inside",
        sign: Sign::Crate(&["tokio"]),
        places: &["supervise", "launch", "lock"],
        instead: "call the synchronous function that such a room offers",
    },
    Confined {
        what: "only rooms that measure or keep deadlines read a clock",
        sign: Sign::Word(&["Instant", "SystemTime"]),
        places: &["runner", "supervise", "launch", "lock", "audit", "engine/timing"],
        instead: "take the time as a value; in the engine, time stages in src/engine/timing.rs",
    },
    Confined {
        what: "only rooms that measure or keep deadlines read a clock",
        sign: Sign::Pair(&[("Timestamp", "now"), ("Zoned", "now")]),
        places: &["runner", "supervise", "launch", "lock", "cli"],
        instead: "take the time as a value, or from the journal's header",
    },
    Confined {
        what: "only `launch` speaks to a container engine",
        sign: Sign::Crate(&["bollard"]),
        places: &["launch"],
        instead: "ask `launch` for what is needed, in a type of its own",
    },
    Confined {
        what: "only the engine's kernels may be unsafe",
        sign: Sign::Word(&["unsafe"]),
        places: &["engine/kernels"],
        instead: "a safe interface (rustix for the kernel's), or src/engine/kernels with the contract beside it",
    },
    Confined {
        what: "no room takes errors without a type",
        sign: Sign::Crate(&["anyhow", "eyre", "color_eyre"]),
        places: &[],
        instead: "the room's own Error, by thiserror",
    },
    Confined {
        what: "numbers that are judged come from one implementation on every host",
        sign: Sign::Float(&[
            "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "cos", "cosh", "exp", "exp2", "exp_m1",
            "hypot", "ln", "ln_1p", "ln_gamma", "log", "log10", "log2", "mul_add", "powf", "powi", "sin", "sin_cos",
            "sinh", "tan", "tanh",
        ]),
        places: &["!stats", "verdict", "audit"],
        instead: "the function of the same name in libm (sqrt is exact everywhere and may stay)",
    },
];

/// An item that may break one rule, and why.
struct Exception {
    path: &'static str,
    item: &'static str,
    why: &'static str,
}

/// Functions and files that are tables of data and may be longer.
const LONG: &[Exception] = &[
    Exception {
        path: "src/audit/library/numbers.rs",
        item: "register",
        why: "the language's own form of a table: one short function for each name",
    },
    Exception {
        path: "src/audit/library/statistics.rs",
        item: "register",
        why: "the language's own form of a table: one short function for each name",
    },
];

/// Error types beside their room's own.
const OTHER_ERRORS: &[Exception] = &[
    Exception { path: "src/terms/cell.rs", item: "CellIdError", why: "the `Err` of one value type's FromStr" },
    Exception { path: "src/terms/digest.rs", item: "DigestError", why: "the `Err` of one value type's FromStr" },
];

struct Tree {
    /// Rust below `src`, `tests` and `benches`.
    sources: Vec<Source>,
    /// All files that are text, with their text.
    texts: Vec<(String, String)>,
    /// Files that could not be read as Rust.
    broken: Vec<Finding>,
    folders: BTreeSet<String>,
}

fn root() -> PathBuf {
    std::env::var_os("LOCKSTEP_TIDY_ROOT").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

fn tree() -> &'static Tree {
    static TREE: OnceLock<Tree> = OnceLock::new();
    TREE.get_or_init(|| read(&root()))
}

fn read(root: &Path) -> Tree {
    let mut tree = Tree { sources: Vec::new(), texts: Vec::new(), broken: Vec::new(), folders: BTreeSet::new() };
    for path in tree::files(root) {
        let Ok(text) = std::fs::read_to_string(root.join(&path)) else { continue };
        let in_code = ["src/", "tests/", "benches/"].iter().any(|folder| path.starts_with(folder));
        if in_code && path.ends_with(".rs") {
            match Source::parse(&path, &text) {
                Ok(source) => tree.sources.push(source),
                Err(finding) => tree.broken.push(finding),
            }
        }
        tree.texts.push((path, text));
    }
    let rooms = tree.sources.iter().filter_map(Source::room).filter(|room| *room != "lib.rs");
    tree.folders = rooms.map(str::to_owned).collect();
    let test_files: BTreeSet<String> = tree.sources.iter().flat_map(files_for_tests_only).collect();
    for source in &mut tree.sources {
        source.whole_test = test_files.iter().any(|file| in_module(&source.path, file));
    }
    tree
}

/// Where the modules stand that `source` declares for tests only, without `.rs`.
fn files_for_tests_only(source: &Source) -> Vec<String> {
    let own = source.path.strip_suffix(".rs").unwrap_or(&source.path);
    let folder = match own.rsplit_once('/') {
        Some((folder, "mod" | "lib" | "main")) => folder,
        _ => own,
    };
    source.test_modules.iter().map(|name| format!("{folder}/{name}")).collect()
}

fn in_module(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.starts_with(['/', '.']))
}

fn without(exceptions: &[Exception], mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|found| !exceptions.iter().any(|known| known.path == found.path && known.item == found.item));
    findings
}

fn in_every_source(rule: impl Fn(&Source) -> Vec<Finding>) -> Vec<Finding> {
    tree().sources.iter().flat_map(rule).collect()
}

fn lengths() -> Vec<Finding> {
    let code =
        |path: &str| [".rs", ".py", ".sh", ".nix"].iter().any(|end| path.ends_with(end)) || path.starts_with(".ci/");
    let texts = tree().texts.iter().filter(|(path, _)| code(path));
    let mut findings: Vec<Finding> = texts.filter_map(|(path, text)| shape::file_length(path, text)).collect();
    findings.extend(in_every_source(shape::function_lengths));
    findings
}

#[track_caller]
fn assert_none(findings: &[Finding]) {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{} found:\n{}\n", findings.len(), lines.join("\n"));
}

#[test]
fn every_source_can_be_read() {
    assert_none(&tree().broken);
    assert!(tree().sources.len() > 20, "only {} Rust files were found below {:?}", tree().sources.len(), root());
}

#[test]
fn the_table_of_rooms_is_complete_and_has_no_cycle() {
    assert_none(&imports::table(&tree().folders, ROOMS));
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    assert_none(&in_every_source(|source| imports::imports(source, ROOMS)));
}

#[test]
fn functions_and_files_are_short() {
    assert_none(&without(LONG, lengths()));
}

#[test]
fn module_roots_hold_docs_and_names_only() {
    assert_none(&in_every_source(shape::module_roots));
}

#[test]
fn module_names_say_what_is_inside() {
    assert_none(&in_every_source(shape::module_names));
}

#[test]
fn what_is_confined_to_some_rooms_stays_there() {
    assert_none(&in_every_source(|source| confined::confined(source, CONFINED)));
}

#[test]
fn every_room_has_one_error_type() {
    assert_none(&without(OTHER_ERRORS, in_every_source(errors::error_types)));
}

#[test]
fn nothing_panics_on_input() {
    assert_none(&in_every_source(errors::panics));
}

#[test]
fn nothing_is_left_for_later() {
    assert_none(&in_every_source(errors::unfinished));
}

#[test]
fn no_file_holds_machine_paths_or_notes_for_later() {
    assert_none(&tree().texts.iter().flat_map(|(path, text)| words::words(path, text)).collect::<Vec<_>>());
}

#[test]
fn every_exception_is_still_needed() {
    let all = [(LONG, lengths()), (OTHER_ERRORS, in_every_source(errors::error_types))];
    for (exceptions, findings) in all {
        for known in exceptions {
            let needed = findings.iter().any(|found| known.path == found.path && known.item == found.item);
            assert!(needed, "{}: `{}` needs its exception ({}) no more; remove it", known.path, known.item, known.why);
        }
    }
}

/// One line that breaks each row of `CONFINED`, a place where it may not stand, and one where it may.
const CONFINED_SAMPLES: &[(&str, &str, &str)] = &[
    ("fn f() { eprintln!() }", "src/report/f.rs", "src/cli/f.rs"),
    ("use std::env::var;", "src/launch/f.rs", "src/main.rs"),
    ("use tokio::time::sleep;", "src/runner/f.rs", "src/supervise/f.rs"),
    ("use std::time::{Duration, Instant};", "src/engine/model.rs", "src/engine/timing.rs"),
    ("fn f() { jiff::Zoned::now(); }", "src/verdict/f.rs", "src/supervise/f.rs"),
    ("use bollard::Docker;", "src/lock/f.rs", "src/launch/docker.rs"),
    ("unsafe fn f() {}", "src/engine/model.rs", "src/engine/kernels/f.rs"),
    ("fn f() -> anyhow::Result<()> {}", "src/cli/f.rs", "benches/f.rs"),
    ("fn f(x: f64) { x.tanh(); }", "src/verdict/f.rs", "src/engine/f.rs"),
];

#[test]
fn every_row_of_the_confinements_catches_its_sample() {
    assert_eq!(CONFINED.len(), CONFINED_SAMPLES.len());
    for (row, (text, wrong, right)) in CONFINED.iter().zip(CONFINED_SAMPLES) {
        let found = |path| {
            let source = Source::parse(path, text).expect("the sample is valid Rust");
            confined::confined(&source, std::slice::from_ref(row)).len()
        };
        assert_eq!((found(wrong), found(right)), (1, 0), "{}: {text}", row.what);
    }
}

#[test]
fn a_finding_names_the_place_and_the_way_out() {
    let text = "fn f() { println!() }\n";
    let source = Source::parse("src/stats/f.rs", text).expect("the sample is valid Rust");
    let findings = confined::confined(&source, CONFINED);
    assert_eq!(
        findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "src/stats/f.rs:1: `println`: only `cli` prints, and this is no such place; instead: return the value or the \
          bytes and let `cli` print them; for a diagnosis, tracing"
        ]
    );
}

#[test]
fn files_of_test_modules_count_as_tests() {
    let declares = |path, text| Source::parse(path, text).expect("the sample is valid Rust");
    let from_root = declares("src/r/mod.rs", "#[cfg(test)]\nmod tests;\nmod real;\n");
    assert_eq!(files_for_tests_only(&from_root), ["src/r/tests"]);
    assert_eq!(files_for_tests_only(&declares("src/r/a.rs", "#[cfg(test)]\nmod tests;\n")), ["src/r/a/tests"]);
    assert!(in_module("src/r/tests.rs", "src/r/tests"));
    assert!(in_module("src/r/tests/deep.rs", "src/r/tests"));
    assert!(!in_module("src/r/tests_of_all.rs", "src/r/tests"));
}
