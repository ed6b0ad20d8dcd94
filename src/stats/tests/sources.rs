//! The room's own sources: nothing in them may ask the host's C library for a number.

use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};

/// Methods of `f64` whose result is the host library's or is not specified to the last bit, beside those of `libm`.
const BANNED: [&str; 31] = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "cos",
    "cosh",
    "exp",
    "exp2",
    "exp_m1",
    "gamma",
    "hypot",
    "ln",
    "ln_1p",
    "ln_gamma",
    "log",
    "log10",
    "log2",
    "mul_add",
    "powf",
    "powi",
    "rem_euclid",
    "sin",
    "sin_cos",
    "sinh",
    "tan",
    "tanh",
    "to_degrees",
];

/// Finds calls of banned methods, as `x.ln()` or as `f64::ln`.
#[derive(Default)]
struct Offenders(Vec<String>);

impl<'ast> Visit<'ast> for Offenders {
    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let name = call.method.to_string();
        if BANNED.contains(&name.as_str()) {
            self.0.push(format!(".{name}()"));
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [.., owner, name] = names.as_slice()
            && (owner == "f64" || owner == "f32")
            && BANNED.contains(&name.as_str())
        {
            self.0.push(format!("{owner}::{name}"));
        }
        visit::visit_path(self, path);
    }
}

fn offenders(source: &str) -> Vec<String> {
    let mut found = Offenders::default();
    found.visit_file(&syn::parse_file(source).expect("Rust"));
    found.0
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder of this package") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_transcendental_comes_from_libm() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/stats"));
    assert!(files.len() >= 15, "only {} sources were found", files.len());
    for file in files {
        let found = offenders(&std::fs::read_to_string(&file).expect("a readable source"));
        assert!(
            found.is_empty(),
            "{} calls {found:?}; the host's C library decides their last bits, call the function of that name in `libm`",
            file.display()
        );
    }
}

#[test]
fn the_search_finds_methods_and_paths_and_leaves_libm_alone() {
    assert_eq!(offenders("fn f(x: f64) -> f64 { x.ln() + f64::exp(x) }"), [".ln()", "f64::exp"]);
    assert_eq!(offenders("fn f(v: &[f64]) -> Vec<f64> { v.iter().copied().map(f64::sin).collect() }"), ["f64::sin"]);
    assert!(offenders("fn f(x: f64) -> f64 { libm::log(x).sqrt() + libm::exp(x).abs() }").is_empty());
}
