//! Different, equivalent, could not tell: the three answers to whether two means differ by more than a margin.

use crate::stats::{
    Alpha, Confidence, Effect, Margin, PValue, Pairing, Power, difference_interval, difference_test, holm, tost,
};

use super::RulingTest;
use super::estimate::{OtherTests, launches_to_decide};

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
    /// How the questions' sides stand to one another.
    pub(super) pairing: Pairing,
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

/// Answers every question. A difference is tested by the p value that there is none, and counts when Holm's adjusted p over these
/// questions and `others`, the rest of the plan's family, is below alpha. Equivalence has the p value of a difference beyond the
/// margin, and is adjusted over as many tests as the family has (Bonferroni): that another question's difference is sure says
/// nothing of whether it is equivalent, so that nothing may be stepped over. Each kind of answer is held at alpha by itself. What
/// lies inside the margin is equivalent even where it is significant: it is there, and too small to matter. In words why there
/// is no answer.
pub(super) fn answer(questions: &[Question], others: &OtherTests, terms: Terms) -> Result<Vec<Answered>, String> {
    let Terms { margin, alpha, power, pairing } = terms;
    let margin = Margin::absolute(margin).map_err(|error| error.to_string())?;
    let confidence = Confidence::new(1.0 - alpha.get()).map_err(|error| error.to_string())?;
    let mut family = Vec::with_capacity(questions.len() + others.len());
    for question in questions {
        family.push(difference_test(&question.null).map_err(|error| error.to_string())?.p);
    }
    family.extend_from_slice(others);
    let size = family.len();
    // What would settle equivalence is planned at its share of the level, as what would settle a difference is.
    let in_time = questions.len() + others.in_time();
    let share = Alpha::new(alpha.get() / in_time.max(1) as f64).map_err(|error| error.to_string())?;
    let mut answered = Vec::with_capacity(questions.len());
    for (question, decision) in questions.iter().zip(holm(&family, alpha)) {
        let Question { name, effect, null, launches } = question;
        let equivalence = tost(effect, margin, alpha).map_err(|error| error.to_string())?;
        let of_equivalence = equivalence.p.times(size as f64);
        let interval = difference_interval(effect, confidence).map_err(|error| error.to_string())?;
        let significant = decision.adjusted.is_below(alpha);
        let answer = match (equivalence.equivalent && of_equivalence.is_below(alpha), significant) {
            (true, _) => Answer::Equivalent,
            (false, true) => Answer::Different,
            (false, false) => Answer::CouldNotTell,
        };
        let settled_by = (answer == Answer::CouldNotTell)
            .then(|| launches_to_decide([effect, null], (*launches, pairing), margin, [share; 2], power))
            .flatten();
        let interval = [interval.low, interval.high];
        let tests = [
            RulingTest::of(format!("Welch t, {name}, Holm over {size}"))
                .estimating(effect.difference(), Some(interval))
                .p(decision.p, Some(decision.adjusted)),
            RulingTest::of(format!("TOST within ±{}, {name}, Bonferroni over {size}", margin.get()))
                .estimating(effect.difference(), Some([equivalence.interval.low, equivalence.interval.high]))
                .p(equivalence.p, Some(of_equivalence)),
        ];
        answered.push(Answered { answer, significant, effect: *effect, interval, tests, settled_by });
    }
    Ok(answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(difference: f64, se: f64) -> Question {
        let effect = Effect::new(difference, se, 30.0).expect("an effect");
        Question { name: "b minus a".to_owned(), effect, null: effect, launches: 16 }
    }

    fn answers(questions: &[Question], others: &[f64]) -> Vec<Answered> {
        let (alpha, power) = (Alpha::new(0.05).expect("a level"), Power::new(0.8).expect("a power"));
        let terms = Terms { margin: 3.0, alpha, power, pairing: Pairing::Unpaired };
        let others = others.iter().map(|p| PValue::new(*p).expect("a p")).collect();
        answer(questions, &others, terms).expect("answers")
    }

    #[test]
    fn equivalence_holds_by_its_p_in_the_plans_family() {
        // t = 3 / 1.3 = 2.3077 with 30 degrees of freedom: one tail is 0.0140.
        let one = [question(0.0, 1.3)];
        let alone = answers(&one, &[]);
        assert_eq!((alone[0].answer, alone[0].tests[1].p), (Answer::Equivalent, alone[0].tests[1].p_adjusted));
        let p = alone[0].tests[1].p.expect("a p").get();
        assert!((p - 0.014_0).abs() < 1e-4, "{p}");
        assert_eq!(answers(&one, &[0.9; 2])[0].answer, Answer::Equivalent);
        let many = answers(&one, &[0.9; 3]);
        assert_eq!(many[0].answer, Answer::CouldNotTell, "0.0140 four times over");
        assert!(many[0].tests[1].test.ends_with("Bonferroni over 4") && many[0].settled_by > Some(16), "{many:?}");
        assert_eq!(
            answers(&one, &[1e-9; 3])[0].answer,
            Answer::CouldNotTell,
            "a sure difference elsewhere says nothing"
        );
    }

    #[test]
    fn equivalence_is_held_over_all_questions_whatever_came_of_the_others() {
        let third = question(0.0, 1.7);
        let of = |others: &[Question]| {
            let found = answers(&[others, std::slice::from_ref(&third)].concat(), &[]);
            found.iter().map(|answered| answered.answer).collect::<Vec<_>>()
        };
        // t = 3 / 1.7 with 30 degrees of freedom: 0.0439 alone, and twice that beside another question.
        assert_eq!(of(&[]), [Answer::Equivalent]);
        assert_eq!(of(&[question(9.0, 0.1)]), [Answer::Different, Answer::CouldNotTell]);
        assert_eq!(of(&[question(0.0, 0.1)]), [Answer::Equivalent, Answer::CouldNotTell]);
    }
}
