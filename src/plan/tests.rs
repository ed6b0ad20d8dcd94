//! What plans, lanes and locks say, and how a reader hears what is wrong in one.

mod cuts;
mod stack;
mod workload;

use std::collections::BTreeSet;

use super::{Error, GateTest, HypothesisKind, Lane, Launcher, Lock, Plan, Program, Prompt};
use crate::terms::{Phase, SamplingSpec, SignalValue};

const PLAN: &str = include_str!("../../tests/fixtures/plan/plan.toml");
const PROCESS: &str = include_str!("../../tests/fixtures/plan/process.toml");
const DOCKER: &str = include_str!("../../tests/fixtures/plan/docker.toml");
const IMAGE_LOCK: &str = include_str!("../../tests/fixtures/plan/image.lock");
const OWN_LOCK: &str = include_str!("../../tests/fixtures/plan/own.lock");

/// `text` with the one place where `from` stands made `to`.
fn edit(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from:?} must stand once in the fixture");
    text.replacen(from, to, 1)
}

fn plan() -> Plan {
    Plan::parse("full.toml", PLAN).unwrap()
}

/// Each edit of `text` must give its message.
fn assert_faults<T: std::fmt::Debug>(
    text: &str,
    parse: fn(&str, &str) -> Result<T, Error>,
    cases: &[(&str, &str, &str)],
) {
    for (from, to, expected) in cases {
        match parse("f", &edit(text, from, to)) {
            Err(error) => assert_eq!(error.to_string(), *expected, "{from:?} made {to:?}"),
            Ok(taken) => panic!("{from:?} made {to:?} was taken as {taken:?}"),
        }
    }
}

#[test]
fn a_plan_says_all_that_stands_in_its_file() {
    let plan = plan();
    assert_eq!((plan.name.as_str(), plan.seed, plan.model.vocab_size), ("full", 20_260_301, 512));
    assert_eq!(plan.workloads[0].sampling, SamplingSpec::Greedy);
    assert!(plan.workloads[0].ignore_eos && !plan.workloads[1].ignore_eos);
    assert_eq!(plan.workloads[1].prompt, Prompt::Ids(vec![1, 2, 3, 511]));
    let launches: Vec<_> = plan.lanes.iter().map(|lane| (lane.launches, lane.repetitions, lane.warmup)).collect();
    assert_eq!(launches, [(4, 3, 1), (4, 3, 1), (3, 1, 0)], "lanes take the run's counts where they give none");
    let HypothesisKind::Contrast(noise) = &plan.hypotheses[1].kind else { panic!("`noise` is a contrast") };
    assert_eq!((noise.margin_pct, noise.negative_control), (3.0, true));
    assert_eq!(noise.phases, Phase::ALL, "a contrast without phases takes all that are planned");
    let cells = plan.cells().unwrap();
    let counts: Vec<_> = cells.iter().map(|cell| (cell.phase, cell.prompt.len(), cell.new_tokens)).collect();
    let expected = [(Phase::Prefill, 16, 1), (Phase::KvDecode, 16, 8), (Phase::E2eKv, 16, 8), (Phase::KvDecode, 4, 4)];
    assert_eq!(counts, expected);
    assert!(cells.iter().flat_map(|cell| &cell.prompt).all(|id| *id < 512));
    assert_eq!(cells.iter().map(crate::terms::Cell::id).collect::<BTreeSet<_>>().len(), 4);
}

#[test]
fn a_lane_says_all_that_stands_in_its_file() {
    let lane = Lane::parse("process.toml", PROCESS).unwrap();
    let Launcher::Process(process) = &lane.launcher else { panic!("the lane is a process") };
    let version = Some("3.9".to_owned());
    assert_eq!(process.program, Program::Interpreter { name: "python3".into(), minimum_version: version });
    let tests: Vec<_> = lane.gates.iter().map(|gate| gate.test.clone()).collect();
    let one_of = GateTest::OneOf(vec!["dynamic".into(), "static".into()]);
    let equals = GateTest::Equals(SignalValue::Bool(true));
    let minimum = GateTest::MinimumVersion("3.9".into());
    assert_eq!(tests, [equals, one_of, GateTest::AtLeast(512.0), GateTest::AtMost(0.0), minimum]);
    let lane = Lane::parse("docker.toml", DOCKER).unwrap();
    assert!(matches!(&lane.launcher, Launcher::Docker(docker) if docker.gpus.len() == 1));
    assert_eq!(lane.limits, super::Limits::default());
}

#[test]
fn a_lock_comes_back_from_its_own_text() {
    for text in [IMAGE_LOCK, OWN_LOCK] {
        let lock = Lock::parse("f", text).unwrap();
        assert_eq!(Lock::parse("f", &lock.to_toml()).unwrap(), lock);
    }
}

#[test]
fn a_slip_in_a_plan_names_line_key_path_and_the_nearest_key() {
    assert_faults(
        PLAN,
        Plan::parse,
        &[
            ("launches = 4", "launchs = 4", "f:23: run.launchs: unknown key `launchs`; did you mean `launches`?"),
            (
                "prompt_seed = 11",
                "promt_seed = 11",
                "f:34: workload[0].promt_seed: unknown key `promt_seed`; did you mean `prompt_seed`?",
            ),
            ("top_k = 40", "topk = 40", "f:48: workload[1].sampling.topk: unknown key `topk`; did you mean `top_k`?"),
            (
                "kind = \"seeded\"",
                "kind = \"seded\"",
                "f:45: workload[1].sampling.kind: unknown value `seded`; did you mean `seeded`?",
            ),
            (
                "[\"kv_decode\"]\nprompt",
                "[\"kv_decod\"]\nprompt",
                "f:39: workload[1].phases[0]: unknown value `kv_decod`; did you mean `kv_decode`?",
            ),
            ("[coverage]", "[coverge]", "f:104: coverge: unknown key `coverge`; did you mean `coverage`?"),
            (
                "vocab_size = 512",
                "vocab_size = 512\ntokenizer = 1",
                "f:11: model.tokenizer: unknown key `tokenizer`; known here: name, sha256, vocab_size, synthetic, hub",
            ),
            (
                "qwen2\"\nseed",
                "qwen3\"\nseed",
                "f:13: model.synthetic.architecture: unknown architecture \"qwen3\"; did you mean `qwen2`?",
            ),
            (
                "candidate = \"native-again\"",
                "candidate = \"native-agian\"",
                "f:76: hypothesis[1].candidate: \"native-agian\" is no lane of this plan; did you mean `native-again`?",
            ),
            (
                "controls = [\"noise\"]",
                "controls = [\"nois\"]",
                "f:87: hypothesis[2].controls: \"nois\" is no negative control; did you mean `noise`?",
            ),
        ],
    );
}

#[test]
fn a_wrong_or_missing_value_in_a_plan_names_its_key() {
    assert_faults(
        PLAN,
        Plan::parse,
        &[
            ("seed = 20260301", "seed = \"now\"", "f:5: seed: invalid type: string \"now\", expected u64"),
            ("seed = 20260301", "seed = -1", "f:5: seed: invalid value: integer `-1`, expected u64"),
            ("seed = 20260301\n", "", "f:1: missing key `seed`"),
            ("vocab_size = 512\n", "", "f:7: model: missing key `vocab_size`"),
            ("new_tokens = 8\n", "", "f:30: workload[0]: missing key `new_tokens`"),
            ("temperature = 0.8\n", "", "f:44: workload[1].sampling: missing key `temperature`"),
            (
                "schema = 1",
                "schema = 2",
                "f:2: schema: format version 2 is not 1, the one this build reads; use a newer lockstep",
            ),
            ("launches = 4", "launches = 0", "f:23: run.launches: 0 is out of range: expected 1 to 10000"),
            ("top_k = 40", "top_k = 0", "f:48: workload[1].sampling.top_k: 0 keeps no token: expected at least 1"),
            (
                "top_p = 0.95",
                "top_p = nan",
                "f:49: workload[1].sampling.top_p: NaN is out of range: expected above 0 and up to 1",
            ),
            (
                "alpha = 0.01",
                "alpha = nan",
                "f:98: statistics.alpha: NaN is out of range: expected above 0 and below 0.5",
            ),
            ("alpha = 0.01", "alpha = 1e309", "f:98: statistics.alpha: floating-point number overflowed"),
            (
                "min_ok_share = 0.75",
                "min_ok_share = 1.5",
                "f:106: coverage.min_ok_share: 1.5 is out of range: expected 0 to 1",
            ),
            (
                "name = \"full\"",
                "name = \"../full\"",
                "f:3: name: \"../full\" is no name: expected up to 80 letters, digits, `-`, `_`, `.` or `+`, a letter \
                 or digit first",
            ),
            (
                "[1, 2, 3, 511]",
                "[1, 2, 3, 512]",
                "f:40: workload[1].prompt: id 512 is not below the vocabulary's size 512",
            ),
        ],
    );
}

#[test]
fn a_plan_that_contradicts_itself_says_where() {
    assert_faults(
        PLAN,
        Plan::parse,
        &[
            (
                "name = \"python-reference\"\noptional",
                "name = \"native\"\noptional",
                "f:58: lane[2].name: \"native\" stands twice",
            ),
            ("name = \"given\"", "name = \"short\"", "f:38: workload[1].name: \"short\" stands twice"),
            ("name = \"phases-apart\"", "name = \"noise\"", "f:91: hypothesis[3].name: \"noise\" stands twice"),
            (
                "prompt = [1, 2, 3, 511]",
                "prompt = [1]\nprompt_text = \"hello\"",
                "f:38: workload[1].name: the workload has no prompt, or more than one; give exactly one of \
                 `prompt_tokens` (with `prompt_seed`), `prompt` or `prompt_text`",
            ),
            (
                "phases = [\"prefill\", \"kv_decode\"]",
                "phases = [\"prefill\", \"prefill\"]",
                "f:85: hypothesis[2].phases: needs at least one phase, none twice",
            ),
            (
                "expect = [\"slower\"]",
                "expect = [\"identical\"]",
                "f:88: hypothesis[2].expect: the rule `contrast` never gives the label \"identical\"; its labels: faster, \
                 slower, equivalent, mixed",
            ),
            (
                "candidate = \"native-again\"",
                "candidate = \"native\"",
                "f:76: hypothesis[1].candidate: is the baseline itself; an A/A contrast takes a second lane of the \
                 same stack",
            ),
            (
                "max_positions = 256",
                "max_positions = 20",
                "f:35: workload[0].new_tokens: needs 24 positions with its prompt, and the model has 20; shorten one \
                 of the two",
            ),
            (
                "min_launches = 2",
                "min_launches = 4",
                "f:105: coverage.min_launches: 4 is more than the 3 launches of lane \"python-reference\"; lower it, \
                 or plan more launches",
            ),
            (
                "launches = 4\nrepetitions = 3",
                "launches = 10000\nrepetitions = 10000",
                "f:24: run.repetitions: the plan asks for 800000012 rows: expected up to 1000000; lower `launches` or \
                 `repetitions`, or split the plan",
            ),
        ],
    );
}

#[test]
fn cells_that_would_not_fit_into_memory_are_refused() {
    let workload = |index: usize| {
        format!(
            "[[workload]]\nname = \"w{index}\"\nphases = [\"prefill\"]\nprompt_tokens = 262144\nprompt_seed = 1\nnew_tokens = 1\n"
        )
    };
    let many: String = (0..65).map(workload).collect();
    let text = edit(PLAN, "max_positions = 256", "max_positions = 2097152");
    let text = edit(&text, "[[workload]]\nname = \"given\"", &format!("{many}[[workload]]\nname = \"given\""));
    let error = Plan::parse("f", &text).unwrap_err().to_string();
    assert!(error.contains("workload: the cells hold 17039412 prompt tokens: expected up to 16777216"), "{error}");
}

#[test]
fn a_fault_of_syntax_names_line_and_key() {
    assert_faults(
        PLAN,
        Plan::parse,
        &[
            ("[run]", "[run", "f:22: run: unclosed table, expected `]`"),
            (
                "prompt_tokens = 16",
                "prompt_tokens = = 16",
                "f:33: workload[0].prompt_tokens: extra `=`, expected nothing",
            ),
            ("launches = 4", "launches = 4\nlaunches = 5", "f:24: run.launches: duplicate key"),
            ("key that a plan knows.\n", "key that a plan knows.\nkey\n", "f:2: key with no value, expected `=`"),
            ("\"Uses every key of the format.\"", "\"Uses", "f:4: description: invalid basic string, expected `\"`"),
        ],
    );
    for empty in ["", "\u{feff}", "# nothing\n"] {
        assert_eq!(Plan::parse("f", empty).unwrap_err().to_string(), "f:1: missing key `schema`");
        assert_eq!(Lane::parse("f", empty).unwrap_err().to_string(), "f:1: missing key `schema`");
        assert_eq!(Lock::parse("f", empty).unwrap_err().to_string(), "f:1: missing key `schema`");
    }
}

#[test]
fn a_fault_in_a_lane_names_line_and_key_path() {
    const TESTS: &str = "tests: equals, one_of, at_least, at_most, minimum_version, below_version";
    let two = format!("f:21: gate[0]: a gate takes exactly one test, and 2 are given; {TESTS}");
    let none = format!("f:21: gate[0]: a gate takes exactly one test, and 0 are given; {TESTS}");
    assert_faults(
        PROCESS,
        Lane::parse,
        &[
            ("cache = ", "cahce = ", "f:14: axes.cahce: unknown key `cahce`; did you mean `cache`?"),
            ("cache = \"dynamic\"", "cache = 1", "f:14: axes.cache: invalid type: integer `1`, expected a string"),
            ("equals = true", "equals = true\nat_most = 3", &two),
            ("equals = true", "", &none),
            ("equals = true", "equals = nan", "f:24: gate[0].equals: NaN is no finite number"),
            ("at_most = 0.0", "at_most = -inf", "f:39: gate[3].at_most: -inf is no finite number"),
            (
                "equals = true",
                "equals = {a = 1}",
                "f:24: gate[0].equals: expected true or false, a number, a text or a list of texts",
            ),
            (
                "one_of = [\"dynamic\", \"static\"]",
                "one_of = []",
                "f:29: gate[1].one_of: is empty, so that no signal could pass",
            ),
            (
                "runner.python\"\nminimum_version = \"3.9\"",
                "runner.python\"\nminimum_version = \"3.x\"",
                "f:44: gate[4].minimum_version: \"3.x\" is no version: expected numbers with dots between them",
            ),
            (
                "stage = \"host\"",
                "stage = \"hosts\"",
                "f:32: gate[2].stage: unknown value `hosts`; did you mean `host`?",
            ),
            (
                "launcher = \"process\"",
                "launcher = \"proces\"",
                "f:4: launcher: unknown value `proces`; did you mean `process`?",
            ),
            (
                "launcher = \"process\"",
                "launcher = \"docker\"",
                "f: docker: launcher `docker` needs the table [docker]",
            ),
            ("program = ", "prog = ", "f:8: process.prog: unknown key `prog`; did you mean `program`?"),
            ("files = \"runner\"\n", "", "f:9: process.arguments: `{files}` is used, and the lane names no `files`"),
            ("{f", "{own_f", "f:9: process.arguments: `{own_files}` is used, and the lane names no `own_files`"),
            (
                "compile_s = 30",
                "compile_s = 0",
                "f:48: limits.compile_s: 0 is out of range: expected a number above 0 and up to 1000000",
            ),
            ("pids = 64", "pids = 0", "f:55: limits.pids: 0 is out of range: expected 1 to 1048576"),
            (
                "PYTHONHASHSEED = ",
                "\"PYTHON=HASH\" = ",
                "f:19: environment.\"PYTHON=HASH\": \"PYTHON=HASH\" is no name of a variable",
            ),
        ],
    );
}

#[test]
fn a_fault_in_a_container_lane_names_line_and_key_path() {
    assert_faults(
        DOCKER,
        Lane::parse,
        &[
            (
                "[docker]\nimage",
                "[process]\nimage",
                "f:8: process.command: unknown key `command`; known here: program, arguments, files, own_files, minimum_version",
            ),
            ("gpus = ", "gpu = ", "f:9: docker.gpu: unknown key `gpu`; did you mean `gpus`?"),
            (
                "[docker]\nimage",
                "[environment]\nKERNELS = \"{run}/kernels\"\n[docker]\nimage",
                "f:7: environment.KERNELS: a container does not see the run's folder, `{run}`; what it may write to is /scratch",
            ),
        ],
    );
}

#[test]
fn a_fault_in_a_lock_names_line_and_key_path() {
    assert_faults(
        IMAGE_LOCK,
        Lock::parse,
        &[
            ("platform = ", "plattform = ", "f:5: input.image: unknown key `plattform`; did you mean `platform`?"),
            (
                "schema = 1",
                "schema = 1\n\"a`b\" = 1",
                "f:2: \"a`b\": unknown key `a`b`; known here: schema, lane, manifest, executable, files, self_image, built, build, input",
            ),
            (
                "lane = \"vllm\"",
                "lane = \"a/b\"",
                "f:2: lane: \"a/b\" is no name: expected up to 80 letters, digits, `-`, `_`, `.` or `+`, a letter or digit first",
            ),
            ("platform = \"linux/amd64\"", "platform = \" \"", "f:13: input.image.content.platform: is empty"),
            (
                "config = \"sha256:",
                "config = \"sha256:0",
                "f:5: input.image: \"sha256:0b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910\" is no digest: expected `sha256:` and 64 lowercase hex digits",
            ),
        ],
    );
    assert_faults(
        OWN_LOCK,
        Lock::parse,
        &[(
            "\"runner/__main__.py\"",
            "\"runner/../../main.py\"",
            "f:7: files.\"runner/../../main.py\": \"runner/../../main.py\" is no path below `containers/`: expected \
             names with `/` between them",
        )],
    );
}

#[test]
fn a_text_that_is_too_long_or_too_deep_is_refused_before_it_is_parsed() {
    let long = format!("{PLAN}\n# {}", "x".repeat(1 << 20));
    let error = Plan::parse("f", &long).unwrap_err().to_string();
    assert!(error.contains("bytes: expected up to 1048576"), "{error}");
    // Each level is within the parser's own limits; together they are deeper than a stack.
    let deep = (0..79).fold("1".to_owned(), |inner, _| format!("{{{}a = {inner}}}", "a.".repeat(78)));
    let brackets = "[".repeat(100_000);
    let dots = "a.".repeat(100_000);
    for bad in [&deep, &brackets, &dots] {
        let text = edit(PROCESS, "equals = true", &format!("equals = {bad}"));
        assert_eq!(
            Lane::parse("f", &text).unwrap_err().to_string(),
            "f:24: nested deeper than 16 levels; no key of this file needs that"
        );
    }
    let text = format!("{DOCKER}\n[{dots}a]\n");
    assert_eq!(
        Lane::parse("f", &text).unwrap_err().to_string(),
        "f:14: nested deeper than 16 levels; no key of this file needs that"
    );
    let wide = (0..1_000).map(|index| format!("0.{index}")).collect::<Vec<_>>().join(", ");
    let error = Lane::parse("f", &edit(PROCESS, "equals = true", &format!("equals = [{wide}]"))).unwrap_err();
    assert!(error.to_string().contains("gate[0].equals: expected"), "a long list is not a deep one: {error}");
}

#[test]
fn comments_descriptions_claims_and_order_leave_a_digest_as_it_is() {
    let digest = plan().digest();
    let reordered = edit(PLAN, "launches = 4\nrepetitions = 3\n", "repetitions = 3\nlaunches = 4\n");
    for same in [
        edit(PLAN, "# Every key", "# Each key"),
        edit(PLAN, "Uses every key of the format.", "Changed."),
        edit(PLAN, "A lane equals itself.", "Changed."),
        edit(PLAN, "margin_pct = 5.0", "margin_pct = 5"),
        reordered,
    ] {
        assert_eq!(Plan::parse("other.toml", &same).unwrap().digest(), digest);
    }
    let digest = Lane::parse("f", PROCESS).unwrap().digest();
    let same = edit(PROCESS, "A process lane with every key.", "Changed.");
    assert_eq!(Lane::parse("f", &format!("# new\n{same}")).unwrap().digest(), digest);
}

/// Every line of `text` that holds a value, with that value changed a little.
fn variants(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut variants = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        let last_digit = value.rfind(|c: char| c.is_ascii_digit());
        let changed: Vec<String> = match (value, last_digit) {
            ("true", _) => vec!["false".into()],
            ("false", _) => vec!["true".into()],
            (_, Some(place)) => {
                (0..=9).map(|digit| format!("{}{digit}{}", &value[..place], &value[place + 1..])).collect()
            }
            _ => ["mean", "median", "llama", "prefill", "faster", "mixed", "required", "static", "at_exit", "native"]
                .map(|word| format!("\"{word}\""))
                .into_iter()
                .chain(["[\"e2e_kv\"]", "[\"required\"]", "[\"faster\"]", "[]", "\"x\""].map(str::to_owned))
                .collect(),
        };
        for changed in changed.into_iter().filter(|changed| changed != value) {
            let mut copy = lines.clone();
            let line = format!("{key} = {changed}");
            copy[index] = &line;
            variants.push(copy.join("\n"));
        }
    }
    variants
}

#[test]
fn every_other_change_gives_another_digest() {
    let quiet = |line: &str| ["description", "claim"].iter().any(|key| line.starts_with(key));
    for (text, digest_of) in [
        (PLAN, (|text| Plan::parse("f", text).ok().map(|plan| plan.digest())) as fn(&str) -> Option<_>),
        (PROCESS, |text| Lane::parse("f", text).ok().map(|lane| lane.digest())),
        (DOCKER, |text| Lane::parse("f", text).ok().map(|lane| lane.digest())),
    ] {
        let own = digest_of(text);
        let mut lines_seen = BTreeSet::new();
        for variant in variants(text) {
            let (index, line) =
                variant.lines().enumerate().find(|(i, line)| text.lines().nth(*i) != Some(line)).unwrap();
            if quiet(line) {
                continue;
            }
            if let Some(digest) = digest_of(&variant) {
                lines_seen.insert(index);
                assert_ne!(Some(digest), own, "`{line}` gave the same digest");
            }
        }
        assert!(lines_seen.len() * 3 > text.lines().filter(|line| line.contains(" = ")).count() * 2);
    }
}
