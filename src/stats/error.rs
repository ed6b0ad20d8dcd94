//! Why a statistic was refused.

/// A statistic that cannot be computed from what was given.
///
/// Each message says what was being computed, what was found, and what to try.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Fewer things than the statistic is defined for.
    #[error("computing {computing}: it needs at least {needed} {of}, found {found}; {hint}")]
    TooFew {
        /// The statistic asked for.
        computing: &'static str,
        /// The least number it is defined for.
        needed: u64,
        /// What is counted.
        of: &'static str,
        /// How many there were.
        found: u64,
        /// What to try.
        hint: &'static str,
    },

    /// A NaN or an infinity where a number is needed.
    #[error(
        "computing {computing}: value {index} is {value}, not a finite number; \
         keep failed measurements out as outcomes instead of as numbers"
    )]
    NotFinite {
        /// The statistic asked for.
        computing: &'static str,
        /// Position of the first offender, counted from 0.
        index: usize,
        /// The offender.
        value: f64,
    },

    /// All values are equal, so a statistic that divides by their spread has no value.
    #[error(
        "computing {computing}: all values are equal ({values}), so there is no spread to judge by; \
         compare the values themselves, or measure with a finer clock"
    )]
    ZeroSpread {
        /// The statistic asked for.
        computing: &'static str,
        /// The constant value, or both values of a two-sample statistic.
        values: EqualValues,
    },

    /// At least half of the values are equal, so a statistic that divides by their median deviation has no value.
    #[error(
        "computing {computing}: at least half of the values are {value}, so the median absolute deviation is 0; \
         use Tukey's fences"
    )]
    ZeroMedianDeviation {
        /// The statistic asked for.
        computing: &'static str,
        /// The value that half of them have.
        value: f64,
    },

    /// Two sides of different length where each value of one belongs to a value of the other.
    #[error(
        "computing {computing}: {a} values on one side and {b} on the other do not pair up; \
         keep the repetitions that both sides have"
    )]
    Unpaired {
        /// The statistic asked for.
        computing: &'static str,
        /// Values on the first side.
        a: usize,
        /// Values on the second side.
        b: usize,
    },

    /// Tied values where the statistic's null distribution is that of untied ones.
    #[error(
        "computing {computing}: the value {value} occurs more than once, and the exact distribution is that of \
         values without ties; use the normal approximation, which corrects for ties"
    )]
    Tied {
        /// The statistic asked for.
        computing: &'static str,
        /// The first value that occurs again.
        value: f64,
    },

    /// A relative quantity over a mean of zero.
    #[error("computing {computing}: the baseline's mean is 0, so a percentage of it says nothing; give absolute units")]
    ZeroBaseline {
        /// The quantity asked for.
        computing: &'static str,
    },

    /// A parameter outside the range for which the statistic is defined.
    #[error("computing {computing}: {parameter} is {found}, must be {range}; {hint}")]
    OutOfRange {
        /// The statistic or type asked for.
        computing: &'static str,
        /// The parameter's name.
        parameter: &'static str,
        /// What was given.
        found: f64,
        /// The allowed range in words.
        range: &'static str,
        /// What to try.
        hint: &'static str,
    },

    /// A power that no effect has to be present for.
    #[error(
        "computing {computing}: a power of {power} is not above alpha {alpha}, so no effect at all would already \
         reach it; ask for more power (0.8 is usual)"
    )]
    PowerNotAboveAlpha {
        /// The statistic asked for.
        computing: &'static str,
        /// The power asked for.
        power: f64,
        /// The significance level.
        alpha: f64,
    },

    /// A model that explains every value, so that no residual is left for its errors to be estimated from.
    #[error("computing {computing}: every value is explained exactly, so no residual is left to judge by; {hint}")]
    NoResidual {
        /// The statistic asked for.
        computing: &'static str,
        /// What to try.
        hint: &'static str,
    },

    /// A column of a design that says nothing beyond the columns before it.
    #[error(
        "computing {computing}: predictor {predictor} is a combination of the constant and the predictors before it, \
         so its coefficient has no value; leave it out"
    )]
    DependentPredictor {
        /// The statistic asked for.
        computing: &'static str,
        /// Position of the predictor, counted from 0.
        predictor: usize,
    },

    /// A cell of a layout that is given twice.
    #[error("computing {computing}: the cell of {a} and {b} is given twice; give each cell once, with all its values")]
    RepeatedCell {
        /// The statistic asked for.
        computing: &'static str,
        /// Level of the first factor.
        a: String,
        /// Level of the second factor.
        b: String,
    },

    /// A statistic that has no value for this input, for a reason of its own.
    #[error("computing {computing}: {because}; {hint}")]
    Undefined {
        /// The statistic asked for.
        computing: &'static str,
        /// Why it has no value.
        because: &'static str,
        /// What to try.
        hint: &'static str,
    },

    /// The result, or a step on the way, is larger than a double can hold.
    #[error("computing {computing}: the result is too large for a double; give the values in a larger unit")]
    Overflow {
        /// The statistic asked for.
        computing: &'static str,
    },

    /// The result is not zero but smaller than a double can hold.
    #[error("computing {computing}: the result is too small for a double; give the values in a smaller unit")]
    Underflow {
        /// The statistic asked for.
        computing: &'static str,
    },
}

/// The constants of samples without spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum EqualValues {
    /// One sample, all of this value.
    One(f64),
    /// Two samples, each constant.
    Two(f64, f64),
}

impl std::fmt::Display for EqualValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EqualValues::One(value) => write!(f, "{value}"),
            EqualValues::Two(a, b) => write!(f, "{a} in one sample, {b} in the other"),
        }
    }
}
