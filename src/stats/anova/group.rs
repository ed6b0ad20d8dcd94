//! What analysis of variance takes: groups of values, and their arrangement by two factors.

use std::collections::BTreeSet;

use crate::stats::error::Error;
use crate::stats::sample::{Replicates, Sample};

const COMPUTING: &str = "an analysis of variance";

/// One group of values: how many, their mean and their sum of squares around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    n: u64,
    mean: f64,
    within: f64,
}

impl Group {
    /// A group of which the number, the mean and the sample standard deviation (n - 1 in the denominator) are known. A
    /// single value has no standard deviation; 0 stands for it.
    ///
    /// # Errors
    /// [`Error::TooFew`] for an empty group, which is left out instead; [`Error::OutOfRange`] unless the mean is finite
    /// and the standard deviation finite, not negative, and 0 for a single value.
    pub fn new(n: u64, mean: f64, sd: f64) -> Result<Self, Error> {
        if n == 0 {
            let hint = "leave a cell without values out of the layout";
            return Err(Error::TooFew { computing: COMPUTING, needed: 1, of: "values in a group", found: 0, hint });
        }
        let checks = [
            ("a mean", mean, mean.is_finite(), "finite"),
            ("a standard deviation", sd, sd >= 0.0 && sd.is_finite(), "at least 0 and finite"),
            ("the standard deviation of one value", sd, n > 1 || sd == 0.0, "0"),
        ];
        for (parameter, found, within, range) in checks {
            if !within {
                let hint = "read the number again where it is printed";
                return Err(Error::OutOfRange { computing: COMPUTING, parameter, found, range, hint });
            }
        }
        Ok(Self { n, mean, within: (n as f64 - 1.0) * sd * sd })
    }

    /// The group of these values.
    ///
    /// # Errors
    /// [`Error::Overflow`] or [`Error::Underflow`] if their standard deviation is no double.
    pub fn of(values: &Sample) -> Result<Self, Error> {
        let sd = if values.n() == 1 { 0.0 } else { Replicates::try_from(values.clone())?.sd() };
        Self::new(values.n() as u64, values.mean(), sd)
    }

    /// How many values; never 0.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Their mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Sum of their squared deviations from it.
    pub(super) fn within(&self) -> f64 {
        self.within
    }
}

/// One cell of a layout by two factors: the values measured at one level of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Level of the first factor.
    pub a: String,
    /// Level of the second factor.
    pub b: String,
    /// The values.
    pub group: Group,
}

/// Cells by two factors with two levels or more each. Combinations that were not measured are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    cells: Vec<(usize, usize, Group)>,
    levels: (usize, usize),
}

impl Layout {
    /// Checks the cells.
    ///
    /// # Errors
    /// [`Error::RepeatedCell`]; [`Error::TooFew`] unless both factors have two levels or more.
    pub fn new(cells: &[Cell]) -> Result<Self, Error> {
        let mut seen = BTreeSet::new();
        if let Some(again) = cells.iter().find(|cell| !seen.insert((&cell.a, &cell.b))) {
            return Err(Error::RepeatedCell { computing: COMPUTING, a: again.a.clone(), b: again.b.clone() });
        }
        let levels_a: Vec<&String> = cells.iter().map(|cell| &cell.a).collect::<BTreeSet<_>>().into_iter().collect();
        let levels_b: Vec<&String> = cells.iter().map(|cell| &cell.b).collect::<BTreeSet<_>>().into_iter().collect();
        for levels in [&levels_a, &levels_b] {
            if levels.len() < 2 {
                return Err(Error::TooFew {
                    computing: COMPUTING,
                    needed: 2,
                    of: "levels of a factor",
                    found: levels.len() as u64,
                    hint: "with one factor alone, compare its groups in a one-way analysis",
                });
            }
        }
        let position = |levels: &[&String], level: &String| levels.partition_point(|other| *other < level);
        let placed = |cell: &Cell| (position(&levels_a, &cell.a), position(&levels_b, &cell.b), cell.group);
        Ok(Self { cells: cells.iter().map(placed).collect(), levels: (levels_a.len(), levels_b.len()) })
    }

    /// Each cell with the positions of its levels.
    pub(super) fn cells(&self) -> &[(usize, usize, Group)] {
        &self.cells
    }

    /// Levels of the first and of the second factor.
    pub fn levels(&self) -> (usize, usize) {
        self.levels
    }

    /// How many combinations of levels were not measured.
    pub fn empty_cells(&self) -> usize {
        self.levels.0 * self.levels.1 - self.cells.len()
    }

    /// Into how many parts the layout falls that share no level of either factor. Differences between levels in
    /// different parts cannot be told from differences between the parts.
    pub fn parts(&self) -> usize {
        let mut part: Vec<usize> = (0..self.levels.0 + self.levels.1).collect();
        for &(a, b, _) in &self.cells {
            let pair = (part.get(a).copied(), part.get(self.levels.0 + b).copied());
            if let (Some(one), Some(other)) = pair {
                part.iter_mut().filter(|name| **name == other).for_each(|name| *name = one);
            }
        }
        part.into_iter().collect::<BTreeSet<_>>().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(a: &str, b: &str) -> Cell {
        Cell { a: a.to_owned(), b: b.to_owned(), group: Group::new(2, 1.0, 0.5).expect("a group") }
    }

    #[test]
    fn a_group_that_no_values_could_form_is_refused() {
        assert!(matches!(Group::new(0, 1.0, 1.0), Err(Error::TooFew { found: 0, .. })));
        for (n, mean, sd) in [(2, f64::NAN, 1.0), (2, 1.0, -1.0), (2, 1.0, f64::INFINITY), (1, 1.0, 0.5)] {
            assert!(matches!(Group::new(n, mean, sd), Err(Error::OutOfRange { .. })), "{n} {mean} {sd}");
        }
        let values = Sample::new(vec![1.0, 2.0, 3.0]).expect("values");
        assert_eq!(Group::of(&values), Group::new(3, 2.0, 1.0));
        let one = Sample::new(vec![4.0]).expect("a value");
        assert_eq!(Group::of(&one), Group::new(1, 4.0, 0.0));
    }

    #[test]
    fn a_layout_needs_two_levels_of_each_factor_and_each_cell_once() {
        assert!(matches!(Layout::new(&[]), Err(Error::TooFew { found: 0, .. })));
        assert!(matches!(Layout::new(&[cell("x", "u"), cell("x", "v")]), Err(Error::TooFew { found: 1, .. })));
        let error = Layout::new(&[cell("x", "u"), cell("y", "v"), cell("x", "u")]).expect_err("twice");
        assert!(error.to_string().contains("x and u"), "{error}");
    }

    #[test]
    fn parts_that_share_no_level_are_counted() {
        let joined = Layout::new(&[cell("x", "u"), cell("x", "v"), cell("y", "v")]).expect("a layout");
        assert_eq!((joined.parts(), joined.empty_cells()), (1, 1));
        let split = Layout::new(&[cell("x", "u"), cell("y", "v"), cell("z", "v")]).expect("a layout");
        assert_eq!((split.parts(), split.empty_cells(), split.levels()), (2, 3, (3, 2)));
    }
}
