//! The plan of one calibration pair, derived from the plan that is calibrated.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::Error;
use crate::plan::{Contrast, HypothesisKind, Plan};

/// The plan's first negative control: the lane that is held against itself.
pub(super) fn control(plan: &Plan) -> Result<&Contrast, Error> {
    let controls = plan.hypotheses.iter().filter_map(|hypothesis| match &hypothesis.kind {
        HypothesisKind::Contrast(contrast) if contrast.negative_control => Some(contrast),
        _ => None,
    });
    controls.into_iter().next().ok_or_else(|| {
        let found = format!("plan {:?} holds no lane against itself", plan.name);
        Error::usage(found, "give it a contrast with `negative_control = true`, or calibrate by `quickstart`")
    })
}

/// The plan's text narrowed to its negative control: two equal lanes, one contrast.
pub(super) fn pair_text(text: &str, plan: &Plan) -> Result<String, Error> {
    let contrast = control(plan)?;
    let mut document: DocumentMut = parse(text)?;
    document["name"] = value(format!("{}+calibration", plan.name).chars().take(80).collect::<String>());
    let mut lanes = ArrayOfTables::new();
    for name in [&contrast.baseline, &contrast.candidate] {
        let mut lane = Table::new();
        lane["name"] = value(name);
        lanes.push(lane);
    }
    document["lane"] = Item::ArrayOfTables(lanes);
    let mut hypothesis = Table::new();
    hypothesis["name"] = value("a-a");
    hypothesis["claim"] = value("Two lanes of the same stack show no difference");
    hypothesis["kind"] = value("contrast");
    hypothesis["baseline"] = value(&contrast.baseline);
    hypothesis["candidate"] = value(&contrast.candidate);
    hypothesis["phases"] = value(contrast.phases.iter().map(ToString::to_string).collect::<Array>());
    hypothesis["margin_pct"] = value(contrast.margin_pct);
    hypothesis["negative_control"] = value(true);
    hypothesis["expect"] = value(Array::from_iter(["equivalent"]));
    let mut hypotheses = ArrayOfTables::new();
    hypotheses.push(hypothesis);
    document["hypothesis"] = Item::ArrayOfTables(hypotheses);
    // They may name lanes that take no part here.
    document.remove("expected_failure");
    Ok(document.to_string())
}

/// The pair's text with the seed of its order. Pairs of one calibration differ in nothing else.
pub(super) fn with_seed(text: &str, seed: u64) -> Result<String, Error> {
    let mut document: DocumentMut = parse(text)?;
    // A plan's seed is a TOML integer, so it stays below 2^63.
    document["seed"] = value(i64::try_from(seed & (u64::MAX >> 1)).unwrap_or(i64::MAX));
    Ok(document.to_string())
}

fn parse(text: &str) -> Result<DocumentMut, Error> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| Error::Internal(format!("a checked plan no longer parses: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICKSTART: &str = include_str!("../../plans/quickstart.toml");

    #[test]
    fn a_pair_is_the_plans_control_alone_and_its_seed_changes_the_order_only() {
        let plan = Plan::parse("quickstart.toml", QUICKSTART).unwrap();
        let text = pair_text(QUICKSTART, &plan).unwrap();
        let pair = Plan::parse("pair.toml", &text).unwrap();
        let lanes: Vec<_> = pair.lanes.iter().map(|lane| (lane.name.as_str(), lane.optional)).collect();
        assert_eq!(lanes, [("native", false), ("native-again", false)]);
        assert_eq!(pair.hypotheses.len(), 1);
        assert_eq!(control(&pair).unwrap(), control(&plan).unwrap());
        let other = Plan::parse("pair.toml", &with_seed(&text, u64::MAX).unwrap()).unwrap();
        assert_ne!((other.seed, other.digest()), (pair.seed, pair.digest()));
        assert_eq!(Plan { seed: pair.seed, ..other }, pair);
    }

    #[test]
    fn a_plan_without_a_control_is_told_what_it_lacks() {
        let text = QUICKSTART
            .replace("negative_control = true\nexpect = [\"equivalent\"]", "")
            .replace("controls = [\"a-a\"]", "");
        let plan = Plan::parse("quickstart.toml", &text).unwrap();
        assert!(pair_text(&text, &plan).unwrap_err().to_string().contains("holds no lane against itself"));
    }
}
