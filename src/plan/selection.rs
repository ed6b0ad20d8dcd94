//! Which rows a rule reads, whatever its kind.

use serde_json::{Value, json};

use super::{Rows, Rule};

impl Rule {
    /// Every choice of rows in the rule's parameters, in the order in which they are written.
    ///
    /// They are found in the rule's written form, where each is a table's name beside a `where`: so no kind of rule can
    /// be forgotten here.
    #[must_use]
    pub fn selections(&self) -> Vec<Rows> {
        let mut found = Vec::new();
        // A checked rule holds finite numbers, which all have a JSON form.
        if let Ok(written) = serde_json::to_value(self) {
            collect(&written, &mut found);
        }
        found
    }
}

impl Rule {
    /// Whether every mean of the rule says by which column its values belong to launches, so that the rule can be asked of
    /// launches as well.
    #[must_use]
    pub fn names_launches(&self) -> bool {
        if let Self::ColdStart(rule) = self {
            return rule.launch.is_some();
        }
        let mut named = Vec::new();
        if let Ok(written) = serde_json::to_value(self) {
            means(&written, &mut named);
        }
        !named.is_empty() && named.iter().all(|named| *named)
    }
}

impl Rule {
    /// What the rule's tests in the plan's family ask, in one text: rows, columns and comparison, without the rule's own words
    /// and what an answer is held against. Nothing for a rule that adds no test.
    #[must_use]
    pub fn question(&self) -> Option<String> {
        let asked = match self {
            Self::MeanContrast(rule) => json!(["means", rule.left, rule.right]),
            Self::DifferenceCriterion(rule) => json!(["difference", rule.at_least, rule.left, rule.right]),
            Self::CorrelationCriterion(rule) => {
                json!(["correlation", rule.above, rule.direction, rule.rows, rule.x, rule.y])
            }
            Self::MatchedContrasts(rule) => {
                json!(["matched means", rule.key, rule.pair_by_block, rule.baseline, rule.candidate])
            }
            Self::EffectSize(rule) => {
                let cuts = [rule.small, rule.medium, rule.large];
                json!(["size", rule.key, cuts, rule.baseline, rule.candidate, rule.printed])
            }
            Self::PhaseSeparation(rule) => json!(["phases", rule.phase, rule.baseline, rule.candidate]),
            Self::ScaleCrossover(rule) => {
                json!([
                    "sizes",
                    rule.neutral_pct,
                    rule.model,
                    rule.sizes,
                    rule.interaction,
                    rule.baseline,
                    rule.candidate
                ])
            }
            Self::ColdStart(rule) => {
                let columns = [&rule.startup, &rule.first_request, &rule.total];
                json!(["starts", rule.lanes, columns, rule.launch, rule.n, rule.launches, rule.sd])
            }
            Self::EffectBand(rule) => {
                json!(["band", rule.neutral_pct, rule.strong_pct, rule.baseline, rule.candidate])
            }
            Self::CommercialRouting(rule) => {
                json!(["pairs", rule.rows, rule.difference, rule.interval, rule.pairs, rule.parity_within])
            }
            Self::GainReplication(rule) => {
                json!(["gains", rule.model, rule.gain_pct, rule.baseline, rule.candidate])
            }
            Self::Reproduction(rule) => {
                let edges: Vec<&f64> = rule.bands.values().collect();
                json!(["target", rule.rows, rule.value, rule.cv, rule.survived, edges])
            }
            Self::CompileRobustness(rule) => {
                let edges = [rule.robust_pct, rule.sensitive_pct, rule.fragile_pct];
                let survival = [&rule.stack, &rule.survived, &rule.tried];
                json!(["loss", rule.rows, rule.performance, rule.performance_is, rule.cv, survival, edges])
            }
            Self::CrashBoundary(rule) => {
                json!(["rates", rule.counts, rule.rows, rule.at, rule.crashes, rule.n, rule.cut])
            }
            Self::Portability(rule) => {
                let edges = [rule.ok_rate, rule.crash_rate, rule.similar_pct];
                json!(["outcomes", rule.sides, rule.key, rule.crashes, rule.n, rule.mean, edges])
            }
            Self::StaticCacheRescue(rule) => {
                json!(["rescue", rule.hosts, rule.growing, rule.model, rule.crashes, rule.n, rule.max_rate])
            }
            Self::FalsificationLadder(rule) => json!(["gain", rule.efficiencies]),
            _ => return None,
        };
        Some(asked.to_string())
    }
}

impl Rule {
    /// Every number of the rule's parameters by its name, with its unit as the name's ending says it: what rows are held
    /// against. What rows are chosen by is none.
    #[must_use]
    pub fn thresholds(&self) -> Vec<(String, f64, &'static str)> {
        let mut found = Vec::new();
        if let Ok(written) = serde_json::to_value(self) {
            numbers(String::new(), &written, &mut found);
        }
        found.sort_by(|(one, ..), (other, ..)| one.cmp(other));
        found
    }
}

fn numbers(name: String, written: &Value, found: &mut Vec<(String, f64, &'static str)>) {
    match written {
        Value::Number(number) => {
            let units = [("_pct", "%"), ("_pp", "pp"), ("_ms", "ms")];
            let ending =
                units.into_iter().find_map(|(ending, unit)| Some((name.strip_suffix(ending)?.to_owned(), unit)));
            let plain = if name == "power" { "share" } else { "" };
            let (name, unit) = ending.unwrap_or((name, plain));
            found.extend(number.as_f64().map(|value| (name, value, unit)));
        }
        Value::Object(keys) => {
            for (key, value) in keys.iter().filter(|(key, _)| *key != "where") {
                numbers(if name.is_empty() { key.clone() } else { format!("{name}.{key}") }, value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| numbers(name.clone(), value, found)),
        _ => {}
    }
}

/// For each mean, which is written beside the rows that it is taken over, whether it names launches.
fn means(written: &Value, named: &mut Vec<bool>) {
    match written {
        Value::Object(keys) => {
            if keys.contains_key("mean") && keys.contains_key("rows") {
                named.push(keys.contains_key("launch"));
            }
            keys.values().for_each(|value| means(value, named));
        }
        Value::Array(values) => values.iter().for_each(|value| means(value, named)),
        _ => {}
    }
}

fn collect(written: &Value, found: &mut Vec<Rows>) {
    match written {
        Value::Object(keys) => {
            if let Some(Value::String(table)) = keys.get("table") {
                let only = keys.get("where").cloned().and_then(|only| serde_json::from_value(only).ok());
                found.push(Rows { table: table.clone(), only: only.unwrap_or_default() });
            }
            keys.values().for_each(|value| collect(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Design, Rule};

    #[test]
    fn a_rule_names_launches_when_all_of_its_means_do() {
        let rule = |left: &str, right: &str| -> Rule {
            let side = |launch: &str| format!("{{ rows = {{ table = \"t\" }}, mean = \"ms\"{launch} }}");
            let text = format!(
                "kind = \"mean_contrast\"\nleft = {}\nright = {}\nmargin = 1.0\npower = 0.8",
                side(left),
                side(right)
            );
            toml::from_str(&text).unwrap()
        };
        let launch = ", launch = \"run\"";
        assert!(rule(launch, launch).names_launches());
        assert!(!rule(launch, "").names_launches());
        let ledger: Rule = toml::from_str("kind = \"matched_pairs\"\nkey = [\"k\"]\nleft = { table = \"t\", column = \"c\" }\nright = { table = \"t\", column = \"d\" }").unwrap();
        assert!(!ledger.names_launches(), "it has no mean");
    }

    #[test]
    fn every_choice_of_rows_is_found_however_deep_it_stands() {
        let design = Design::parse("tr147", include_str!("../../plans/tr147.toml")).unwrap();
        let tables = |name: &str| -> Vec<String> {
            let hypothesis = design.hypotheses.iter().find(|hypothesis| hypothesis.name == name).unwrap();
            hypothesis.rule.selections().into_iter().map(|rows| rows.table).collect()
        };
        assert_eq!(tables("static-cache-rescue"), ["tr147_static_a100", "tr147_static_ada"]);
        assert_eq!(tables("portability"), ["tr147_static_ada", "tr147_static_a100"]);
        let awq = design.hypotheses.iter().find(|hypothesis| hypothesis.name == "decode-boundary-awq").unwrap();
        assert_eq!(awq.rule.selections()[0].only["gpu"][0].to_string(), "Ada");
    }
}
