//! `flake.nix` evaluates, offers what README.md names, and runs the right program with the right arguments.
//!
//! nixpkgs itself needs a network and gigabytes, so `tests/nix_stub` stands in for it. What a stand-in cannot show is
//! that the real package builds; what it does show is every name, argument, path and program that this flake gives.

#[path = "tidy/tree.rs"]
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::{Value, json};
use tempfile::TempDir;

const SYSTEMS: [&str; 2] = ["aarch64-linux", "x86_64-linux"];

const NIX_CONF: &str = "\
experimental-features = nix-command flakes
build-users-group =
sandbox = false
substitute = false
substituters =
flake-registry =
warn-dirty = false
";

type Check = fn(&Flake) -> Result<(), Failed>;

const CHECKS: &[(&str, Check)] = &[
    ("the_lock_is_what_nix_would_write", the_lock_is_what_nix_would_write),
    ("a_lock_that_does_not_fit_the_inputs_is_refused", a_lock_that_does_not_fit_the_inputs_is_refused),
    ("every_system_offers_the_same_names", every_system_offers_the_same_names),
    ("flake_show_and_check_accept_it", flake_show_and_check_accept_it),
    ("every_output_is_evaluated", every_output_is_evaluated),
    ("the_image_runs_the_native_lane", the_image_runs_the_native_lane),
    ("the_package_is_built_from_what_it_is_made_of", the_package_is_built_from_what_it_is_made_of),
    ("the_checks_run_tests_lints_and_format", the_checks_run_tests_lints_and_format),
    ("apps_name_programs_of_the_package", apps_name_programs_of_the_package),
    ("nix_run_passes_its_arguments_on", nix_run_passes_its_arguments_on),
    ("an_older_rustc_than_cargo_asks_for_is_refused", an_older_rustc_than_cargo_asks_for_is_refused),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let nix = Command::new("nix").arg("--version").output();
    let absent = nix.err().map(|error| format!("nix does not start: {error}; Debian has it as nix-bin"));
    let flake = Arc::new(Flake::copy_of(Path::new(env!("CARGO_MANIFEST_DIR"))));
    let trials = CHECKS.iter().map(|(name, check)| {
        let (absent, flake) = (absent.clone(), Arc::clone(&flake));
        Trial::ignorable_test(*name, move || match absent {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None => check(&flake).map(|()| Completion::Completed),
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A copy of the project's files in a folder of its own, with a Nix store of its own.
struct Flake {
    folder: TempDir,
}

impl Flake {
    fn copy_of(project: &Path) -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        for path in tree::files(project) {
            let target = folder.path().join("project").join(&path);
            std::fs::create_dir_all(target.parent().expect("a file stands in a folder")).expect("folders can be made");
            std::fs::copy(project.join(&path), target).expect("files of the project can be read");
        }
        std::fs::create_dir_all(folder.path().join("conf")).expect("folders can be made");
        std::fs::write(folder.path().join("conf/nix.conf"), NIX_CONF).expect("the folder is new");
        Self { folder }
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// Runs `nix`, offline, apart from this machine's own store and settings.
    fn nix(&self, arguments: &[&str]) -> Output {
        let own = |name: &str| self.folder.path().join(name);
        Command::new("nix")
            .arg("--offline")
            .args(arguments)
            .current_dir(self.folder.path())
            .env("NIX_CONF_DIR", own("conf"))
            .env("NIX_USER_CONF_FILES", own("conf/nix.conf"))
            .env("NIX_STORE_DIR", own("store"))
            .env("NIX_STATE_DIR", own("state"))
            .env("NIX_LOG_DIR", own("log"))
            .env("NIX_REMOTE", "local")
            .env("HOME", own("home"))
            .env("XDG_CACHE_HOME", own("home/.cache"))
            .env_remove("NIX_CONFIG")
            .env_remove("NIX_PATH")
            .output()
            .expect("nix was there a moment ago")
    }

    /// Runs a flake command on `project#attribute`, with the stand-in for nixpkgs.
    fn stubbed(&self, project: &Path, command: &[&str], attribute: &str, rest: &[&str]) -> Output {
        let stub = format!("path:{}", self.project().join("tests/nix_stub").display());
        let target = format!("path:{}{attribute}", project.display());
        let mut arguments = command.to_vec();
        arguments.extend(["--override-input", "nixpkgs", &stub, "--no-write-lock-file", &target]);
        arguments.extend(rest);
        self.nix(&arguments)
    }

    fn eval(&self, attribute: &str, function: &str) -> Result<Value, Failed> {
        let output = self.stubbed(&self.project(), &["eval", "--json", "--apply", function], attribute, &[]);
        Ok(serde_json::from_str(&succeeded(output)?)?)
    }

    /// A second project with other text in one of its files.
    fn edited(&self, name: &str, file: &str, old: &str, new: &str) -> Result<PathBuf, Failed> {
        let copy = self.folder.path().join(name);
        for path in tree::files(&self.project()) {
            let target = copy.join(&path);
            std::fs::create_dir_all(target.parent().ok_or("a file stands in a folder")?)?;
            std::fs::copy(self.project().join(&path), target)?;
        }
        let text = std::fs::read_to_string(copy.join(file))?;
        if !text.contains(old) {
            return Err(format!("{file} does not hold {old:?}").into());
        }
        std::fs::write(copy.join(file), text.replace(old, new))?;
        Ok(copy)
    }
}

impl Drop for Flake {
    fn drop(&mut self) {
        // A store is read-only, and what is read-only stays behind when the folder is removed by another than root.
        let _ = Command::new("chmod").args(["-R", "u+w"]).arg(self.folder.path()).status();
    }
}

fn succeeded(output: Output) -> Result<String, Failed> {
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    Err(format!("nix failed ({}):\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// The standard error of a command that has to fail.
fn refused(output: &Output) -> Result<String, Failed> {
    if output.status.success() {
        return Err("nix accepted what it has to refuse".into());
    }
    Ok(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn expect_equal<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), Failed> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: found {found:#?}, expected {expected:#?}").into())
}

fn expect_in(text: &str, part: &str) -> Result<(), Failed> {
    if text.contains(part) {
        return Ok(());
    }
    Err(format!("{part:?} is not in:\n{text}").into())
}

fn the_lock_is_what_nix_would_write(flake: &Flake) -> Result<(), Failed> {
    let target = format!("path:{}", flake.project().display());
    let output = flake.nix(&["flake", "metadata", "--json", "--no-update-lock-file", &target]);
    let metadata: Value = serde_json::from_str(&succeeded(output)?)?;
    let written: Value = serde_json::from_slice(&std::fs::read(flake.project().join("flake.lock"))?)?;
    expect_equal("flake.lock", &metadata["locks"], &written)?;
    expect_equal("inputs", &written["nodes"]["root"]["inputs"], &json!({"nixpkgs": "nixpkgs"}))?;
    let hash = written["nodes"]["nixpkgs"]["locked"]["narHash"].as_str().unwrap_or_default();
    expect_equal("length of narHash", hash.len(), "sha256-".len() + 44)?;
    expect_in(&std::fs::read_to_string(flake.project().join("flake.nix"))?, &locked_input(flake)?)
}

/// The input as flake.nix has to spell it for flake.lock to fit.
fn locked_input(flake: &Flake) -> Result<String, Failed> {
    let lock: Value = serde_json::from_slice(&std::fs::read(flake.project().join("flake.lock"))?)?;
    let part = |name: &str| lock["nodes"]["nixpkgs"]["original"][name].as_str().unwrap_or_default().to_owned();
    Ok(format!("{}:{}/{}/{}", part("type"), part("owner"), part("repo"), part("ref")))
}

fn a_lock_that_does_not_fit_the_inputs_is_refused(flake: &Flake) -> Result<(), Failed> {
    let stub = format!("path:{}", flake.project().join("tests/nix_stub").display());
    let copy = flake.edited("relocked", "flake.nix", &locked_input(flake)?, &stub)?;
    let target = format!("path:{}", copy.display());
    let said = refused(&flake.nix(&["flake", "metadata", "--no-update-lock-file", &target]))?;
    expect_in(&said, "lock file")
}

fn every_system_offers_the_same_names(flake: &Flake) -> Result<(), Failed> {
    let names = |attribute| flake.eval(attribute, "builtins.mapAttrs (_: builtins.attrNames)");
    let on_each = |names: &[&str]| json!(SYSTEMS.iter().map(|system| (*system, names)).collect::<BTreeMap<_, _>>());
    expect_equal("packages", names("#packages")?, on_each(&["default", "image", "lockstep"]))?;
    expect_equal("apps", names("#apps")?, on_each(&["default", "lane"]))?;
    expect_equal("checks", names("#checks")?, on_each(&["clippy", "fmt", "package", "tests"]))?;
    expect_equal("devShells", names("#devShells")?, on_each(&["default"]))?;
    let formatters = flake.eval("#formatter", "builtins.attrNames")?;
    expect_equal("formatter", formatters, json!(SYSTEMS))
}

fn flake_show_and_check_accept_it(flake: &Flake) -> Result<(), Failed> {
    let shown = flake.stubbed(&flake.project(), &["flake", "show", "--json"], "", &[]);
    let shown: Value = serde_json::from_str(&succeeded(shown)?)?;
    expect_equal("kind of apps", &shown["apps"]["x86_64-linux"]["lane"]["type"], &json!("app"))?;
    succeeded(flake.stubbed(&flake.project(), &["flake", "check", "--no-build"], "", &[]))?;
    // `flake check` may look at this machine's own system only.
    for kind in ["packages", "checks", "devShells"] {
        let derivations = "builtins.mapAttrs (_: builtins.mapAttrs (_: derivation: derivation.drvPath))";
        let found = flake.eval(&format!("#{kind}"), derivations)?;
        let all = found.as_object().into_iter().flat_map(|systems| systems.values()).filter_map(Value::as_object);
        for (name, path) in all.flatten() {
            let path = path.as_str().unwrap_or_default();
            expect_equal(&format!("{kind}.{name} ends in .drv ({path})"), path.ends_with(".drv"), true)?;
        }
    }
    Ok(())
}

/// Down to the last derivation and string, on each system: an output that nobody evaluates is one that may not exist.
fn every_output_is_evaluated(flake: &Flake) -> Result<(), Failed> {
    let derivations = "builtins.mapAttrs (_: builtins.mapAttrs (_: derivation: derivation.drvPath))";
    let outputs = [
        ("apps", "builtins.mapAttrs (_: builtins.mapAttrs (_: app: app.program + app.meta.description))"),
        ("checks", derivations),
        ("devShells", derivations),
        ("formatter", "builtins.mapAttrs (_: derivation: derivation.drvPath)"),
        ("packages", derivations),
    ];
    let shown = flake.stubbed(&flake.project(), &["flake", "show", "--json"], "", &[]);
    let shown: BTreeMap<String, Value> = serde_json::from_str(&succeeded(shown)?)?;
    expect_equal("outputs", shown.keys().map(String::as_str).collect(), outputs.map(|(name, _)| name).to_vec())?;
    for (name, function) in outputs {
        let found = flake.eval(&format!("#{name}"), function)?;
        let systems: Vec<&str> = found.as_object().into_iter().flatten().map(|(system, _)| system.as_str()).collect();
        expect_equal(name, systems, SYSTEMS.to_vec())?;
        expect_equal(&format!("{name} holds nothing empty: {found}"), found.to_string().contains("\"\""), false)?;
    }
    Ok(())
}

fn the_image_runs_the_native_lane(flake: &Flake) -> Result<(), Failed> {
    for system in SYSTEMS {
        let recorded = flake.eval(
            &format!("#packages.{system}.image.recorded"),
            "image: image.config // { inherit (image) name tag; }",
        )?;
        let package = flake.eval(&format!("#packages.{system}.default"), "package: package.outPath")?;
        let program = format!("{}/bin/lockstep", package.as_str().unwrap_or_default());
        expect_equal("entrypoint", &recorded["Entrypoint"], &json!([program]))?;
        expect_equal("command", &recorded["Cmd"], &json!(["runner"]))?;
        expect_equal("user", &recorded["User"], &json!("65534:65534"))?;
        expect_equal("name", &recorded["name"], &json!("lockstep-native"))?;
        let manifest = std::fs::read_to_string(flake.project().join("Cargo.toml"))?;
        expect_in(&manifest, &format!("version = {}", recorded["tag"]))?;
        let lane = std::fs::read_to_string(flake.project().join("lanes/native.toml"))?;
        expect_in(&lane, "arguments = [\"runner\"]")?;
        expect_in(&lane, "RAYON_NUM_THREADS = \"1\"")?;
        expect_equal("environment", &recorded["Env"], &json!(["RAYON_NUM_THREADS=1"]))?;
    }
    Ok(())
}

fn the_package_is_built_from_what_it_is_made_of(flake: &Flake) -> Result<(), Failed> {
    let recorded = flake.eval("#packages.x86_64-linux.default.recorded", "arguments: arguments")?;
    let manifest = std::fs::read_to_string(flake.project().join("Cargo.toml"))?;
    expect_in(&manifest, &format!("version = {}", recorded["version"]))?;
    expect_equal("pname", &recorded["pname"], &json!("lockstep"))?;
    expect_equal("doCheck", &recorded["doCheck"], &json!(false))?;
    expect_equal("mainProgram", &recorded["meta"]["mainProgram"], &json!("lockstep"))?;
    expect_equal("licenses", &recorded["meta"]["license"], &json!([{"spdxId": "MIT"}, {"spdxId": "Apache-2.0"}]))?;
    expect_in(recorded["cargoLock"]["lockFile"].as_str().unwrap_or_default(), "Cargo.lock")?;
    let source = PathBuf::from(recorded["src"].as_str().unwrap_or_default());
    for path in tree::files(&flake.project()) {
        let beside = [".ci/", ".github/", "LICENSE", "README.md", "flake.lock", "flake.nix"];
        let expected = !beside.iter().any(|name| path.starts_with(name));
        expect_equal(&format!("{path} is in the package's source"), source.join(&path).is_file(), expected)?;
    }
    Ok(())
}

fn the_checks_run_tests_lints_and_format(flake: &Flake) -> Result<(), Failed> {
    let recorded = |name: &str| flake.eval(&format!("#checks.x86_64-linux.{name}.recorded"), "arguments: arguments");
    let tests = recorded("tests")?;
    expect_equal("doCheck of tests", &tests["doCheck"], &json!(true))?;
    expect_equal("buildType of tests", &tests["buildType"], &json!("debug"))?;
    let source = PathBuf::from(tests["src"].as_str().unwrap_or_default());
    for path in tree::files(&flake.project()) {
        expect_equal(&format!("{path} is in the tests' source"), source.join(&path).is_file(), true)?;
    }
    let clippy = recorded("clippy")?;
    expect_in(
        clippy["buildPhase"].as_str().unwrap_or_default(),
        "cargo clippy --offline --all-targets -- -D warnings",
    )?;
    let fmt = recorded("fmt")?;
    expect_in(fmt["script"].as_str().unwrap_or_default(), "cargo fmt --check")
}

fn apps_name_programs_of_the_package(flake: &Flake) -> Result<(), Failed> {
    for system in SYSTEMS {
        let programs = flake.eval(&format!("#apps.{system}"), "builtins.mapAttrs (_: app: app.program)")?;
        let package = flake.eval(&format!("#packages.{system}.default"), "package: package.outPath")?;
        let package = package.as_str().unwrap_or_default();
        expect_equal("program of default", &programs["default"], &json!(format!("{package}/bin/lockstep")))?;
        let lane = programs["lane"].as_str().unwrap_or_default();
        expect_equal(&format!("the name of {lane}"), lane.ends_with("-lockstep-lane"), true)?;
        let types = flake.eval(&format!("#apps.{system}"), "builtins.mapAttrs (_: app: app.type)")?;
        expect_equal("types", types, json!({"default": "app", "lane": "app"}))?;
    }
    Ok(())
}

fn nix_run_passes_its_arguments_on(flake: &Flake) -> Result<(), Failed> {
    let run =
        |attribute, arguments: &[&str]| succeeded(flake.stubbed(&flake.project(), &["run"], attribute, arguments));
    expect_equal("nix run .", run("", &["--", "run", "quickstart"])?.trim(), "lockstep run quickstart")?;
    let lane = run("#lane", &["--", "native", "--plan", "quickstart"])?;
    expect_equal("nix run .#lane", lane.trim(), "lockstep lane native --plan quickstart")
}

fn an_older_rustc_than_cargo_asks_for_is_refused(flake: &Flake) -> Result<(), Failed> {
    let manifest = std::fs::read_to_string(flake.project().join("Cargo.toml"))?;
    let stated = manifest.lines().find(|line| line.starts_with("rust-version")).ok_or("rust-version is not stated")?;
    let copy = flake.edited("newer", "Cargo.toml", stated, "rust-version = \"9.99\"")?;
    let said = refused(&flake.stubbed(&copy, &["eval", "--raw"], "#packages.x86_64-linux.default.drvPath", &[]))?;
    expect_in(&said, "Cargo.toml asks for rustc 9.99")
}
