//! Formulas and claims without processes; `tests/audit.rs` has those with.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::claims::{Check, Claim, read_claims};
use super::compared::{Finding, compare};
use super::job::{Job, Reply};
use super::tables::{DataFolder, Table};
use super::{Answer, Compare, Error, FUNCTIONS, answer, function_names};
use crate::journal::SummaryCell;
use crate::terms::Scalar;

/// Formulas and the values that the claims' own reference gives.
const GOLDEN: &str = include_str!("../../tests/reference/formulas.json");

/// How near to the reference a value must be.
const NEAR: f64 = 1e-9;
/// statsmodels searches for the detectable effect and stops where it is known to about seven digits.
const NEAR_OF_SEARCH: f64 = 1e-6;

fn data() -> DataFolder {
    DataFolder::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/claims/data")).unwrap()
}

fn job(formula: &str, tables: BTreeMap<String, Table>) -> Job {
    Job { formula: formula.to_owned(), tables, propagate: true, budget_ms: 60_000 }
}

/// The reply, with whatever table of the published ones the formula asks for.
fn over_published(formula: &str, data: &DataFolder) -> Reply {
    let mut job = Job { propagate: false, ..job(formula, BTreeMap::new()) };
    loop {
        match answer(&job) {
            Reply::NoTable { table } if data.table(&table).is_some() => {
                job.tables.insert(table.clone(), data.table(&table).unwrap().clone());
            }
            reply => return reply,
        }
    }
}

/// A table `t` with one row: `a` is 10 to the last 0.1, `b` 4 to the last 0.5, `n` is counted, `none` prints nothing.
fn small() -> BTreeMap<String, Table> {
    let number = |value: f64, resolution: f64| SummaryCell {
        value: Some(Scalar::Float(value)),
        unit: "ms".to_owned(),
        resolution: Some(resolution),
    };
    let row = [
        ("a", number(10.0, 0.1)),
        ("b", number(4.0, 0.5)),
        ("n", SummaryCell { value: Some(Scalar::Int(3)), unit: "count".to_owned(), resolution: Some(0.0) }),
        ("none", SummaryCell { value: None, unit: "ms".to_owned(), resolution: None }),
        ("name", SummaryCell { value: Some(Scalar::Text("x".to_owned())), unit: "text".to_owned(), resolution: None }),
    ];
    let row = row.into_iter().map(|(column, cell)| (column.to_owned(), cell)).collect();
    BTreeMap::from([("t".to_owned(), Table { rows: vec![row] })])
}

/// What a claim over `small` comes to.
fn found(formula: &str, published: Value, compare_by: Compare, resolution: f64, allowance: f64) -> Finding {
    let propagate = matches!(compare_by, Compare::AbsDiff | Compare::AbsDiffLog10);
    let Reply::Value { value, cells, left } = answer(&Job { propagate, ..job(formula, small()) }) else {
        panic!("{formula} has no value")
    };
    let check = Check {
        data_files: Vec::new(),
        formula: formula.to_owned(),
        published,
        compare: compare_by,
        published_resolution: resolution,
        allowance,
    };
    compare(&check, &value, &cells, left)
}

fn near(found: &Value, wanted: &Value, by: f64) -> bool {
    match (found, wanted) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b, by)),
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= by * b.abs()
        }
        _ => found == wanted,
    }
}

#[test]
fn every_function_gives_what_the_reference_gives() {
    let (data, golden): (_, Value) = (data(), serde_json::from_str(GOLDEN).unwrap());
    let cases = golden["formulas"].as_array().unwrap();
    assert!(cases.len() > 150);
    for case in cases {
        let formula = case["formula"].as_str().unwrap();
        let Reply::Value { value, .. } = over_published(formula, &data) else {
            panic!("{formula}: {:?}", over_published(formula, &data))
        };
        let by = if formula.contains("mde_d") { NEAR_OF_SEARCH } else { NEAR };
        assert!(near(&value, &case["value"], by), "{formula} gives {value}, the reference {}", case["value"]);
    }
}

#[test]
fn every_name_is_documented_and_held_against_the_reference() {
    let names = function_names();
    assert!(names.len() > 45, "{names:?}");
    for name in names {
        let word = |text: &str| {
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.any(|word| word == name)
        };
        assert!(word(FUNCTIONS), "{name} is not in FORMULAS.md");
        assert!(word(GOLDEN), "{name} is not in tests/reference/formulas.json");
    }
}

/// The rows of the table in FORMULAS.md that says what the language does otherwise than Python.
fn differences() -> Vec<(String, String, String)> {
    let (_, section) = FUNCTIONS.split_once("## What Starlark does otherwise than Python").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let of = |line: &str| {
        let cells: Vec<&str> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        let [formula, _, here, instead] = cells[..] else { panic!("four columns: {line}") };
        let code = |cell: &str| {
            cell.strip_prefix('`').and_then(|cell| cell.split_once('`')).map_or("", |code| code.0).to_owned()
        };
        (code(formula), if here == "wrong form" { String::new() } else { code(here) }, code(instead))
    };
    rows.map(of).collect()
}

#[test]
fn what_starlark_does_otherwise_than_python_is_as_documented() {
    let value = |formula: &str| answer(&job(formula, small()));
    let differences = differences();
    assert!(differences.len() > 15, "{differences:?}");
    for (formula, here, instead) in differences {
        let found = value(&formula);
        if here.is_empty() {
            assert!(matches!(found, Reply::WrongForm { .. }), "{formula}: {found:?}");
            // What to write instead is a formula, or at least a value of one.
            let count = value(&format!("len([{instead}])"));
            assert!(matches!(count, Reply::Value { .. }), "{formula}: instead {instead}: {count:?}");
        } else {
            assert!(matches!(found, Reply::Value { .. }), "{formula}: {found:?}");
            assert_eq!(found, value(&here), "{formula}");
        }
    }
    assert_eq!(value("round(True)"), value("1"), "as in Python");
}

#[test]
fn a_ratio_that_is_one_on_paper_is_one_in_logarithms() {
    // The correlation of a column with itself may come out a rounding below 1, whose logarithm is not 0.
    let column = "[0.1, 0.7, 0.3, 12.9, 1.7, 2.2]";
    let whole = found(&format!("pearson({column}, {column})"), json!(1), Compare::AbsDiffLog10, 0.0, 0.0);
    assert_eq!(whole.answer, Answer::Confirmed, "{whole:?}");
    let below = found("1.0 - 1.2e-16", json!(1), Compare::AbsDiffLog10, 0.0, 0.0);
    assert_eq!((below.answer, below.difference.unwrap() > 0.0), (Answer::Confirmed, true), "{below:?}");
    let off = found("1.0 - 1e-11", json!(1), Compare::AbsDiffLog10, 0.0, 0.0);
    assert_eq!(off.answer, Answer::Contradicted, "{off:?}");
}

#[test]
fn the_tolerance_is_that_of_the_formula_by_hand() {
    // a + b: half of 0.1 and half of 0.5, half of the published 0.01, and the allowance.
    let sum = found("cell('t', 'a') + cell('t', 'b')", json!(14.0), Compare::AbsDiff, 0.01, 0.125);
    assert!((sum.tolerance.unwrap() - (0.05 + 0.25 + 0.005 + 0.125)).abs() < 1e-12, "{sum:?}");
    // a / b: b lower moves it by 10/3.75 - 2.5, more than b higher does; a by 0.05/4.
    let ratio = found("cell('t', 'a') / cell('t', 'b')", json!(2.5), Compare::AbsDiff, 0.0, 0.0);
    assert!((ratio.tolerance.unwrap() - ((10.0 / 3.75 - 2.5) + 0.05 / 4.0)).abs() < 1e-12, "{ratio:?}");
    // In logarithms: of 10 by 0.05 and of the published 10 by 1, the lower ends.
    let log = found("cell('t', 'a')", json!(10.0), Compare::AbsDiffLog10, 2.0, 0.0);
    let wanted = libm::log10(10.0 / 9.95) + libm::log10(10.0 / 9.0);
    assert!((log.tolerance.unwrap() - wanted).abs() < 1e-12, "{log:?}");
    // A cell that is read twice is one cell, and a count is exact.
    let twice = found("rows('t')[0]['a'] - col('t', 'a')[0] + cell('t', 'n')", json!(3), Compare::AbsDiff, 0.0, 0.0);
    assert_eq!(twice.tolerance, Some(0.0), "{twice:?}");
    // What only a condition looks at moves nothing.
    let condition = found("len(rows('t', a=10))", json!(1), Compare::AbsDiff, 0.0, 0.0);
    assert_eq!(condition.tolerance, Some(0.0), "{condition:?}");
}

#[test]
fn a_claim_is_contradicted_only_beyond_the_tolerance() {
    let at =
        |published: f64| found("cell('t', 'a') + cell('t', 'b')", json!(published), Compare::AbsDiff, 0.01, 0.0).answer;
    assert_eq!(at(14.305), Answer::Confirmed);
    assert_eq!(at(14.3051), Answer::Contradicted);
    assert_eq!(at(13.695), Answer::Confirmed);
    assert_eq!(at(13.6949), Answer::Contradicted);
}

#[test]
fn exact_and_below_compare_as_they_are() {
    let of = |formula, published, by| found(formula, published, by, 100.0, 100.0).answer;
    assert_eq!(of("cell('t', 'n')", json!(3), Compare::Exact), Answer::Confirmed);
    assert_eq!(of("cell('t', 'n')", json!(3.0), Compare::Exact), Answer::Confirmed);
    assert_eq!(of("cell('t', 'n')", json!(4), Compare::Exact), Answer::Contradicted);
    assert_eq!(of("cell('t', 'a')", json!(10.05), Compare::Exact), Answer::Contradicted);
    assert_eq!(of("(1, 'x', True)", json!([1, "x", true]), Compare::Exact), Answer::Confirmed);
    assert_eq!(of("[1, 2]", json!([1]), Compare::Exact), Answer::Contradicted);
    assert_eq!(of("'x'", json!("y"), Compare::Exact), Answer::Contradicted);
    assert_eq!(of("1 > 0", json!(true), Compare::Exact), Answer::Confirmed);
    assert_eq!(of("'1'", json!(1), Compare::Exact), Answer::Contradicted);
    assert_eq!(of("0.1 + 0.2", json!(0.3), Compare::Exact), Answer::Confirmed);
    assert_eq!(of("9007199254740993", json!(9_007_199_254_740_992_i64), Compare::Exact), Answer::Contradicted);
    assert_eq!(of("cell('t', 'a')", json!(10.0), Compare::Below), Answer::Contradicted);
    assert_eq!(of("cell('t', 'a')", json!(10.001), Compare::Below), Answer::Confirmed);
}

#[test]
fn what_cannot_be_compared_says_why() {
    let of = |formula, published, by| found(formula, published, by, 0.0, 0.0);
    let list = of("[1]", json!(1), Compare::AbsDiff);
    assert_eq!(
        (list.answer, list.reason.as_str()),
        (Answer::WrongForm, "the formula gives [1], and the claim compares numbers")
    );
    assert_eq!(of("1", json!("x"), Compare::Below).answer, Answer::NotCheckable);
    let log = of("0", json!(1), Compare::AbsDiffLog10);
    assert_eq!(log.answer, Answer::NotCheckable);
    assert!(log.reason.contains("need logarithms"), "{log:?}");
    // The root has no value at the lower end, so nothing contradicts; yet what is near holds already.
    let root = "sqrt(cell('t', 'a') - 10)";
    assert_eq!(of(root, json!(1), Compare::AbsDiff).answer, Answer::NotCheckable);
    assert!(of(root, json!(1), Compare::AbsDiff).reason.contains("at one end of the rounding of t, row 1, a"));
    assert_eq!(of(root, json!(0), Compare::AbsDiff).answer, Answer::Confirmed);
}

#[test]
fn a_formula_without_a_value_says_what_is_missing() {
    for (formula, missing) in [
        ("cell('t', 'b', name='y')", "table \"t\" has no row with name=\"y\""),
        ("cell('t', 'c')", "table \"t\" has no column \"c\"; it has a, b, n, name, none"),
        ("len(rows('t', c=1))", "table \"t\" has no column \"c\""),
        ("cell('t', 'a') - cell('t', 'none')", "prints no value at t, row 1, none"),
        ("cell('t', 'none')", "prints no value at t, row 1, none"),
        ("1 / (cell('t', 'n') - 3)", "divides by zero (line 1, column 1)"),
        ("1 // 0", "divides by zero"),
        ("1 % 0", "divides by zero"),
        ("mean(col('t', 'none'))", "needs at least 1"),
        ("std([1])", "needs at least 2"),
        ("pearson([1, 1], [1, 2])", "all values are equal"),
        ("sqrt(-1)", "sqrt() is not defined"),
        ("log10(0)", "log10() is not defined"),
        ("chg(0, 1)", "chg() is not defined"),
        ("holm([2])", "p-value"),
        ("pow(0, -1)", "divides by zero"),
        ("welch_df(1, 1, 1, 1)", "Welch's degrees of freedom is not defined"),
        ("welch_df(1, 2, 1, 30)", "Welch's degrees of freedom is not defined"),
        ("welch_p(1, 1, 1, 2, 1, 30)", "Welch's degrees of freedom is not defined"),
        ("frac_near_multiple([1], 0, 1)", "frac_near_multiple() is not defined"),
        ("frac_near_multiple([1, float('nan')], 1, 1)", "frac_near_multiple() is not defined"),
        ("frac_near_multiple([1], 1, float('nan'))", "not defined for what is no number"),
        ("h_verdict(24, 24, 6, 6, float('nan'), 24, 20, 6, 6, True)", "not defined for what is no number"),
        ("h_verdict(float('nan'), 24, 6, 6, 0.1, 24, 20, 6, 6, True)", "not defined for what is no number"),
        ("hyper_ge(float('nan'), 24, 5, 12)", "not defined for what is no number"),
        ("wilcoxon_w0(10, 3000000, 'zsplit')", "n_zero is 3000000, and no more than 1048576 values are ranked"),
        ("wilcoxon_w0(2000000, 0, 'wilcox')", "n_nonzero is 2000000, and no more than 1048576 values are ranked"),
    ] {
        match answer(&job(formula, small())) {
            Reply::Missing { what } => assert!(what.contains(missing), "{formula}: {what}"),
            other => panic!("{formula}: {other:?}"),
        }
    }
    assert_eq!(answer(&job("rows('u')", small())), Reply::NoTable { table: "u".to_owned() });
    assert_eq!(answer(&job("float('inf')", small())), Reply::NotFinite);
}

#[test]
fn a_p_value_below_the_doubles_is_the_same_number_from_every_test() {
    let value = |formula: &str| match answer(&job(formula, small())) {
        Reply::Value { value, .. } => value.as_f64().unwrap(),
        other => panic!("{formula}: {other:?}"),
    };
    // Mean 1 and deviation 0.5 around it, so often that t is 4 sqrt(...) and p leaves the doubles.
    let values = "[0.5, 1.5] * 4000";
    let t = format!("mean({values}) / std({values}) * sqrt(8000)");
    for formula in [format!("t1_p({values})"), format!("p_from_t({t}, 7999)"), format!("2 * tsf({t}, 7999)")] {
        assert_eq!(value(&formula), 0.0, "{formula}");
    }
    // Above them the same test has the same p whichever way it is asked for.
    let values = "[0.5, 1.5] * 100";
    let t = format!("mean({values}) / std({values}) * sqrt(200)");
    let (one, other) = (value(&format!("t1_p({values})")), value(&format!("p_from_t({t}, 199)")));
    assert!(one > 0.0 && (one / other - 1.0).abs() < 1e-11, "{one} {other}");
}

#[test]
fn a_wrong_formula_is_told_with_its_place() {
    for (formula, line, column, told) in [
        ("1 +", 1, 4, "unexpected"),
        ("", 1, 1, "has no value"),
        ("None", 1, 1, "has no value"),
        ("1 +\n", 1, 4, "unexpected"),
        ("(1 +\n  absent)", 2, 3, "absent"),
        ("2 ** 3", 1, 3, "**"),
        ("load('x', 'y')", 1, 1, "load"),
        ("print(1)", 1, 1, "print"),
        ("open('/etc/passwd')", 1, 1, "open"),
        ("1 + chg(1)", 1, 5, "b"),
        ("chg(1, 'x')", 1, 1, "b"),
        ("chg(1, 2, c=3)", 1, 1, "c"),
        ("cell('t', 'a').x", 1, 1, "x"),
        ("rows('t')[0][1]", 1, 1, "is no column"),
        ("rows('t')", 1, 1, "is a row"),
        ("cell", 1, 1, "is a function"),
        ("mean(['x'])", 1, 1, "where a number is needed"),
        ("wilcoxon_w0(3, 1, 'other')", 1, 1, "it is wilcox, pratt or zsplit"),
        ("pow(2, 1000000)", 1, 1, "to the power of 1000000"),
        ("{1: 2}", 1, 1, "a key that is no text"),
        ("list(range(20000))", 1, 1, "more than 10000 elements"),
        ("'x' * 20000", 1, 1, "more than 10000 characters"),
        ("fail('mine')", 1, 1, "mine"),
    ] {
        match answer(&job(formula, small())) {
            Reply::WrongForm { line: l, column: c, what } => {
                assert!(what.contains(told), "{formula}: {what}");
                assert_eq!((l, c), (line, column), "{formula}: {what}");
            }
            other => panic!("{formula}: {other:?}"),
        }
    }
}

#[test]
fn a_formula_that_reads_much_ends_within_its_time() {
    let row = small()["t"].rows[0].clone();
    let tables = BTreeMap::from([("t".to_owned(), Table { rows: vec![row; 3000] })]);
    let reply = answer(&Job { budget_ms: 300, ..job("sum(col('t', 'a')) + sum(col('t', 'b'))", tables) });
    let Reply::Value { value, cells, left } = reply else { panic!("{reply:?}") };
    assert_eq!(value, json!(42_000.0));
    assert_eq!(cells.len() as u64 + left, 6000);
    assert!(left > 0 && cells.iter().all(|cell| cell.low.is_some() && cell.high.is_some()), "{left} left");
}

const LINE: &str = r#"{"id": "A", "claim": "c", "data_file": "data/t.json", "formula": "1", "published": 1, "compare": "exact", "published_resolution": 0, "allowance": 0}"#;

fn refused(text: &str) -> String {
    read_claims("claims.jsonl", text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_line_that_is_no_claim_is_told_with_its_number() {
    for (text, told) in [
        ("", "claims.jsonl: no claim"),
        (" \n\r\n", "claims.jsonl: no claim"),
        ("[]", "line 1"),
        ("not json", "line 1"),
        (&format!("{LINE}\n{LINE}"), "line 2: the id \"A\" stands in line 1 already"),
        (&format!("{LINE} 1"), "line 1: no JSON object: trailing characters"),
        (LINE.trim_end_matches('}'), "line 1: no JSON object: EOF"),
        (&"[".repeat(1000), "no JSON object"),
    ] {
        let error = refused(text);
        assert!(error.contains(told) && error.starts_with("claims.jsonl"), "{error}, not {told}");
    }
    assert!(matches!(read_claims("c", b"{\"\xff\": 1}"), Err(Error::Line { line: 1, .. })));
}

#[test]
fn a_claim_without_an_id_that_can_be_taken_is_called_by_its_line() {
    for (id, told) in [
        ("\"id\": 7", "`id`: invalid type: integer `7`"),
        ("\"id\": NaN", "`id`: number out of range"),
        ("\"id\": null", "`id`: there is none"),
        ("\"id\": \" \"", "`id`: there is none"),
        ("\"note\": 1", "`id`: there is none"),
        ("\"id\": \"A\", \"id\": \"B\"", "`id`: it stands twice"),
    ] {
        let text = format!("{LINE}\n\n{}\n", LINE.replace("\"id\": \"A\"", id));
        let read = read_claims("claims.jsonl", text.as_bytes()).unwrap();
        assert!(read[0].check.is_ok(), "{id} costs the claim before it");
        let why = read[1].check.as_ref().unwrap_err();
        assert!(read[1].id == "line 3" && why.contains(told), "{}: {why}, not {told}", read[1].id);
    }
    let text = format!("{LINE}\n{}", LINE.replace("\"A\"", "7").replace("\"id\"", "\"note\": \"line 2\", \"id\""));
    assert_eq!(read_claims("c", text.as_bytes()).unwrap()[1].id, "line 2");
    assert!(refused(&format!("{}\n{{}}", LINE.replace("\"A\"", "\"line 2\""))).contains("stands in line 1 already"));
}

#[test]
fn what_python_writes_for_no_number_costs_the_claim_whose_field_it_is() {
    let read = |line: &str| read_claims("c", line.as_bytes()).unwrap().remove(0);
    for word in ["NaN", "Infinity", "-Infinity"] {
        let why = read(&LINE.replace("\"published\": 1", &format!("\"published\": {word}"))).check.unwrap_err();
        assert!(why.contains("`published`: number out of range; NaN and Infinity are no numbers of JSON"), "{why}");
    }
    // In a field that nobody reads, and inside of a text, it takes nothing.
    assert_eq!(read(&LINE.replace("{\"id\"", "{\"recomputed\": [NaN], \"id\"")), read(LINE));
    let quoted = read(&LINE.replace("\"claim\": \"c\"", r#""claim": "a \" NaN \\""#));
    assert_eq!((quoted.claim.as_str(), quoted.check.is_ok()), ("a \" NaN \\", true));
}

#[test]
fn a_field_that_cannot_be_taken_costs_its_own_claim_and_is_named() {
    for (from, to, told) in [
        ("\"exact\"", "\"abs\"", "`compare`: unknown variant `abs`, expected one of `abs_diff`, `abs_diff_log10`"),
        ("\"published_resolution\": 0", "\"published_resolution\": -1", "`published_resolution`: -1 is below 0"),
        (
            "\"published_resolution\": 0",
            "\"published_resolution\": 1e999",
            "`published_resolution`: number out of range",
        ),
        ("\"data/t.json\"", "5", "`data_file`: a file name or a list of file names is expected"),
        ("\"allowance\": 0", "\"allowance\": \"0\"", "`allowance`: invalid type: string \"0\", expected f64"),
        ("\"allowance\": 0", "\"allowance\": 0, \"allowance\": 9", "`allowance`: it stands twice"),
        ("\"claim\": \"c\"", "\"claim\": [\"c\"]", "`claim`: invalid type: sequence, expected a string"),
        ("\"claim\": \"c\"", "\"claim\": \"\\ud800\"", "`claim`: "),
        ("\"formula\": \"1\"", "\"formula\": \"1\", \"starlark\": {}", "`starlark`: invalid type: map"),
        ("\"1\"", &format!("\"{}\"", "1".repeat(70_000)), "`formula`: 70000 bytes, more than 65536"),
        (
            "\"published\": 1",
            &format!("\"published\": {}{}", "[".repeat(900), "]".repeat(900)),
            "`published`: recursion limit",
        ),
        ("\"published\": 1", "\"published\": 1e999", "`published`: number out of range"),
    ] {
        assert!(LINE.contains(from), "{from}");
        let (wrong, good) = (LINE.replacen(from, to, 1), LINE.replacen("\"A\"", "\"B\"", 1));
        let read = read_claims("claims.jsonl", format!("{wrong}\n{good}").as_bytes()).unwrap();
        let why = read[0].check.as_ref().unwrap_err();
        assert!(why.contains(told) && why.len() < 500 && !why.contains("at line"), "{why}, not {told}");
        assert_eq!((read[0].id.as_str(), read[1].id.as_str()), ("A", "B"));
        assert!(read[1].check.is_ok(), "{to} costs the claim after it: {:?}", read[1]);
    }
    // All that is wrong is told at once.
    let line = LINE.replace("\"exact\"", "\"abs\"").replace("n\": 0", "n\": -1").replace("\"data/t.json\"", "5");
    let why = read_claims("claims.jsonl", line.as_bytes()).unwrap()[0].check.clone().unwrap_err();
    assert!(["`compare`", "`published_resolution`", "`data_file`"].iter().all(|name| why.contains(name)), "{why}");
}

#[test]
fn a_claim_that_lacks_a_key_is_read_and_says_so() {
    let claims = |text: &str| read_claims("claims.jsonl", text.as_bytes()).unwrap();
    for key in ["claim", "data_file", "formula", "published", "compare", "published_resolution", "allowance"] {
        let mut line: Value = serde_json::from_str(LINE).unwrap();
        line[key] = Value::Null;
        let null: Vec<Claim> = claims(&line.to_string());
        line.as_object_mut().unwrap().remove(key);
        assert_eq!(claims(&line.to_string()), null);
        assert_eq!(null[0].check, Err(format!("the claim lacks {key}")));
    }
    let with = |more: &str| claims(&LINE.replace("{\"id\"", &format!("{{{more}, \"id\"")))[0].clone();
    assert_eq!(with("\"starlark\": \"2\"").check.unwrap().formula, "2");
    assert_eq!(with("\"note\": [1], \"severity\": 3, \"claim_type\": {}"), claims(LINE)[0]);
}

#[test]
fn a_contradiction_changes_a_verdict_by_severity_or_else_by_what_is_claimed() {
    let changes = |more: &str, published: &str| {
        let line = LINE
            .replace("{\"id\"", &format!("{{{more}\"id\""))
            .replace("\"published\": 1", &format!("\"published\": {published}"));
        read_claims("c", line.as_bytes()).unwrap()[0].changes_verdict
    };
    assert!(changes("\"severity\": \"critical\", ", "1") && changes("\"severity\": \"major\", ", "1"));
    assert!(!changes("\"severity\": \"minor\", ", "true") && !changes("", "1") && !changes("", "[1]"));
    assert!(changes("", "true") && changes("", "\"promote\"") && changes("\"claim_type\": \"qualitative (x)\", ", "1"));
}

#[test]
fn a_table_outside_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    std::fs::create_dir_all(root.join("x")).unwrap();
    let table = include_str!("../../tests/fixtures/import/table.json");
    for path in ["data/x/t.json", "secret.json"] {
        std::fs::write(folder.path().join(path), table).unwrap();
    }
    std::fs::write(root.join("broken.json"), "{").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret.json"), root.join("link.json")).unwrap();
    let data = DataFolder::open(&root).unwrap();
    let of =
        |name: &str| data.tables_of(&[name.to_owned()]).map(|tables| tables.len()).map_err(|error| error.to_string());
    assert_eq!(of("data/x/t.json"), Ok(1));
    assert_eq!(of("data/./x/t.json"), Ok(1));
    for (name, told) in [
        ("data/../secret.json", "leaves the folder `data`"),
        ("data/x/../../secret.json", "leaves the folder `data`"),
        ("data/link.json", "leaves the folder `data` by a link"),
        ("secret.json", "does not begin with `data/`"),
        ("../data/x/t.json", "does not begin with `data/`"),
        ("/etc/passwd", "does not begin with `data/`"),
        ("", "does not begin with `data/`"),
        ("data/absent.json", "is not there"),
        ("data/x", "is no file"),
        ("data/broken.json", "line 1"),
    ] {
        let error = of(name).unwrap_err();
        assert!(error.contains(told), "{name:?}: {error}");
    }
    assert!(DataFolder::open(&folder.path().join("absent")).is_err());
    assert!(DataFolder::open(&root.join("x/t.json")).is_err());
}
