//! From what stands in a design's file to a design whose invariants hold.

use super::check_plan::{between, name, range, schema_version, unique};
use super::check_rule::{Earlier, RulePlace};
use super::document::Document;
use super::raw_design::{RawDesign, RawDesignHypothesis};
use super::{Design, DesignHypothesis, Error, Published, columns};

/// The table of others' raw rows, which every import of them gives.
const OBSERVATIONS: &str = "observations";

pub(super) fn check(document: &Document<'_>, raw: RawDesign) -> Result<Design, Error> {
    let RawDesign { schema, name, description, published, hypotheses } = raw;
    schema_version(document, schema)?;
    self::name(document, "name", &name)?;
    let Published {
        report,
        replication: _,
        alpha,
        power,
        bootstrap_resamples,
        bootstrap_seed: _,
        min_ok_share,
        counted,
        tables,
    } = &published;
    if report.trim().is_empty() {
        return Err(document.fault("published.report", "is empty", Some("name the report".to_owned())));
    }
    between(document, "published.alpha", *alpha, 0.0, 0.5)?;
    if let Some(power) = power {
        between(document, "published.power", *power, 0.5, 1.0)?;
    }
    range(document, "published.bootstrap_resamples", *bootstrap_resamples, 100, 1_000_000)?;
    if let Some(share) = min_ok_share {
        between(document, "published.min_ok_share", *share, 0.0, 1.0_f64.next_up())?;
    }
    for (table, columns) in counted {
        self::name(document, &format!("published.counted.{table}"), table)?;
        let fault = |message: &str, hint: &str| {
            document.fault(&format!("published.counted.{table}"), message, Some(hint.to_owned()))
        };
        if table == OBSERVATIONS {
            return Err(fault("is the table of the raw rows themselves", "give it another name, for example cells"));
        }
        if columns.is_empty() {
            return Err(fault("is empty", "name the columns that tell its rows apart"));
        }
    }
    if hypotheses.is_empty() {
        return Err(document.fault("hypothesis", "a design needs at least one [[hypothesis]]", None));
    }
    unique(document, "hypothesis", hypotheses.iter().map(|hypothesis| hypothesis.name.as_str()))?;
    let known: Vec<&str> = tables.iter().chain(counted.keys()).map(String::as_str).chain([OBSERVATIONS]).collect();
    let mut checked: Vec<DesignHypothesis> = Vec::with_capacity(hypotheses.len());
    let mut before: Vec<Earlier> = Vec::with_capacity(hypotheses.len());
    for (index, raw) in hypotheses.into_iter().enumerate() {
        let RawDesignHypothesis { name, claim, expect, rule } = raw;
        let place = RulePlace { document, path: format!("hypothesis[{index}]"), before: &before };
        self::name(document, &place.at("name"), &name)?;
        place.labels("expect", &expect, rule.kind(), &rule.labels())?;
        place.rule(&rule)?;
        place.required(&rule)?;
        if !tables.is_empty() {
            columns::check_tables(document, index, &rule, &known, "the design names the tables")?;
        }
        before.push(Earlier::of(&name, rule.kind(), &rule.labels()));
        checked.push(DesignHypothesis { name, claim, expect, rule });
    }
    Ok(Design { name, description, published, hypotheses: checked })
}
