//! Rules over what rows tell of their logits.

use super::*;
use crate::terms::SignalValue;
use crate::verdict::rules::Standing;

const PLAN: &str = r#"
schema = 1
name = "logits"
seed = 1

[model]
name = "m"
sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
vocab_size = 100

[run]
launches = 3
repetitions = 1
warmup = 0

[[workload]]
name = "first"
prompt = [1, 2, 3]
new_tokens = 2
phases = ["e2e_kv"]

[[lane]]
name = "base"
[[lane]]
name = "same"
[[lane]]
name = "other"

[[hypothesis]]
name = "logits"
[hypothesis.rule]
kind = "weight_parity"
position = "position"
logit_tolerances = { logit_mean = 0.01, logit_std = 0.01, logit_min = 0.01, logit_max = 0.01 }
[hypothesis.rule.outputs]
key = ["workload"]
output = "output_sha256"
tokens = "new_tokens"
sides = [
    { name = "base", rows = { table = "positions", where = { lane = ["base"] } } },
    { name = "same", rows = { table = "positions", where = { lane = ["same"] } } },
]

[[hypothesis]]
name = "decisive"
expect = ["met"]
[hypothesis.rule]
kind = "stated_differences"
rows = { table = "cells", where = { lane = ["other"] } }
key = ["workload"]
left = "teacher_decisive"
right = "teacher_agreeing"
at_least = 0.0
"#;

/// The verdict where the lane `same` has this highest logit at its second position, and `other` agrees with its teacher at
/// so many of its two decisive positions of three.
fn judged(highest: &str, agreeing: i64) -> Verdict {
    judged_by(PLAN, highest, [2, agreeing])
}

fn judged_by(plan: &str, highest: &str, [decisive, agreeing]: [i64; 2]) -> Verdict {
    let plan = Plan::parse("logits.toml", plan).unwrap();
    let fixture = Fixture { tokens: |_, _| vec![7, 8], ..Fixture::default() };
    let mut records = fixture.journal_of(&plan, std::slice::from_ref(&(0..3))).records;
    for record in &mut records {
        let Record::Row(row) = record else { continue };
        let last = if row.lane == "same" { highest } else { "6" };
        for (name, texts) in
            [("mean", ["0.5", "0.5"]), ("std", ["2", "2"]), ("min", ["-5", "-5"]), ("max", ["6", last])]
        {
            let texts = texts.map(str::to_owned).to_vec();
            row.evidence.insert(format!("logits.{name}"), SignalValue::List(texts));
        }
        if row.lane == "other" {
            for (name, count) in [("positions", 3), ("decisive", decisive), ("agreeing", agreeing)] {
                row.evidence.insert(format!("teacher.{name}"), SignalValue::Int(count));
            }
            row.evidence.insert("teacher.rms_error".to_owned(), SignalValue::Float(0.25));
        }
    }
    judge(&plan, &journal::read(&journal::encode(&records).unwrap()).unwrap()).unwrap()
}

#[test]
fn the_same_tokens_from_other_logits_are_told_with_the_position() {
    let results = |highest| {
        let verdict = judged(highest, 2);
        let hypothesis = &verdict.hypotheses[0];
        (hypothesis.result().to_owned(), hypothesis.reasons.join("\n"))
    };
    assert_eq!(results("6.009").0, "identical");
    let (label, reasons) = results("6.1");
    assert_eq!(label, "logits_differ");
    assert!(reasons.contains("logit_max at position 2 is 6 and 6.1"), "{reasons}");
    assert!(reasons.contains("the weights of m are those of a checkpoint that was given"), "{reasons}");
    // A statistic that is no number was not recorded.
    let verdict = judged("NaN", 2);
    assert_eq!(verdict.hypotheses[0].ruling.as_ref().unwrap().standing, Standing::Invalid);
}

#[test]
fn weights_of_a_hub_are_told_as_published_ones() {
    let commit = "d2c5d8223fd00ab5ce469d8fdd93a7de78fb8b4a";
    let file = format!("{{ name = \"config.json\", bytes = 2, sha256 = \"sha256:{}\" }}", "0".repeat(64));
    let hub = format!("[model.hub]\nrepository = \"org/model\"\nrevision = \"{commit}\"\nfiles = [{file}]\n[run]");
    let verdict = judged_by(&PLAN.replacen("[run]", &hub, 1), "6", [2, 2]);
    assert_eq!(verdict.model, format!("m (published weights of org/model at revision {commit})"));
    assert_eq!(verdict.weights, format!("published, org/model@{commit}"));
    let reasons = verdict.hypotheses[0].reasons.join("\n");
    let told = format!("the weights of m are published, org/model@{commit}");
    assert!(reasons.contains(&told), "{reasons}");
}

#[test]
fn every_decisive_position_has_to_agree_and_their_share_is_told() {
    let verdict = judged("6", 2);
    assert_eq!(verdict.hypotheses[1].result(), "met");
    let reasons = verdict.hypotheses[1].reasons.join("\n");
    assert!(reasons.contains("2 of 3 positions decide (66.7 %), the error of the logits being 0.25"), "{reasons}");
    assert_eq!(judged("6", 1).hypotheses[1].result(), "not_met");
    // Logits so far off that nothing decides agree wherever something does.
    let ruling = judged_by(PLAN, "6", [0, 0]).hypotheses[1].ruling.clone().unwrap();
    assert_eq!((ruling.label.as_str(), ruling.standing), ("invalid", Standing::Invalid));
}
