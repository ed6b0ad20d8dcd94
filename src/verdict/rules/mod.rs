//! The decision rules of the published reports, each a pure function from numbers to a [`Ruling`].
//!
//! A rule knows nothing of plans, journals or tables: what it needs comes in as its own typed input, thresholds among
//! it, and everything that it rests on goes out with its label. A rule is total: whatever the numbers, it answers, and
//! what it cannot be applied to is `invalid` with the reason.

mod average_rate;
mod axes_moved;
mod band_ladder;
mod boundaries;
mod clean_runs;
mod cold_start;
mod commercial_routing;
mod consistency;
mod contrasts;
mod criteria;
mod effect_bands;
mod effect_size;
mod estimate;
mod five_gates;
mod hangs;
mod identity;
mod ladder;
mod ladder_floors;
mod ladder_gains;
mod ladder_null;
mod ladder_parts;
mod licence;
mod loss;
mod multiple_comparisons;
mod pairs;
mod phase_separation;
mod portability;
mod promotion;
mod ranking;
mod rates;
mod reproduction;
mod robustness;
mod ruling;
mod same_window;
mod scale_crossover;
mod score_and_latency;
mod static_cache;
mod three_answers;
mod token_parity;

pub use axes_moved::{AxisEffect, Told, axis_decomposition, single_delta};
pub use band_ladder::{BandLadder, Placed, band_ladder};
pub(super) use boundaries::boundary_family;
pub use boundaries::{BoundaryInput, BoundaryPoint, Occurrence, boundary};
pub use clean_runs::{CleanRuns, FusedArm, Probes, RunFacts, clean_runs};
pub(super) use cold_start::cold_family;
pub use cold_start::{ColdLane, ColdStart, cold_start};
pub(super) use commercial_routing::routing_family;
pub use commercial_routing::{CommercialRouting, RoutedFamily, ToolParity, commercial_routing};
pub use consistency::{Consistency, PrintedTwice, consistency};
pub(super) use contrasts::contrasts_family;
pub use contrasts::{LaunchValue, MatchedContrast, MatchedContrasts, ReplicationUnit, SideValues, matched_contrasts};
pub use criteria::{
    ContrastTerms, SpeedUp, Stated, TwoMeans, correlation_criterion, difference_criterion, mean_contrast,
    parallel_efficiency, saturation, stated_differences,
};
pub(super) use criteria::{correlation_family, difference_family, mean_family};
pub(super) use effect_bands::band_p;
pub use effect_bands::{Band, BandEdges, EffectBand, effect_band};
pub(super) use effect_size::size_family;
pub use effect_size::{EffectCuts, EffectSizes, SizedDifference, effect_size};
pub use estimate::OtherTests;
pub(super) use estimate::launches_to_decide;
pub use estimate::{Estimate, Levels};
pub use five_gates::{PublishedFacts, RegimeOutcomes, five_gates};
pub use hangs::{Shape, ShapeState, hang_ledger};
pub use identity::{AxisStated, BenchmarkIdentity, same_benchmark};
pub(super) use ladder::ladder_family;
pub use ladder::{Combination, LadderRules, ladder};
pub use ladder_floors::{Combinations, LeftOut, RuntimeFact, RuntimeFacts};
pub use ladder_gains::LaunchSides;
pub use licence::{Checked, Claimed, licence};
pub use loss::StackMean;
pub use multiple_comparisons::{MultipleComparisons, PrintedP, multiple_comparisons};
pub use pairs::{Cells, SideCell, matched_pairs};
pub(super) use phase_separation::phases_family;
pub use phase_separation::{PhaseEffect, PhaseSeparation, phase_separation};
pub(super) use portability::portability_family;
pub use portability::{Condition, Latency, Portability, SideRows, portability};
pub use promotion::{GateDelta, KnobEvidence, LoadMode, Promotion, Stage, StrictParity, promotion};
pub use ranking::{RankedMean, Ranking, ranking};
pub use rates::{Count, Tally};
pub(super) use reproduction::reproduction_p;
pub use reproduction::{Reproduction, ReproductionBand, reproduction};
pub use robustness::{CompileRobustness, StackPoint, compile_robustness};
pub(super) use robustness::{intervals_together, robustness_family};
pub use ruling::{Part, Ruling, RulingTest, Standing, Threshold};
pub use same_window::{SameWindowRerun, WindowDifference, same_window_rerun};
pub(super) use scale_crossover::crossover_family;
pub use scale_crossover::{InteractionRows, MeasuredChange, ScaleCrossover, SizedEffect, scale_crossover};
pub use score_and_latency::{ScoredLane, score_and_latency};
pub use static_cache::{
    GainReplication, ModelChange, RescueCell, StaticCacheRescue, gain_replication, static_cache_rescue,
};
pub(super) use static_cache::{gain_family, rescue_family};
pub use three_answers::MIN_LAUNCHES;
pub use token_parity::{Output, PromptOutputs, TokenParity, token_parity};
