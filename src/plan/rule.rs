//! What a design's hypothesis is decided by: a kind, the tables it reads and the thresholds it is held against.
//!
//! Tables, columns and words of a report are named here and nowhere in the code. A threshold that the report never
//! printed has no default: the design states it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BenchmarkIdentity, CleanRuns, ColdStartRanking, CommercialRouting, CompileRobustness, Consistency,
    CorrelationCriterion, CrashBoundary, DifferenceCriterion, EffectBands, EffectSizes, FiveGates, GainReplication,
    LadderOfBands, Licence, MatchedContrasts, MeanContrast, MultipleComparisons, ParallelEfficiency, PhaseSeparation,
    Portability, PromotionGates, Ranking, ReproductionBands, SameWindowRerun, Saturation, ScaleCrossover,
    ScoreAndLatency, StatedDifferences, StaticCacheRescue, TokenParity, WeightParity,
};
use crate::terms::Scalar;

/// A decision rule with its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rule {
    /// `H0_pass`, `H1_pass`, `H2_partial` or `abstain`.
    FalsificationLadder(FalsificationLadder),
    /// How many of the shapes that hung before run through now.
    HangLedger(HangLedger),
    /// Which cells both sides have, and which only one.
    MatchedPairs(MatchedPairs),
    /// Whether one axis moved between two sides, or several.
    SingleDelta(SingleDelta),
    /// Whether shares of an effect were measured on the same cells, so that they may be subtracted.
    AxisDecomposition(AxisDecomposition),
    /// What may be said, and what may not.
    Licence(Licence),
    /// Whether two columns rise or fall together strongly enough.
    CorrelationCriterion(CorrelationCriterion),
    /// Whether something stayed above a limit.
    Saturation(Saturation),
    /// Whether a stated difference meets a criterion wherever it is stated.
    StatedDifferences(StatedDifferences),
    /// Whether efficiencies are those of their speed-ups.
    ParallelEfficiency(ParallelEfficiency),
    /// Different, equivalent or could not tell.
    MeanContrast(MeanContrast),
    /// Whether one mean exceeds another by enough.
    DifferenceCriterion(DifferenceCriterion),
    /// What an effect on time is called.
    EffectBand(EffectBands),
    /// Whether a static cache lets compiled decode run.
    StaticCacheRescue(StaticCacheRescue),
    /// Where along an axis crashes begin or end.
    CrashBoundary(CrashBoundary),
    /// Whether conditions come out alike on two hosts.
    Portability(Portability),
    /// How near a run comes to a published target.
    Reproduction(ReproductionBands),
    /// Whether a switch becomes the default.
    Promotion(Box<PromotionGates>),
    /// Which lane is ready first.
    ColdStart(ColdStartRanking),
    /// Whether phases must be reported apart.
    PhaseSeparation(PhaseSeparation),
    /// Whether a gain repeats on enough models.
    GainReplication(GainReplication),
    /// Whether an effect turns round with the size of the model.
    ScaleCrossover(ScaleCrossover),
    /// Different, equivalent or could not tell, for a family of contrasts.
    MatchedContrasts(MatchedContrasts),
    /// Whether two sides give the same tokens.
    TokenParity(TokenParity),
    /// Whether two sides hold the same weights.
    WeightParity(WeightParity),
    /// How much of a compiled performance survives a change of stack.
    CompileRobustness(CompileRobustness),
    /// Which of several runs may be cited.
    CleanRuns(CleanRuns),
    /// What a published benchmark shows of itself.
    FiveGates(FiveGates),
    /// Which candidate has the lowest mean over what all ran.
    Ranking(Ranking),
    /// Whether two phases agree on the same numbers.
    Consistency(Consistency),
    /// In which of several bands numbers lie.
    LadderOfBands(LadderOfBands),
    /// Whether one side has the better score and the lower latency.
    ScoreAndLatency(ScoreAndLatency),
    /// Whether an own router wins against a commercial one.
    CommercialRouting(CommercialRouting),
    /// What a difference comes to where both sides were run again in the same window.
    SameWindowRerun(SameWindowRerun),
    /// What a standardised difference is called.
    EffectSize(Box<EffectSizes>),
    /// Whether tests survive that they are several.
    MultipleComparisons(MultipleComparisons),
    /// Whether two measurements are of the same object.
    BenchmarkIdentity(BenchmarkIdentity),
}

/// Rows of a printed table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The table.
    pub table: String,
    /// Columns and the values that a row must have one of; empty: every row.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, Vec<Scalar>>,
}

/// A column of printed rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The table.
    pub table: String,
    /// Columns and the values that a row must have one of; empty: every row.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, Vec<Scalar>>,
    /// The column.
    pub column: String,
}

/// One efficiency before and one after, row by row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Efficiencies {
    /// The rows; one for each combination.
    pub rows: Rows,
    /// The columns that tell combinations apart.
    pub key: Vec<String>,
    /// The column of the side compared against, in fractions or percent.
    pub baseline: String,
    /// The column of the side compared, in fractions or percent.
    pub candidate: String,
}

/// Statements that must hold before anything is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precondition {
    /// The rows; one for each statement.
    pub rows: Rows,
    /// The columns that name the statement.
    pub key: Vec<String>,
    /// The statements that must be there, each by the values of its key's columns in their order: the ladder abstains where
    /// one is not. The design of a report lists all of them, since no other row would tell that one is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<Vec<String>>,
    /// The column of what it must be.
    pub expected: String,
    /// The column of what it was.
    pub observed: String,
}

/// See [`Rule::FalsificationLadder`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FalsificationLadder {
    /// The combinations.
    pub efficiencies: Efficiencies,
    /// The hang shapes; absent where none can be named: then `min_hang_shapes` is 0, the hang clause of H1 is not testable,
    /// and H1 rests on the gains alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hangs: Option<Hangs>,
    /// What must hold before anything is judged; the ladder abstains otherwise.
    pub preconditions: Vec<Precondition>,
    /// Combinations below which the ladder abstains.
    pub min_combinations: u64,
    /// Hang shapes attempted below which the ladder abstains; at 0 the hang clause of H1 cannot be tested.
    pub min_hang_shapes: u64,
    /// A combination improves when it gains more than this.
    pub improvement_above: f64,
    /// What `improvement_above` counts.
    pub improvement_unit: GainUnit,
    /// What H0 is.
    pub null: Null,
    /// The band around 0 that stands for no effect, in percentage points.
    pub null_margin_pp: f64,
}

/// What a gain is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GainUnit {
    /// Percentage points.
    Pp,
    /// Percent of the side compared against.
    PctOfBaseline,
}

/// When the null hypothesis holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Null {
    /// The mean gain is not above 0.
    MeanNotAboveZero,
    /// The mean gain is equivalent to 0 within the margin, by TOST over the combinations.
    WithinMargin,
}

/// Shapes that hung before, and what came of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hangs {
    /// The rows; one for each shape.
    pub rows: Rows,
    /// The columns that tell shapes apart.
    pub key: Vec<String>,
    /// The column of what came of it.
    pub outcome: String,
    /// The words for a shape that ran through.
    pub resolved: Vec<String>,
    /// The words for a shape that did not.
    pub unresolved: Vec<String>,
    /// The column of the share of requests that were answered; null where none was recorded.
    pub ok_rate: String,
    /// The column of the wall time; null where none was recorded.
    pub wall: String,
    /// The column of the tokens that came out, where it is printed; null where none were recorded. A shape ran through only
    /// with some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<String>,
}

/// See [`Rule::HangLedger`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HangLedger {
    /// The shapes.
    pub hangs: Hangs,
    /// The column that shapes are grouped by.
    pub by: String,
    /// The column of the wall time before.
    pub baseline_wall: String,
    /// What that column holds where there was no timing.
    pub baseline_wall_absent: f64,
    /// What came of each shape before; absent where the rows are those of shapes that hung before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
}

/// What came of a shape before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// The column of what came of it.
    pub outcome: String,
    /// The words for a shape that hung or failed; with any other it ran through.
    pub unresolved: Vec<String>,
}

/// See [`Rule::MatchedPairs`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchedPairs {
    /// The columns that must agree.
    pub key: Vec<String>,
    /// The side compared against; a row is there where its column is not null.
    pub left: Column,
    /// The side compared.
    pub right: Column,
}

/// See [`Rule::SingleDelta`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SingleDelta {
    /// The rows; each states both sides.
    pub rows: Rows,
    /// The columns that name the statement.
    pub key: Vec<String>,
    /// The column of the side compared against.
    pub left: String,
    /// The column of the side compared.
    pub right: String,
    /// The axis that the report means to move.
    pub intended: String,
    /// Axis to value to the words that stand for it in the two columns. A side whose text holds words of no value, or
    /// of several, tells nothing of the axis.
    pub axes: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// See [`Rule::AxisDecomposition`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AxisDecomposition {
    /// Axis to the row that prints its effect, the larger effect among them holding the smaller ones.
    pub axes: BTreeMap<String, Rows>,
    /// The column of the effect, in percentage points.
    pub effect: String,
    /// The column of the count of cells.
    pub cells: String,
    /// The column that says which levels went in.
    pub levels: String,
}

impl Rule {
    /// The kind's name, as a design writes it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::FalsificationLadder(_) => "falsification_ladder",
            Self::HangLedger(_) => "hang_ledger",
            Self::MatchedPairs(_) => "matched_pairs",
            Self::SingleDelta(_) => "single_delta",
            Self::AxisDecomposition(_) => "axis_decomposition",
            Self::Licence(_) => "licence",
            Self::CorrelationCriterion(_) => "correlation_criterion",
            Self::Saturation(_) => "saturation",
            Self::StatedDifferences(_) => "stated_differences",
            Self::ParallelEfficiency(_) => "parallel_efficiency",
            Self::MeanContrast(_) => "mean_contrast",
            Self::DifferenceCriterion(_) => "difference_criterion",
            Self::EffectBand(_) => "effect_band",
            Self::StaticCacheRescue(_) => "static_cache_rescue",
            Self::CrashBoundary(_) => "crash_boundary",
            Self::Portability(_) => "portability",
            Self::Reproduction(_) => "reproduction",
            Self::Promotion(_) => "promotion",
            Self::ColdStart(_) => "cold_start",
            Self::PhaseSeparation(_) => "phase_separation",
            Self::GainReplication(_) => "gain_replication",
            Self::ScaleCrossover(_) => "scale_crossover",
            Self::MatchedContrasts(_) => "matched_contrasts",
            Self::TokenParity(_) => "token_parity",
            Self::WeightParity(_) => "weight_parity",
            Self::CompileRobustness(_) => "compile_robustness",
            Self::CleanRuns(_) => "clean_runs",
            Self::FiveGates(_) => "five_gates",
            Self::Ranking(_) => "ranking",
            Self::Consistency(_) => "consistency",
            Self::LadderOfBands(_) => "ladder_of_bands",
            Self::ScoreAndLatency(_) => "score_and_latency",
            Self::CommercialRouting(_) => "commercial_routing",
            Self::SameWindowRerun(_) => "same_window_rerun",
            Self::EffectSize(_) => "effect_size",
            Self::MultipleComparisons(_) => "multiple_comparisons",
            Self::BenchmarkIdentity(_) => "benchmark_identity",
        }
    }

    /// The labels of its decisions. What cannot be decided has none of them.
    #[must_use]
    pub fn labels(&self) -> Vec<&str> {
        let fixed: &[&str] = match self {
            Self::FalsificationLadder(_) => &["H0_pass", "H1_pass", "H2_partial"],
            Self::HangLedger(HangLedger { before: None, .. }) => &["all_resolved", "some_resolved", "none_resolved"],
            Self::HangLedger(_) => &["all_resolved", "some_resolved", "none_resolved", "none_hung", "new_hangs"],
            Self::MatchedPairs(_) => &["all_matched", "some_unmatched", "none_matched"],
            Self::SingleDelta(_) => &["single_delta", "confounded", "other_axis", "nothing_moved"],
            Self::AxisDecomposition(_) => &["decomposed", "confounded"],
            Self::Licence(_) => &["all_licensed", "some_licensed", "none_licensed"],
            Self::CorrelationCriterion(_) | Self::DifferenceCriterion(_) => &["met", "not_met"],
            Self::Saturation(_) => &["sustained", "not_sustained"],
            Self::StatedDifferences(_) => &["met", "not_met", "contradictory"],
            Self::ParallelEfficiency(_) => &["consistent", "contradicted"],
            Self::MeanContrast(_) => &["lower", "higher", "equivalent"],
            Self::EffectBand(EffectBands { strong_pct: Some(_), .. }) => {
                &["strong_win", "win", "neutral", "regression"]
            }
            Self::EffectBand(_) => &["win", "neutral", "regression"],
            Self::StaticCacheRescue(_) => &["rescued", "not_rescued", "nothing_to_rescue"],
            Self::CrashBoundary(_) => {
                &["located", "several", "none_within_range", "everywhere", "affected_on_average", "free_on_average"]
            }
            Self::Portability(_) => &["flipped", "unstable", "same_outcome"],
            Self::Reproduction(_) => &["no_survivor"],
            Self::Promotion(_) => &["promote", "keep_off", "rejected_at_gate", "revert", "not_causal"],
            Self::ColdStart(_) | Self::Ranking(_) => &["tie"],
            Self::PhaseSeparation(_) => &["required", "not_required"],
            Self::GainReplication(_) => &["replicated", "not_replicated"],
            Self::ScaleCrossover(_) => &["crossover", "several_crossovers", "interaction", "no_interaction"],
            Self::MatchedContrasts(_) => &["faster", "slower", "equivalent", "mixed"],
            Self::TokenParity(_) => &["identical", "not_identical"],
            Self::WeightParity(_) => &["identical", "not_identical", "logits_differ"],
            Self::CompileRobustness(_) => &["robust", "sensitive", "fragile", "catastrophic"],
            Self::CleanRuns(_) => &["clean", "contaminated"],
            Self::FiveGates(_) => &["0_of_5", "1_of_5", "2_of_5", "3_of_5", "4_of_5", "5_of_5"],
            Self::Consistency(_) => &["consistent", "acceptable", "not_consistent"],
            Self::LadderOfBands(_) => &["mixed"],
            Self::ScoreAndLatency(_) => &["wins", "not_promotable", "no_latency_gain", "loses", "mixed"],
            Self::CommercialRouting(_) => &["internal_wins", "external_wins", "parity", "trade_off", "mixed"],
            Self::SameWindowRerun(_) => &["improves", "near_flat", "regresses"],
            Self::EffectSize(_) => &["negligible", "small", "medium", "large", "mixed"],
            Self::MultipleComparisons(_) => &["all_significant", "some_significant", "none_significant"],
            Self::BenchmarkIdentity(_) => &["same", "different"],
        };
        let own = match self {
            Self::Reproduction(rule) => rule.bands.keys().map(String::as_str).collect(),
            Self::ColdStart(rule) => rule.lanes.keys().map(String::as_str).collect(),
            Self::Ranking(rule) => rule.candidates.iter().map(String::as_str).collect(),
            Self::LadderOfBands(rule) => rule.above.keys().chain([&rule.lowest]).map(String::as_str).collect(),
            _ => Vec::new(),
        };
        [fixed.to_vec(), own].concat()
    }

    /// Whether the rule's answer rests on what was repeated, on counts, means or single readings of it, so that it matters what
    /// one observation is. The others read what is stated: which rows there are, which axes moved, which tokens came out.
    #[must_use]
    pub const fn counts_observations(&self) -> bool {
        match self {
            Self::FalsificationLadder(_)
            | Self::HangLedger(_)
            | Self::CorrelationCriterion(_)
            | Self::Saturation(_)
            | Self::StatedDifferences(_)
            | Self::ParallelEfficiency(_)
            | Self::MeanContrast(_)
            | Self::DifferenceCriterion(_)
            | Self::EffectBand(_)
            | Self::StaticCacheRescue(_)
            | Self::CrashBoundary(_)
            | Self::Portability(_)
            | Self::Reproduction(_)
            | Self::Promotion(_)
            | Self::ColdStart(_)
            | Self::PhaseSeparation(_)
            | Self::GainReplication(_)
            | Self::ScaleCrossover(_)
            | Self::MatchedContrasts(_)
            | Self::CompileRobustness(_)
            | Self::FiveGates(_)
            | Self::Ranking(_)
            | Self::Consistency(_)
            | Self::LadderOfBands(_)
            | Self::ScoreAndLatency(_)
            | Self::CommercialRouting(_)
            | Self::SameWindowRerun(_)
            | Self::EffectSize(_)
            | Self::MultipleComparisons(_) => true,
            Self::MatchedPairs(_)
            | Self::SingleDelta(_)
            | Self::AxisDecomposition(_)
            | Self::Licence(_)
            | Self::TokenParity(_)
            | Self::WeightParity(_)
            | Self::CleanRuns(_)
            | Self::BenchmarkIdentity(_) => false,
        }
    }
}
