//! The exit codes: one table, documented and stable.

use crate::snapshot::{ChangeKind, Status};
use crate::verdict::Conclusion;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// As expected.
    AsExpected,
    /// A regression, or the verdict changed.
    Changed,
    /// Usage or bad input.
    Usage,
    /// A lane was refused.
    Refused,
    /// Nothing was measured.
    NothingMeasured,
    /// Inconclusive.
    Inconclusive,
    /// `verify` found no snapshot of this host class.
    SnapshotMissing,
    /// A defect of lockstep itself.
    Internal,
}

/// Code, and what it means; the order is that in which one is chosen when several apply.
pub const TABLE: [(Exit, u8, &str); 8] = [
    (Exit::Internal, 70, "internal error: a defect of lockstep; please report it"),
    (Exit::Usage, 2, "usage or bad input: the message names what was found where"),
    (
        Exit::Refused,
        3,
        "a lane was refused (preflight or lock); an optional lane that is absent is skipped and stays 0",
    ),
    (Exit::NothingMeasured, 4, "nothing was measured: never a pass and never a regression"),
    (Exit::Changed, 1, "a regression, or the verdict changed (an improvement too needs `lockstep accept`)"),
    (Exit::SnapshotMissing, 6, "no snapshot of this host class (`verify` alone)"),
    (
        Exit::Inconclusive,
        5,
        "inconclusive: coverage floor, contaminated host, undecided hypothesis, or an unfinished run",
    ),
    (Exit::AsExpected, 0, "as expected"),
];

impl Exit {
    /// The process exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        TABLE.iter().find(|(exit, ..)| *exit == self).map_or(70, |(_, code, _)| *code)
    }

    /// What a run's own conclusion and its comparison with a snapshot mean together.
    ///
    /// The rule: whoever accepted a verdict accepted what it says, so a run that is the same as the accepted one is as
    /// expected, although a hypothesis came out otherwise than its plan expected. An inconclusive run is that too, but
    /// only when the accepted one was inconclusive itself: otherwise the rows lost something that they once decided. A
    /// refused lane and a run that measured nothing are never forgiven.
    #[must_use]
    pub fn of(now: Conclusion, accepted: Option<(Conclusion, Status)>) -> Self {
        let Some((then, status)) = accepted else { return now.into() };
        let forgiven = status == Status::Same
            && match now {
                Conclusion::NotAsExpected => true,
                Conclusion::Inconclusive => then == Conclusion::Inconclusive,
                Conclusion::Refused | Conclusion::NothingMeasured | Conclusion::AsExpected => false,
            };
        let own = if forgiven { Self::AsExpected } else { now.into() };
        Self::first_of([own, status.into()])
    }

    /// The one that decides when several apply.
    #[must_use]
    pub fn first_of(exits: impl IntoIterator<Item = Self>) -> Self {
        let rank = |exit: &Self| TABLE.iter().position(|(listed, ..)| listed == exit).unwrap_or(0);
        exits.into_iter().min_by_key(rank).unwrap_or(Self::AsExpected)
    }
}

impl From<Conclusion> for Exit {
    fn from(conclusion: Conclusion) -> Self {
        match conclusion {
            Conclusion::Refused => Self::Refused,
            Conclusion::NothingMeasured => Self::NothingMeasured,
            Conclusion::NotAsExpected => Self::Changed,
            Conclusion::Inconclusive => Self::Inconclusive,
            Conclusion::AsExpected => Self::AsExpected,
        }
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        match status {
            Status::Same => Self::AsExpected,
            Status::Changed => Self::Changed,
            Status::Inconclusive => Self::Inconclusive,
            Status::OtherHostClass => Self::SnapshotMissing,
        }
    }
}

impl From<ChangeKind> for Exit {
    /// What a failed gate of this kind leads to. An undecided one leads to [`Exit::Inconclusive`].
    fn from(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::NothingMeasured => Self::NothingMeasured,
            ChangeKind::RunUnfinished | ChangeKind::HostInDoubt => Self::Inconclusive,
            ChangeKind::PlanChanged
            | ChangeKind::ModelChanged
            | ChangeKind::LanesChanged
            | ChangeKind::VerdictChanged
            | ChangeKind::ExpectedFailurePassed
            | ChangeKind::ParityChanged
            | ChangeKind::TokensChanged
            | ChangeKind::OutcomesChanged
            | ChangeKind::CoverageShrank
            | ChangeKind::CoverageGrew
            | ChangeKind::MagnitudeLeftBand => Self::Changed,
        }
    }
}

/// The gates of `verify`, as its help lists them.
#[must_use]
pub fn gates_help() -> String {
    let mut text = String::from("Gates, with the exit code of each:\n");
    for kind in ChangeKind::ALL {
        text.push_str(&format!("  {:<24} {}  {}\n", kind.name(), Exit::from(kind).code(), kind.meaning()));
    }
    text.push_str(
        "\nA gate that the run does not show either way is undecided: 5. Where several codes apply,\n\
         `lockstep help exit-codes` says which is taken.\n\nExamples:\n  lockstep verify latest\n  \
         lockstep verify latest --format junit > gates.xml\n  lockstep verify latest --confirm",
    );
    text
}

/// The table as `lockstep help exit-codes` prints it.
#[must_use]
pub fn table_text() -> String {
    let mut rows = TABLE;
    rows.sort_by_key(|(_, code, _)| *code);
    let mut text = String::from("Exit codes\n\n");
    for (_, code, meaning) in rows {
        text.push_str(&format!("  {code:>2}  {meaning}\n"));
    }
    let order: Vec<String> = TABLE.iter().map(|(_, code, _)| code.to_string()).collect();
    text.push_str(&format!("\nWhere several apply, the first of: {}.\n", order.join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_contract() {
        let codes = [
            (Exit::AsExpected, 0),
            (Exit::Changed, 1),
            (Exit::Usage, 2),
            (Exit::Refused, 3),
            (Exit::NothingMeasured, 4),
            (Exit::Inconclusive, 5),
            (Exit::SnapshotMissing, 6),
            (Exit::Internal, 70),
        ];
        assert!(codes.iter().all(|(exit, code)| exit.code() == *code));
    }

    #[test]
    fn where_several_apply_the_worst_news_comes_first() {
        assert_eq!(Exit::first_of([Exit::Inconclusive, Exit::SnapshotMissing, Exit::Changed]), Exit::Changed);
        assert_eq!(Exit::first_of([Exit::Changed, Exit::Refused, Exit::NothingMeasured]), Exit::Refused);
        assert_eq!(Exit::first_of([Exit::AsExpected, Exit::Inconclusive]), Exit::Inconclusive);
        assert_eq!(Exit::first_of([]), Exit::AsExpected);
    }

    #[test]
    fn a_run_that_is_the_same_as_the_accepted_one_is_as_expected() {
        let then = |conclusion, status| Some((conclusion, status));
        let (failed, open) = (Conclusion::NotAsExpected, Conclusion::Inconclusive);
        assert_eq!(Exit::of(failed, None), Exit::Changed);
        assert_eq!(Exit::of(failed, then(failed, Status::Same)), Exit::AsExpected);
        assert_eq!(Exit::of(failed, then(failed, Status::Inconclusive)), Exit::Changed);
        assert_eq!(Exit::of(open, then(open, Status::Same)), Exit::AsExpected);
        assert_eq!(Exit::of(open, then(Conclusion::AsExpected, Status::Same)), Exit::Inconclusive);
        assert_eq!(Exit::of(Conclusion::AsExpected, then(open, Status::Changed)), Exit::Changed);
    }

    #[test]
    fn a_refused_lane_and_a_run_that_measured_nothing_are_never_forgiven() {
        for (now, exit) in [(Conclusion::Refused, Exit::Refused), (Conclusion::NothingMeasured, Exit::NothingMeasured)]
        {
            assert_eq!(Exit::of(now, Some((now, Status::Same))), exit);
        }
    }
}
