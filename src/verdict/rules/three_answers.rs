//! Different, equivalent, could not tell: the three answers to whether two means differ by more than a margin.

use crate::stats::{
    Alpha, Confidence, Effect, Margin, PValue, Power, difference_interval, difference_test, holm, tost,
};

use super::RulingTest;
use super::estimate::launches_to_decide;

/// The fewest launches a side that anything is decided from: with two, a t test has two degrees of freedom and its
/// interval says more of them than of the lanes.
pub const MIN_LAUNCHES: u64 = 3;

/// The answer to one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Answer {
    Different,
    Equivalent,
    CouldNotTell,
}

impl Answer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Different => "different",
            Self::Equivalent => "equivalent",
            Self::CouldNotTell => "could_not_tell",
        }
    }
}

/// One question: a difference, and how many launches a side it was formed from (the fewer of both).
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) name: String,
    /// For its interval and for equivalence.
    pub(super) effect: Effect,
    /// With the error that it has where there is none, for the test that there is none: another one where a difference is
    /// relative to what was measured as well.
    pub(super) null: Effect,
    pub(super) launches: u64,
}

/// How the questions of one family are answered. The margin is in the unit of the effects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) margin: f64,
    pub(super) alpha: Alpha,
    pub(super) power: Power,
}

/// What came out for one question.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) answer: Answer,
    /// Whether the difference is significant, whatever the answer.
    pub(super) significant: bool,
    pub(super) effect: Effect,
    pub(super) interval: [f64; 2],
    pub(super) tests: [RulingTest; 2],
    /// Launches a side that would settle it, where it could not be told.
    pub(super) settled_by: Option<u64>,
}

/// The p value of the question whether there is a difference, which is what a family holds; nothing where there is none.
pub(super) fn own_p(null: &Effect) -> Option<PValue> {
    Some(difference_test(null).ok()?.p)
}

/// Answers every question. A difference counts when Holm's adjusted p over these questions and `others`, the rest of the
/// plan's family, is below alpha. What lies inside the margin is equivalent even where it is significant: it is there,
/// and too small to matter. In words why there is no answer.
pub(super) fn answer(questions: &[Question], others: &[PValue], terms: Terms) -> Result<Vec<Answered>, String> {
    let Terms { margin, alpha, power } = terms;
    let margin = Margin::absolute(margin).map_err(|error| error.to_string())?;
    let confidence = Confidence::new(1.0 - alpha.get()).map_err(|error| error.to_string())?;
    let mut family = Vec::with_capacity(questions.len() + others.len());
    for question in questions {
        family.push(difference_test(&question.null).map_err(|error| error.to_string())?.p);
    }
    family.extend_from_slice(others);
    let size = family.len();
    let mut answered = Vec::with_capacity(questions.len());
    for (question, decision) in questions.iter().zip(holm(&family, alpha)) {
        let Question { name, effect, null, launches } = question;
        let equivalence = tost(effect, margin, alpha).map_err(|error| error.to_string())?;
        let interval = difference_interval(effect, confidence).map_err(|error| error.to_string())?;
        let significant = decision.adjusted.is_below(alpha);
        let answer = match (equivalence.equivalent, significant) {
            (true, _) => Answer::Equivalent,
            (false, true) => Answer::Different,
            (false, false) => Answer::CouldNotTell,
        };
        let settled_by = (answer == Answer::CouldNotTell)
            .then(|| launches_to_decide([effect, null], *launches, margin, (alpha, size), power))
            .flatten();
        let interval = [interval.low, interval.high];
        let tests = [
            RulingTest::of(format!("Welch t, {name}, Holm over {size}"))
                .estimating(effect.difference(), Some(interval))
                .p(decision.p, Some(decision.adjusted)),
            RulingTest::of(format!("TOST within ±{}, {name}", margin.get()))
                .estimating(effect.difference(), Some([equivalence.interval.low, equivalence.interval.high]))
                .p(equivalence.p, None),
        ];
        answered.push(Answered { answer, significant, effect: *effect, interval, tests, settled_by });
    }
    Ok(answered)
}
