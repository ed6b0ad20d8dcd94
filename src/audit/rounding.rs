//! How far apart a published and a recomputed number may be by rounding alone.
//!
//! tolerance = half of the published resolution + allowance + the sum, over the rounded cells that the formula read, of
//! the larger effect of plus or minus half of that cell's resolution. On the decimal logarithm's scale every term is:
//! what moves the published number moves its logarithm, the larger of both sides again.

use super::job::CellEffect;

/// On which scale numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Plain,
    Log10,
}

impl Scale {
    /// The number on this scale; absent where it has none.
    pub(super) fn of(self, value: f64) -> Option<f64> {
        match self {
            Self::Plain => Some(value),
            Self::Log10 if value > 0.0 => Some(libm::log10(value)),
            Self::Log10 => None,
        }
    }

    /// The larger distance from `value` to `low` and `high`; absent where an end is none on this scale.
    fn larger(self, value: f64, low: Option<f64>, high: Option<f64>) -> Option<f64> {
        let at = self.of(value)?;
        let (low, high) = (self.of(low?)?, self.of(high?)?);
        Some((low - at).abs().max((high - at).abs())).filter(|effect| effect.is_finite())
    }
}

/// What rounding can explain.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tolerance {
    /// The sum of what is known.
    pub sum: f64,
    /// What has no bound: numbers that the formula, or the scale, has no value for at one end of their rounding.
    pub open: Vec<String>,
}

/// The tolerance between `published` and `recomputed`.
pub(super) fn tolerance(
    scale: Scale,
    published: f64,
    resolution: f64,
    allowance: f64,
    recomputed: f64,
    cells: &[CellEffect],
) -> Tolerance {
    let mut tolerance = Tolerance { sum: 0.0, open: Vec::new() };
    let mut add = |name: &str, effect: Option<f64>| match effect {
        Some(effect) => tolerance.sum += effect,
        None => tolerance.open.push(name.to_owned()),
    };
    for (name, by) in [("the published value", resolution / 2.0), ("the allowance", allowance)] {
        // Of a plain number the distance is exact as it stands.
        let effect = match scale {
            Scale::Plain => Some(by),
            Scale::Log10 => scale.larger(published, Some(published - by), Some(published + by)),
        };
        add(name, effect);
    }
    for CellEffect { cell, low, high } in cells {
        add(cell, scale.larger(recomputed, *low, *high));
    }
    tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(cell: &str, low: Option<f64>, high: Option<f64>) -> CellEffect {
        CellEffect { cell: cell.to_owned(), low, high }
    }

    #[test]
    fn the_terms_add_up_and_of_each_cell_the_larger_end_counts() {
        let cells = [effect("a", Some(9.0), Some(10.5)), effect("b", Some(10.0), Some(10.25))];
        let found = tolerance(Scale::Plain, 10.0, 0.5, 0.125, 10.0, &cells);
        assert_eq!(found, Tolerance { sum: 0.25 + 0.125 + 1.0 + 0.25, open: Vec::new() });
    }

    #[test]
    fn on_the_scale_of_logarithms_every_term_is_a_logarithm() {
        let cells = [effect("a", Some(50.0), Some(1000.0))];
        let found = tolerance(Scale::Log10, 10.0, 18.0, 90.0, 100.0, &cells);
        // 10 - 9 = 1 and the cell's 1000 are each one decade away; 10 - 90 has no logarithm.
        assert!((found.sum - 2.0).abs() < 1e-15, "{found:?}");
        assert_eq!(found.open, ["the allowance"]);
    }

    #[test]
    fn a_cell_without_a_value_at_one_end_leaves_the_tolerance_open() {
        let cells = [effect("a", None, Some(10.5)), effect("b", Some(9.5), Some(10.5))];
        let found = tolerance(Scale::Plain, 10.0, 0.0, 0.0, 10.0, &cells);
        assert_eq!(found, Tolerance { sum: 0.5, open: vec!["a".to_owned()] });
    }
}
