//! `lockstep import`: files in, a journal out that says where it comes from, and nothing written over.

use serde_json::Value;

use crate::project::{Ended, Project};
use crate::schemas::takes;
use crate::{Named, Needs};

pub const TRIALS: &[Named] = &[
    Named("an_import_writes_a_journal_that_the_schema_takes", Needs::Nothing, journal),
    Named("the_plan_decides_whether_an_imported_journal_can_be_judged", Needs::Nothing, judging),
    Named("a_published_reports_tables_are_judged_by_its_design", Needs::Nothing, published),
    Named("a_design_is_judged_and_never_run", Needs::Nothing, designs),
    Named("a_column_that_no_imported_table_has_is_refused_where_the_design_names_it", Needs::Nothing, columns),
    Named("a_wrong_import_is_refused_and_writes_nothing", Needs::Nothing, refusals),
    Named("the_kinds_of_import_are_listed", Needs::Nothing, kinds),
];

const TABLE: &str = include_str!("../fixtures/import/table.json");
const ROWS: &str = include_str!("../fixtures/import/tr147_v4.jsonl");

fn import(project: &Project, more: &[&str]) -> Ended {
    project.lockstep(&[&["import"], more, &["--plan", "quickstart"]].concat())
}

fn journal() {
    let project = Project::new();
    project.write("tables/inner/ledger.json", TABLE);
    project.write("tables/index.json", "{\"tables\": []}");
    project.write("rows.jsonl", ROWS);
    let text = import(&project, &["table", "tables", "--out", "tables.jsonl"]);
    text.exits(0)
        .prints(&["tables.jsonl: 3 printed rows of 1 tables and 0 raw rows, from 1 files (table)", "quickstart"]);
    let told = import(
        &project,
        &["tr147", "rows.jsonl", "--out", "rows.jsonl.xz", "--axis", "triton=3.4.0", "--format", "json"],
    );
    let told: Value = told.exits(0).json();
    assert_eq!(told["outcomes"], serde_json::json!({"ok": 2, "fell_through": 4, "crashed": 2}));
    assert_eq!((&told["observations"], &told["summaries"]), (&Value::from(8), &Value::from(0)));
    assert_eq!(told["axes"], serde_json::json!({"triton": "3.4.0"}));
    assert_eq!(told["files"][0]["ignored"], serde_json::json!(["compile_meta.breaks"]));
    let vllm = include_str!("../fixtures/import/vllm_bench.json").replacen("Qwen/", &"Q".repeat(400), 1);
    project.write("vllm.json", vllm);
    let said = import(&project, &["vllm-bench", "vllm.json", "--out", "vllm.jsonl"]);
    let why = "left out of vllm.json (lists, objects, texts of more than 400 characters, and what the kind vllm-bench \
               does not read): generated_texts, model_id";
    said.exits(0).prints(&[why]);
    let rows = lockstep::journal::read_file(&project.file("rows.jsonl.xz")).expect("it is a compressed journal");
    assert_eq!(told["head"], Value::from(rows.head.to_string()));
    let whole = lockstep::journal::encode(&rows.records).expect("it is a journal");
    let lines = project.read("tables.jsonl") + &String::from_utf8(whole).expect("a journal is text");
    for (number, line) in lines.lines().enumerate() {
        let line: Value = serde_json::from_str(line).expect("a journal's line is JSON");
        assert!(!line.to_string().contains(&project.root().display().to_string()), "a path of the machine: {line}");
        takes("journal", &line, &format!("line {}", number + 1));
    }
}

fn judging() {
    let project = Project::new();
    project.write("ledger.json", TABLE);
    import(&project, &["table", "ledger.json", "--out", "out/ledger.jsonl"]).exits(0);
    let judged = project.lockstep(&["judge", "quickstart", "out/ledger.jsonl"]);
    judged.exits(2).tells(&[
        "was imported (table)",
        "plan quickstart measures lanes",
        "give a plan that reads imported",
    ]);
}

fn published() {
    let project = Project::new();
    for (name, text) in [
        ("n2", include_str!("../claims/data/tr165/tr165_n2_efficiency.json")),
        ("hangs", include_str!("../claims/data/tr165/tr165_hang_ledger.json")),
        ("preflight", include_str!("../claims/data/tr165/tr165_preflight.json")),
        ("floors", include_str!("../claims/data/tr165/tr165_coverage_floors.json")),
    ] {
        project.write(&format!("tables/{name}.json"), text);
    }
    let imported = ["import", "table", "tables", "--plan", "tr165", "--out", "tr165.jsonl", "--axis", "torch=2.9.0"];
    project.lockstep(&imported).exits(0);
    let judged = project.lockstep(&["judge", "tr165", "tr165.jsonl"]);
    let told = ["INCONCLUSIVE: TR165", "H2_partial", "19/24 combinations", "2/6 hang shapes", "torch 2.9.0", "launch"];
    judged.exits(5).prints(&told);
    let json = project.lockstep(&["judge", "tr165", "tr165.jsonl", "--format", "json"]);
    let verdict = json.exits(5).json();
    takes("published-verdict", &verdict, "a verdict on a report");
    assert_eq!(verdict["hypotheses"][0]["ruling"]["label"], "H2_partial");
    let lacking = &verdict["hypotheses"][3]["ruling"];
    assert_eq!(lacking["standing"], "invalid", "the table of interpreters was not imported: {lacking}");
    let licence = verdict["hypotheses"][5]["ruling"]["parts"].as_array().expect("statements");
    let licensed = licence.iter().filter(|part| part["label"] == "licensed").count();
    assert_eq!((licence.len(), licensed), (5, 1), "what cannot be looked up licenses nothing: {licence:?}");
    let page = project.lockstep(&["judge", "tr165", "tr165.jsonl", "--format", "md"]);
    page.exits(5).prints(&["## gil-ladder: H2_partial", "tr165_hang_ledger:6", "## Provenance"]);
    assert_eq!(project.lockstep(&["judge", "tr165", "tr165.jsonl", "--format", "json"]).stdout, json.stdout);
}

fn designs() {
    let project = Project::new();
    for verb in ["run", "plan"] {
        let words = ["plans/tr165.toml (embedded)", "published", "judged and never run", "lockstep judge"];
        project.lockstep(&[verb, "tr165"]).exits(2).tells(&words);
    }
    project.lockstep(&["plan"]).exits(0).prints(&["tr165", "judged only", "quickstart"]);
    let shipped = include_str!("../../plans/tr165.toml");
    for (from, to, words) in [
        ("improvement_above = 12.0\n", "", "hypothesis[0].rule: missing key `improvement_above`"),
        ("\nrequired = [[", "\n# = [[", "hypothesis[0].rule.preconditions[1]: missing key `required`"),
        ("[[\"runtime_ok_for_verdict\"]", "[[\"a\", \"b\"]", "has 2 values, and the key 1 columns"),
        ("min_hang_shapes", "min_hang_shaeps", "did you mean `min_hang_shapes`?"),
        ("[\"H2_partial\"]", "[\"H2_partail\"]", "hypothesis[0].expect: the rule `falsification_ladder` never gives"),
        ("kind = \"licence\"", "kind = \"license\"", "did you mean `licence`?"),
        ("hypothesis = \"single-delta\"", "hypothesis = \"singel-delta\"", "did you mean `single-delta`?"),
        ("alpha = 0.05", "alpha = 0.5", "published.alpha: 0.5 is out of range"),
        (
            "{ table = \"tr165_hang_ledger\" }",
            "{ table = \"tr165_hang_ledgr\" }",
            "rows.table: no table \"tr165_hang_ledgr\"; did you mean `tr165_hang_ledger`?",
        ),
    ] {
        assert!(shipped.contains(from), "{from}");
        project.write("broken.toml", shipped.replacen(from, to, 1));
        project.lockstep(&["judge", "broken.toml", "absent"]).exits(2).tells(&["broken.toml:", words]);
    }
}

fn columns() {
    let project = Project::new();
    let table = include_str!("../claims/data/tr165/tr165_n2_efficiency.json");
    project.write("tables/n2.json", table);
    let shipped = include_str!("../../plans/tr165.toml");
    let named = "candidate = \"tr165_eff\"";
    assert!(shipped.contains(named));
    let broken = shipped.replacen(named, "candidate = \"tr165_ef\"", 1);
    project.write("mine.toml", &broken);
    let line = 1 + broken.lines().position(|line| line.contains("tr165_ef\"")).expect("it stands there");
    let place = format!("mine.toml:{line}: hypothesis[0].rule.efficiencies.candidate");
    let words = [place.as_str(), "table tr165_n2_efficiency has no column \"tr165_ef\"", "did you mean `tr165_eff`?"];
    project.lockstep(&["import", "table", "tables", "--plan", "mine.toml", "--out", "o.jsonl"]).exits(2).tells(&words);
    assert!(!project.file("o.jsonl").exists());
    // A journal that was bound to it all the same.
    let design = lockstep::plan::Design::parse("mine.toml", &broken).expect("the plan alone does not tell");
    let identity = lockstep::import::PlanIdentity { sha256: design.digest(), name: design.name.clone() };
    let files = lockstep::import::gather(lockstep::import::Kind::Table, &[project.file("tables")]).expect("a table");
    let axes = lockstep::terms::Axes::new();
    let imported = lockstep::import::import(lockstep::import::Kind::Table, &files, &identity, axes).expect("a table");
    let text = String::from_utf8(imported.encode().expect("a journal")).expect("a journal is text");
    project.write("o.jsonl", &text);
    project.lockstep(&["judge", "mine.toml", "o.jsonl"]).exits(2).tells(&words);
}

fn refusals() {
    let project = Project::new();
    project.write("ledger.json", TABLE);
    project.write("broken.json", "{\"table\": \"t\",\n \"rows\": [}");
    project.write("kept.jsonl", "mine");
    let cases: &[(&[&str], &[&str])] = &[
        (&["tabel", "ledger.json", "--out", "o"], &["there is no kind \"tabel\"", "did you mean `table`?"]),
        (&["table", "absent.json", "--out", "o"], &["opening \"absent.json\"", "check the path"]),
        (&["table", "broken.json", "--out", "o"], &["broken.json, line 2: '}' where a value is expected"]),
        (&["table", "ledger.json", "--out", "kept.jsonl"], &["kept.jsonl is there already", "remove it"]),
        (&["table", "ledger.json", "--out", "o.jsonl.gz"], &["o.jsonl.gz asks for a gzip file", ".jsonl.xz"]),
        (&["table", "ledger.json", "--out", "o", "--axis", "tritn=3"], &["did you mean `triton`?"]),
        (&["hyperfine", "ledger.json", "--out", "o"], &["ledger.json, results: no list of results"]),
        (&["table", "ledger.json"], &["--out"]),
        (&["table", "--out", "o"], &["<FILES>"]),
    ];
    for (arguments, words) in cases {
        let ended = import(&project, arguments);
        ended.exits(2).tells(words);
        assert!(ended.stdout.is_empty() && !project.file("o").exists(), "{ended:?}");
    }
    assert_eq!(project.read("kept.jsonl"), "mine");
    let unknown = project.lockstep(&["import", "table", "ledger.json", "--plan", "no-such", "--out", "o"]);
    unknown.exits(2).tells(&["there is no plan"]);
}

fn kinds() {
    let project = Project::new();
    let listed = project.lockstep(&["import", "--kinds"]);
    let help = project.lockstep(&["import", "--help"]);
    for kind in lockstep::import::Kind::ALL {
        listed.exits(0).prints(&[kind.name(), kind.reads()]);
        help.exits(0).prints(&[kind.name()]);
    }
    let json: Value = project.lockstep(&["import", "--kinds", "--format", "json"]).exits(0).json();
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(lockstep::import::Kind::ALL.len()));
}
