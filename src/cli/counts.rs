//! How often an experiment measures, where that is not what its plan says.

use toml_edit::{DocumentMut, Item, value};

/// Counts that take the place of the plan's, in every lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub(super) struct Counts {
    /// Launches of every lane, in place of the plan's.
    #[arg(long, value_name = "N")]
    launches: Option<u32>,
    /// Repetitions of every cell in a launch, in place of the plan's.
    #[arg(long, value_name = "N")]
    repetitions: Option<u32>,
    /// Warmup repetitions of every cell in a launch, in place of the plan's.
    #[arg(long, value_name = "N")]
    warmup: Option<u32>,
}

/// Weights above this many bytes make the plan's counts, which are meant for its own small model, a matter of days.
const LARGE_BYTES: u64 = 64 << 20;

impl Counts {
    /// All three.
    pub(super) const fn of(launches: u32, repetitions: u32, warmup: u32) -> Self {
        Self { launches: Some(launches), repetitions: Some(repetitions), warmup: Some(warmup) }
    }

    /// What a checkpoint of this size is measured with when nobody says otherwise; a plan's floor of launches holds.
    pub(super) fn for_weights(weights_bytes: u64, min_launches: u32) -> Self {
        if weights_bytes <= LARGE_BYTES {
            return Self::default();
        }
        Self { launches: Some(min_launches.max(3)), repetitions: Some(2), warmup: Some(1) }
    }

    /// These, and for those that are not given the other ones.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            launches: self.launches.or(other.launches),
            repetitions: self.repetitions.or(other.repetitions),
            warmup: self.warmup.or(other.warmup),
        }
    }

    /// Whether none is given.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn given(self) -> impl Iterator<Item = (&'static str, u32)> {
        let all = [("launches", self.launches), ("repetitions", self.repetitions), ("warmup", self.warmup)];
        all.into_iter().filter_map(|(key, count)| count.map(|count| (key, count)))
    }

    /// As a person reads them.
    pub(super) fn text(self) -> String {
        self.given().map(|(key, count)| format!("{key} = {count}")).collect::<Vec<_>>().join(", ")
    }

    /// What the plan's name gets at its end: other counts are another experiment, with snapshots of its own.
    pub(super) fn suffix(self) -> String {
        self.given().map(|(key, count)| format!("+{key}-{count}")).collect()
    }

    /// Writes them into a plan; what lanes say of their own goes.
    pub(super) fn set(self, document: &mut DocumentMut) {
        for (key, count) in self.given() {
            document["run"][key] = value(i64::from(count));
            match document.get_mut("lane") {
                Some(Item::ArrayOfTables(lanes)) => lanes.iter_mut().for_each(|lane| {
                    lane.remove(key);
                }),
                Some(Item::Value(toml_edit::Value::Array(lanes))) => {
                    lanes.iter_mut().filter_map(toml_edit::Value::as_inline_table_mut).for_each(|lane| {
                        lane.remove(key);
                    });
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(counts: Counts, text: &str) -> String {
        let mut document: DocumentMut = text.parse().expect("the sample is TOML");
        counts.set(&mut document);
        document.to_string()
    }

    #[test]
    fn given_counts_hold_for_every_lane_and_others_stay() {
        let counts = Counts { launches: Some(3), ..Counts::default() };
        let text = "[run]\nlaunches = 8\nwarmup = 3\n\n[[lane]]\nname = \"a\"\nlaunches = 5\nwarmup = 0\n";
        assert_eq!(after(counts, text), "[run]\nlaunches = 3\nwarmup = 3\n\n[[lane]]\nname = \"a\"\nwarmup = 0\n");
    }

    #[test]
    fn lanes_written_in_one_line_are_reached_too() {
        let counts = Counts { repetitions: Some(1), ..Counts::default() };
        let text = "lane = [{ name = \"a\", repetitions = 5 }]\n\n[run]\nlaunches = 8\n";
        assert!(!after(counts, text).contains("repetitions = 5"));
        assert!(after(counts, text).contains("repetitions = 1"));
    }

    #[test]
    fn only_a_large_checkpoint_changes_counts_by_itself_and_what_was_asked_for_wins() {
        assert!(Counts::for_weights(LARGE_BYTES, 3).is_empty());
        let large = Counts::for_weights(LARGE_BYTES + 1, 4);
        assert_eq!(large.text(), "launches = 4, repetitions = 2, warmup = 1");
        let asked = Counts { warmup: Some(0), ..Counts::default() };
        assert_eq!(asked.or(large).text(), "launches = 4, repetitions = 2, warmup = 0");
        assert_eq!(asked.suffix(), "+warmup-0");
    }
}
