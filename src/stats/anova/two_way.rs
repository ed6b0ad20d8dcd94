//! Two factors and their interaction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::group::{Group, Layout};
use super::one_way::grand_mean;
use super::term::{Squares, Term, testable};
use crate::stats::arithmetic::sum;
use crate::stats::error::Error;
use crate::stats::least_squares::{LeastSquares, least_squares};

const COMPUTING: &str = "a two-way analysis of variance";

/// Which question the sum of squares of a factor answers where the groups differ in size. For groups of one size
/// without empty cells the answers are the same; the interaction's is the same always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SumsOfSquares {
    /// Type II: what the factor explains beyond the other factor, the interaction left aside.
    TypeTwo,
    /// Type III: what the factor explains beyond the other factor and the interaction, with effects that sum to 0 over
    /// the levels: whether the unweighted means of its levels are equal.
    TypeThree,
}

/// A two-way analysis of variance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TwoWay {
    /// Which sums of squares the factors have.
    pub sums_of_squares: SumsOfSquares,
    /// The first factor; absent where no difference between its levels can be told from the second factor.
    pub a: Option<Term>,
    /// The second factor; absent likewise.
    pub b: Option<Term>,
    /// Their interaction; absent where no cell is left to show one.
    pub interaction: Option<Term>,
    /// What is left within the cells.
    pub residual: Squares,
    /// All of it. Its sum of squares is that of its parts only where the groups are of one size and no cell is empty.
    pub total: Squares,
    /// Combinations of levels that were not measured.
    pub empty_cells: usize,
    /// Parts of the layout that share no level; above 1 the factors' effects are those within the parts.
    pub parts: usize,
}

/// Analyses cells by two factors, which may be unequal in size and partly empty.
///
/// Every sum of squares is what columns of an indicator design explain beyond the columns before them, weighted by the
/// cells' sizes; degrees of freedom are ranks (S. R. Searle, "Linear Models for Unbalanced Data", 1987, sections 4.8
/// and 9.1). For m cells in one connected layout of a and b levels the interaction has `m - a - b + 1` degrees of
/// freedom, not `(a - 1)(b - 1)`, and one more for each further part. The residual is that within the cells.
///
/// # Errors
/// [`Error::TooFew`] if every cell is a single value; [`Error::NoResidual`] if each cell is constant;
/// [`Error::Undefined`] for type III with empty cells; [`Error::Overflow`] beyond the doubles.
pub fn two_way(layout: &Layout, sums_of_squares: SumsOfSquares) -> Result<TwoWay, Error> {
    if sums_of_squares == SumsOfSquares::TypeThree && layout.empty_cells() > 0 {
        return Err(Error::Undefined {
            computing: COMPUTING,
            because: "with empty cells the hypotheses of type III depend on which cells are empty",
            hint: "ask for type II",
        });
    }
    let groups: Vec<Group> = layout.cells().iter().map(|&(_, _, group)| group).collect();
    let grand = grand_mean(&groups);
    let weighted = |group: &Group| (group.n() as f64).sqrt() * (group.mean() - grand);
    let response: Vec<f64> = groups.iter().map(weighted).collect();
    let between = sum(response.iter().map(|value| value * value));
    let within = sum(groups.iter().map(Group::within));
    let n: u64 = groups.iter().map(Group::n).fold(0, u64::saturating_add);
    let residual = Squares { ss: within, df: n - groups.len() as u64 };
    let total = Squares { ss: between + within, df: n - 1 };
    testable(residual, total.ss, COMPUTING)?;
    let term = |own: Squares| Term::new(own, residual, total.ss, COMPUTING);
    // Without the interaction, the factor that is asked for comes last.
    let a_last = additive(layout, &response, Factor::A);
    let interaction = Squares { ss: a_last.fit.residual(), df: a_last.fit.left.len() as u64 };
    let (a, b) = match sums_of_squares {
        SumsOfSquares::TypeTwo => (a_last.last(), additive(layout, &response, Factor::B).last()),
        SumsOfSquares::TypeThree => {
            (beyond_all(layout, &response, Factor::A), beyond_all(layout, &response, Factor::B))
        }
    };
    Ok(TwoWay {
        sums_of_squares,
        a: term(a)?,
        b: term(b)?,
        interaction: term(interaction)?,
        residual,
        total,
        empty_cells: layout.empty_cells(),
        parts: layout.parts(),
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Factor {
    A,
    B,
}

/// A fit whose last columns are those that are asked for.
struct Ordered {
    fit: LeastSquares,
    columns: usize,
    asked: usize,
}

impl Ordered {
    fn new(before: Vec<Vec<f64>>, asked: Vec<Vec<f64>>, response: &[f64]) -> Self {
        let counted = asked.len();
        let columns: Vec<Vec<f64>> = before.into_iter().chain(asked).collect();
        Self { fit: least_squares(&columns, response), columns: columns.len(), asked: counted }
    }

    fn last(&self) -> Squares {
        let (ss, df) = self.fit.explained(self.columns - self.asked, self.columns);
        Squares { ss, df: df as u64 }
    }
}

/// The model without interaction, the factor `last` after the other one.
fn additive(layout: &Layout, response: &[f64], last: Factor) -> Ordered {
    let indicator = |factor: Factor, level: usize| column(layout, |a, b| f64::from(at(factor, a, b) == level));
    let of = |factor: Factor| (0..levels(layout, factor)).map(move |level| (factor, level));
    let columns = |factor: Factor| of(factor).map(|(factor, level)| indicator(factor, level)).collect::<Vec<_>>();
    let other = if last == Factor::A { Factor::B } else { Factor::A };
    let mut before = vec![column(layout, |_, _| 1.0)];
    before.extend(columns(other));
    Ordered::new(before, columns(last), response)
}

/// The model with interaction and effects that sum to 0, the factor `last` after all else.
fn beyond_all(layout: &Layout, response: &[f64], last: Factor) -> Squares {
    let (a_levels, b_levels) = layout.levels();
    // 1 at its own level, -1 at the last one.
    let effect = |own: usize, level: usize, count: usize| {
        if own == level { 1.0 } else { -f64::from(own == count - 1) }
    };
    let of_a: Vec<_> = (0..a_levels - 1).map(|i| column(layout, |a, _| effect(a, i, a_levels))).collect();
    let of_b: Vec<_> = (0..b_levels - 1).map(|j| column(layout, |_, b| effect(b, j, b_levels))).collect();
    let (other, asked) = if last == Factor::A { (of_b, of_a) } else { (of_a, of_b) };
    let mut before = vec![column(layout, |_, _| 1.0)];
    before.extend(other);
    for i in 0..a_levels - 1 {
        for j in 0..b_levels - 1 {
            before.push(column(layout, |a, b| effect(a, i, a_levels) * effect(b, j, b_levels)));
        }
    }
    Ordered::new(before, asked, response).last()
}

/// A column of the design, each cell weighted by the root of its size.
fn column(layout: &Layout, value: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    layout.cells().iter().map(|&(a, b, group)| (group.n() as f64).sqrt() * value(a, b)).collect()
}

fn at(factor: Factor, a: usize, b: usize) -> usize {
    if factor == Factor::A { a } else { b }
}

fn levels(layout: &Layout, factor: Factor) -> usize {
    at(factor, layout.levels().0, layout.levels().1)
}

#[cfg(test)]
mod tests {
    use super::super::group::Cell;
    use super::*;

    fn layout(cells: &[(&str, &str, u64, f64, f64)]) -> Layout {
        let cell = |&(a, b, n, mean, sd): &(&str, &str, u64, f64, f64)| Cell {
            a: a.to_owned(),
            b: b.to_owned(),
            group: Group::new(n, mean, sd).expect("a group"),
        };
        Layout::new(&cells.iter().map(cell).collect::<Vec<_>>()).expect("a layout")
    }

    fn balanced() -> Layout {
        layout(&[("x", "u", 3, 1.0, 1.0), ("x", "v", 3, 2.0, 1.0), ("y", "u", 3, 5.0, 1.0), ("y", "v", 3, 4.0, 1.0)])
    }

    #[test]
    fn a_balanced_layout_splits_into_its_parts_whatever_the_type() {
        for kind in [SumsOfSquares::TypeTwo, SumsOfSquares::TypeThree] {
            let found = two_way(&balanced(), kind).expect("a table");
            let squares = [found.a, found.b, found.interaction].map(|term| term.expect("a term").ss);
            for (found, expected) in squares.iter().zip([27.0, 0.0, 3.0]) {
                assert!((found - expected).abs() < 1e-12, "{squares:?}");
            }
            assert!((squares.iter().sum::<f64>() + found.residual.ss - found.total.ss).abs() < 1e-12);
            assert_eq!((found.residual.df, found.total.df, found.parts), (8, 11, 1));
        }
    }

    #[test]
    fn the_interaction_of_a_layout_with_holes_has_the_rank_that_is_left() {
        // 3 x 3 with two holes: 7 - 3 - 3 + 1.
        let cells: Vec<(&str, &str, u64, f64, f64)> =
            [("x", "u"), ("x", "v"), ("x", "w"), ("y", "u"), ("y", "v"), ("z", "v"), ("z", "w")]
                .iter()
                .enumerate()
                .map(|(i, &(a, b))| (a, b, 2 + i as u64, (i * i) as f64, 1.0))
                .collect();
        let found = two_way(&layout(&cells), SumsOfSquares::TypeTwo).expect("a table");
        assert_eq!(found.interaction.map(|term| term.df), Some(2));
        assert_eq!((found.a.map(|term| term.df), found.b.map(|term| term.df)), (Some(2), Some(2)));
        assert_eq!((found.empty_cells, found.parts), (2, 1));
        assert!(matches!(two_way(&layout(&cells), SumsOfSquares::TypeThree), Err(Error::Undefined { .. })));
    }

    #[test]
    fn what_a_broken_layout_cannot_tell_is_absent() {
        // Each level of a at its own level of b.
        let apart = layout(&[("x", "u", 3, 1.0, 1.0), ("y", "v", 3, 2.0, 1.0)]);
        let found = two_way(&apart, SumsOfSquares::TypeTwo).expect("a table");
        assert_eq!((found.a, found.b, found.interaction, found.parts), (None, None, None, 2));
    }

    #[test]
    fn cells_without_replication_are_refused() {
        let single = layout(&[("x", "u", 1, 1.0, 0.0), ("x", "v", 1, 2.0, 0.0), ("y", "u", 1, 5.0, 0.0)]);
        assert!(matches!(two_way(&single, SumsOfSquares::TypeTwo), Err(Error::TooFew { found: 0, .. })));
        let flat = layout(&[("x", "u", 2, 1.0, 0.0), ("x", "v", 2, 2.0, 0.0), ("y", "u", 2, 5.0, 0.0)]);
        assert!(matches!(two_way(&flat, SumsOfSquares::TypeTwo), Err(Error::NoResidual { .. })));
    }
}
