//! Audits by the real executable: the published claims, claims that want to do harm, and what may decide an answer.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lockstep::audit::{DataFolder, Evaluator, Limits, audit, read_claims};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

fn claims_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/claims")
}

fn public() -> Vec<Value> {
    let text = std::fs::read_to_string(claims_folder().join("public.jsonl")).expect("the claims are there");
    text.lines().map(|line| serde_json::from_str(line).expect("a claim is JSON")).collect()
}

/// The longest that an audit may take before it is ended with everything that it started: a formula that nothing confines has to
/// fail its test and not to hold it up.
const DEADLINE: Duration = Duration::from_secs(300);

/// What the command says, or that it did not end before the deadline, by which time all of it is gone.
fn said_before(deadline: Duration, command: &mut Command) -> Result<Output, String> {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = piped.spawn().expect("it starts");
    let (mut out, mut errors) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let all = |stream: &mut dyn Read| {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map(|_| bytes).expect("a pipe can be read")
    };
    thread::scope(|scope| {
        let (stdout, stderr) = (scope.spawn(|| all(&mut out)), scope.spawn(|| all(&mut errors)));
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child of ours") {
                break status;
            }
            if began.elapsed() > deadline {
                let group = Pid::from_child(&child);
                kill_process_group(group, Signal::KILL).expect("a group of ours can be killed");
                child.wait().expect("it was killed");
                return Err(format!("it did not end within {deadline:?}"));
            }
            thread::sleep(Duration::from_millis(5));
        };
        let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().expect("a reader"));
        Ok(Output { status, stdout, stderr })
    })
}

/// `lockstep audit` over `claims`, with the published tables.
fn lockstep(claims: &[Value], more: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lines: Vec<String> = claims.iter().map(Value::to_string).collect();
    let path = folder.path().join("claims.jsonl");
    std::fs::write(&path, lines.join("\n")).expect("claims can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.arg("audit").arg(&path).arg("--data").arg(claims_folder().join("data")).args(more);
    said_before(DEADLINE, command.env("COLUMNS", "400")).unwrap_or_else(|late| panic!("lockstep audit: {late}"))
}

#[test]
fn an_audit_that_does_not_end_fails_at_its_deadline_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let alive = folder.path().join("alive");
    let tell = format!("(while :; do date >> {0}; sleep 0.02; done) & sleep 600", alive.display());
    let began = Instant::now();
    let late = said_before(Duration::from_millis(500), Command::new("/bin/sh").args(["-c", &tell]));
    assert_eq!(late.expect_err("it sleeps").as_str(), "it did not end within 500ms");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let size = || std::fs::metadata(&alive).map_or(0, |file| file.len());
    let before = size();
    thread::sleep(Duration::from_millis(300));
    assert_eq!((before > 0, size()), (true, before), "what it had started goes on");
}

fn audited(claims: &[Value]) -> Vec<Value> {
    let output = lockstep(claims, &["--format", "json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn claim(id: &str, formula: &str) -> Value {
    json!({
        "id": id, "claim": "something", "data_file": "data/tr165/tr165_n2_efficiency.json", "formula": formula,
        "published": 1, "compare": "exact", "published_resolution": 0, "allowance": 0,
    })
}

fn near(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b)),
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
            // The reference prints ten decimals.
            (a - b).abs() <= 1e-9 * b.abs().max(1.0)
        }
        _ => found == wanted,
    }
}

#[test]
fn the_published_claims_get_the_answers_of_their_reference() {
    let claims = public();
    let answers = audited(&claims);
    assert_eq!((claims.len(), answers.len()), (133, 133));
    let count = |answer: &str| answers.iter().filter(|claim| claim["answer"] == answer).count();
    assert_eq!((count("confirmed"), count("contradicted")), (66, 67));
    for (claim, audited) in claims.iter().zip(&answers) {
        let wanted = if claim["agrees"] == json!(true) { "confirmed" } else { "contradicted" };
        assert_eq!((&audited["id"], &audited["answer"]), (&claim["id"], &json!(wanted)), "{audited}");
        assert!(near(&audited["recomputed"], &claim["recomputed"]), "{audited} is not {}", claim["recomputed"]);
        if let (Some(ours), Some(theirs)) = (audited["tolerance"].as_f64(), claim["tolerance"].as_f64()) {
            // The reference takes the upper side of a published number in log10, and the larger side is the lower one.
            assert!((ours - theirs).abs() <= 1e-3 * theirs, "{audited}: the reference tolerates {theirs}");
        }
    }
}

#[test]
fn no_answer_depends_on_what_the_claims_say_of_the_answer() {
    let claims: Vec<Value> = public().into_iter().step_by(3).collect();
    let before = audited(&claims);
    let scrambled: Vec<Value> = claims
        .iter()
        .map(|claim| {
            let mut claim = claim.clone();
            claim["recomputed"] = json!("anything");
            claim["agrees"] = json!(claim["agrees"] == json!(false));
            claim["tolerance"] = json!(1e300);
            claim["note"] = json!(["contradicted"]);
            claim["group"] = Value::Null;
            claim
        })
        .collect();
    assert!(audited(&scrambled) == before, "an answer changed with what the claims say of it");
    let without: Vec<Value> = claims
        .iter()
        .map(|claim| {
            let mut claim = claim.clone();
            let keys = claim.as_object_mut().expect("a claim is an object");
            keys.retain(|key, _| !["recomputed", "agrees", "tolerance"].contains(&key.as_str()));
            claim
        })
        .collect();
    assert!(audited(&without) == before, "an answer changed without what the claims say of it");
}

/// Formulas that want time, memory, stack, files or output, and what is said of them.
const HOSTILE: &[(&str, &str)] = &[
    ("len([1 for a in range(1000000) for b in range(1000000) if a < 0])", "more than 5 s of processor time"),
    ("sum(range(2000000000))", "more than 5 s of processor time"),
    ("len('a' * 1000000000)", "1024 MiB of memory"),
    ("len([0] * 1000000000)", "1024 MiB of memory"),
    ("len(list(range(2000000000)))", "brought its process down"),
    ("pow(10, 100000) * pow(10, 100000) == 0 or len([pow(10, 99999) + i for i in range(100000)])", ""),
    ("len([x for x in [['a' * 1000 + str(i)] for i in range(100000000)]])", ""),
    ("(lambda f: f(f))(lambda f: f(f))", "call stack overflow"),
    ("'a' * 5000000", "more than 10000 characters"),
    ("list(range(5000000))", "more than 10000 elements"),
    ("load('/etc/passwd', 'root')", "load"),
    ("print('{\"reply\": \"value\", \"value\": 1, \"cells\": [], \"left\": 0}')", "print"),
    ("open('/etc/passwd')", "open"),
    ("__import__('os').system('true')", "__import__"),
    ("fail('{\"reply\": \"value\", \"value\": 1, \"cells\": [], \"left\": 0}')", "fail"),
    ("\u{0}", ""),
];

#[test]
fn a_claim_that_wants_to_do_harm_costs_itself_alone() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(15_000), close.repeat(15_000));
    let mut hostile: Vec<(String, &str)> =
        HOSTILE.iter().map(|(formula, told)| ((*formula).to_owned(), *told)).collect();
    for (open, close) in [("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("1+", "")] {
        hostile.push((deep(open, close), ""));
    }
    let mut claims = Vec::new();
    for (index, (formula, _)) in hostile.iter().enumerate() {
        claims.push(claim(&format!("harm {index}"), formula));
        claims.push(claim(&format!("good {index}"), "len(rows('tr165_n2_efficiency', h1='absent')) + 1"));
    }
    let answers = audited(&claims);
    assert_eq!(answers.len(), claims.len(), "a claim was lost");
    let mut otherwise = Vec::new();
    for (pair, (formula, told)) in answers.chunks(2).zip(&hostile) {
        let formula: String = formula.chars().take(80).collect();
        let (harm, good) = (&pair[0], &pair[1]);
        assert_eq!(good["answer"], "confirmed", "after {formula}: {good}");
        let said = harm["reason"].as_str().expect("a reason is a text");
        if !said.contains(told) || said.is_empty() {
            otherwise.push(format!("{formula}: {said}"));
        }
        // Brackets that cancel leave a number, which was not published.
        let is_deep = harm["published"] == json!(1) && harm["answer"] == "contradicted" && told.is_empty();
        let stopped = harm["answer"] == "not_checkable" || harm["answer"] == "wrong_form";
        if !(stopped || is_deep || harm["answer"] == "confirmed" && told.is_empty()) {
            otherwise.push(format!("{formula}: {harm}"));
        }
    }
    assert!(otherwise.is_empty(), "{}", otherwise.join("\n"));
}

/// What is said of the formula `1`, computed by this program in place of lockstep.
fn computed_by(program: &str, arguments: &[&str], limits: Limits) -> Result<String, lockstep::audit::Error> {
    said_of("1", program, arguments, limits)
}

fn said_of(formula: &str, program: &str, arguments: &[&str], limits: Limits) -> Result<String, lockstep::audit::Error> {
    let data = DataFolder::open(&claims_folder().join("data")).expect("the tables are there");
    let text = claim("A", formula).to_string();
    let claims = read_claims("claims.jsonl", text.as_bytes()).expect("it is a claim");
    let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let evaluator = Evaluator { program: program.into(), arguments, limits };
    audit("claims.jsonl", &claims, &data, &evaluator).map(|mut audited| audited.remove(0).reason)
}

#[test]
fn a_process_that_does_not_end_is_killed() {
    let with = |program, arguments| computed_by(program, arguments, Limits { budget_ms: 100, wall_ms: 200 });
    let began = Instant::now();
    assert_eq!(with("/bin/sleep", &["60"]).expect("it starts"), "the formula ran longer than 0.2 s");
    assert!(began.elapsed() < Duration::from_secs(30));
    let silent = "the formula's process gave no answer that can be read";
    assert_eq!(with("/bin/true", &[]).expect("it starts"), silent);
    assert_eq!(with("/bin/echo", &["{\"reply\": \"other\"}"]).expect("it starts"), silent);
    let failed = with("/bin/sh", &["-c", "echo mine >&2; exit 3"]).expect("it starts");
    assert_eq!(failed, "the formula brought its process down (exit status: 3): mine");
    assert!(with("/absent", &[]).is_err());
}

#[test]
fn the_formula_process_limits_itself_before_it_reads_its_job() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.arg("audit-formula").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("lockstep starts");
    let path = format!("/proc/{}/limits", process.id());
    // Soft and hard, as proc_pid_limits(5) prints them; the open files are limited last.
    let in_force = |wanted: &str| {
        let limits = std::fs::read_to_string(&path).expect("the process waits for its job");
        let line = limits.lines().find_map(|line| line.strip_prefix(wanted)).unwrap_or_default();
        line.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let began = Instant::now();
    while in_force("Max open files") != ["16", "16"] {
        assert!(began.elapsed() < Duration::from_secs(60), "open files: {:?}", in_force("Max open files"));
        std::thread::sleep(Duration::from_millis(5));
    }
    let gib = (1_u64 << 30).to_string();
    for (limit, values) in [
        ("Max address space", [gib.as_str(), &gib]),
        ("Max cpu time", ["8", "9"]),
        ("Max file size", ["0", "0"]),
        ("Max core file size", ["0", "0"]),
    ] {
        assert_eq!(in_force(limit), values, "{limit}");
    }
    drop(process.stdin.take());
    let output = process.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(70), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("reading a formula's job"), "{output:?}");
}

#[test]
fn a_formula_that_outlives_its_budget_is_ended_by_the_limit_on_processor_time() {
    // Nobody asks it to stop in time, so that the kernel has to.
    let patient = Limits { budget_ms: 3_600_000, wall_ms: 60_000 };
    let endless = "len([1 for a in range(1000000) for b in range(1000000) if a < 0])";
    let said = said_of(endless, env!("CARGO_BIN_EXE_lockstep"), &["audit-formula"], patient);
    assert_eq!(said.expect("it starts"), "the formula used more than 8 s of processor time");
}

#[test]
fn the_formula_process_is_started_without_an_environment() {
    assert!(std::env::vars_os().next().is_some(), "there is one to be kept from it");
    // The shell's own variables are not in this file, which holds what it was started with.
    let tell = "read -r all < /proc/$$/environ; echo \"found: ${all:-nothing}\" >&2; exit 3";
    let said = computed_by("/bin/sh", &["-c", tell], Limits::FORMULA).expect("it starts");
    assert_eq!(said, "the formula brought its process down (exit status: 3): found: nothing");
}

#[test]
fn the_report_leads_with_what_changes_a_verdict() {
    let mut claims: Vec<Value> = public().into_iter().take(20).collect();
    claims.push(claim("WRONG", "1 +"));
    claims.push(json!({"id": "LACKS", "claim": "x"}));
    let output = lockstep(&claims, &[]);
    let text = String::from_utf8(output.stdout.clone()).expect("a report is text");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let places: Vec<usize> = [
        "CONTRADICTED: claims.jsonl, 22 claims",
        "Contradicted, and it changes a verdict",
        "TR165-014",
        "\nContradicted (",
        "TR165-033",
        "Wrong form (1)",
        "claims.jsonl, line 21, formula line 1, column 4:",
        "Not checkable (1)",
        "the claim lacks data_file, formula, published",
        "Confirmed (",
    ]
    .map(|part| text.find(part).unwrap_or_else(|| panic!("{part} is not in {text}")))
    .to_vec();
    assert!(places.is_sorted(), "{places:?} in {text}");
}

#[test]
fn exit_codes_tell_contradicted_bad_and_unchecked_apart() {
    let code = |claims: &[Value]| lockstep(claims, &[]).status.code();
    let (good, bad) = (claim("A", "1"), claim("B", "2"));
    assert_eq!(code(std::slice::from_ref(&good)), Some(0));
    assert_eq!(code(&[good.clone(), bad.clone()]), Some(1));
    assert_eq!(code(&[claim("C", "1 +")]), Some(4));
    assert_eq!(code(&[good.clone(), claim("C", "1 +")]), Some(0));
    assert_eq!(code(&[good.clone(), good.clone()]), Some(2));
    // What is wrong in one claim is told of it, and takes nothing from the others.
    let mut wrong = claim("W", "1");
    (wrong["compare"], wrong["published_resolution"], wrong["data_file"]) = (json!("abs"), json!(-1), json!(5));
    assert_eq!(code(&[good.clone(), wrong.clone()]), Some(0));
    assert_eq!(code(&[bad.clone(), wrong.clone()]), Some(1));
    let answers = audited(&[good.clone(), wrong]);
    let told = answers[1]["reason"].as_str().expect("a reason is a text");
    assert_eq!((&answers[0]["answer"], &answers[1]["answer"]), (&json!("confirmed"), &json!("not_checkable")));
    assert!(["`compare`", "`published_resolution`", "`data_file`"].iter().all(|name| told.contains(name)), "{told}");
    assert_eq!(code(&[json!(3)]), Some(2));
    assert_eq!(code(&[]), Some(2));
}

#[test]
fn a_table_is_found_by_name_and_never_outside_the_folder() {
    let ledger = "cell('tr165_cell_ledger', 'value', quantity='cells_planned') - 47";
    let mut outside = claim("OUT", "1");
    outside["data_file"] = json!(["data/../public.jsonl"]);
    let mut absent = claim("ABSENT", "1");
    absent["data_file"] = json!(["data/tr165/none.json"]);
    let answers = audited(&[claim("NAMED", ledger), outside, absent, claim("UNKNOWN", "len(rows('none'))")]);
    let told: Vec<(&str, &str)> = answers
        .iter()
        .map(|claim| (claim["answer"].as_str().unwrap_or(""), claim["reason"].as_str().unwrap_or("")))
        .collect();
    assert_eq!(told[0].0, "confirmed", "{told:?}");
    assert!(told[1..].iter().all(|(answer, _)| *answer == "not_checkable"), "{told:?}");
    for (index, part) in [(1, "leaves the folder `data`"), (2, "is not there"), (3, "there is no table \"none\"")] {
        assert!(told[index].1.contains(part), "{told:?}");
    }
}
