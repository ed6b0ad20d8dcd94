//! Linear least squares by Householder reflections (G. H. Golub, "Numerical methods for solving linear least squares
//! problems", Numerische Mathematik 7, 1965), one column after the other.
//!
//! The order of the columns is the order of the questions: each column's effect is what it explains beyond those before
//! it. A column that is a combination of those before it explains nothing, is left out and is named, so that degrees of
//! freedom are ranks and never counts of columns.

use super::arithmetic::sum;

/// The share of a column's length that has to be left beyond the columns before it. Rounding leaves some 1e-16 of a
/// column that depends on them.
const DEPENDENT: f64 = 1e-12;

/// A design reduced to a triangle, and the response turned along with it.
pub(super) struct LeastSquares {
    /// Which columns were kept, ascending.
    pub kept: Vec<usize>,
    /// The turned response, one for each column kept: its square is the sum of squares that the column adds.
    pub effects: Vec<f64>,
    /// What no column explains; its squares are the residual sum of squares.
    pub left: Vec<f64>,
    /// The columns of the triangle, the k-th with k + 1 entries.
    triangle: Vec<Vec<f64>>,
}

/// A reflection of the entries from `from` on, in the hyperplane orthogonal to `normal`, which has length 1.
struct Reflection {
    from: usize,
    normal: Vec<f64>,
}

impl Reflection {
    fn apply(&self, vector: &mut [f64]) {
        let Some(tail) = vector.get_mut(self.from..) else { return };
        let along = 2.0 * sum(tail.iter().zip(&self.normal).map(|(value, normal)| value * normal));
        for (value, normal) in tail.iter_mut().zip(&self.normal) {
            *value -= along * normal;
        }
    }
}

fn length(vector: &[f64]) -> f64 {
    sum(vector.iter().map(|value| value * value)).sqrt()
}

/// Reduces columns and response, which all have one entry per observation.
pub(super) fn least_squares(columns: &[Vec<f64>], response: &[f64]) -> LeastSquares {
    let mut reflections: Vec<Reflection> = Vec::new();
    let mut kept = Vec::new();
    let mut triangle: Vec<Vec<f64>> = Vec::new();
    for (position, column) in columns.iter().enumerate() {
        let rank = reflections.len();
        let mut turned = column.clone();
        for reflection in &reflections {
            reflection.apply(&mut turned);
        }
        let tail = turned.split_off(rank.min(turned.len()));
        let beyond = length(&tail);
        let Some(&first) = tail.first() else { continue };
        if beyond <= DEPENDENT * length(column) {
            continue;
        }
        // Away from the first entry, so that nothing cancels.
        let diagonal = if first > 0.0 { -beyond } else { beyond };
        let mut normal = tail;
        if let Some(entry) = normal.first_mut() {
            *entry -= diagonal;
        }
        let scale = length(&normal);
        normal.iter_mut().for_each(|entry| *entry /= scale);
        turned.push(diagonal);
        triangle.push(turned);
        kept.push(position);
        reflections.push(Reflection { from: rank, normal });
    }
    let mut effects = response.to_vec();
    for reflection in &reflections {
        reflection.apply(&mut effects);
    }
    let left = effects.split_off(kept.len());
    LeastSquares { kept, effects, left, triangle }
}

impl LeastSquares {
    /// Sum of the squares that the kept ones among the columns `from..to` add to those before them, and their number.
    pub fn explained(&self, from: usize, to: usize) -> (f64, usize) {
        let within = self.kept.iter().zip(&self.effects).filter(|(column, _)| (from..to).contains(*column));
        let squares: Vec<f64> = within.map(|(_, effect)| effect * effect).collect();
        (sum(squares.iter().copied()), squares.len())
    }

    /// Sum of the squared residuals.
    pub fn residual(&self) -> f64 {
        sum(self.left.iter().map(|value| value * value))
    }

    /// The coefficients of the kept columns.
    pub fn coefficients(&self) -> Vec<f64> {
        self.solve(&self.effects)
    }

    /// The rows of the triangle's inverse; the inner products of rows i and j are the (i, j) entries of the inverse of
    /// the design's cross products.
    pub fn inverse_rows(&self) -> Vec<Vec<f64>> {
        let size = self.triangle.len();
        let unit = |at: usize| (0..size).map(|row| if row == at { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
        let columns: Vec<Vec<f64>> = (0..size).map(|at| self.solve(&unit(at))).collect();
        (0..size).map(|row| columns.iter().filter_map(|column| column.get(row).copied()).collect()).collect()
    }

    /// Solves the triangle for a right-hand side, from the last unknown to the first.
    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut open = right.to_vec();
        let mut solved = Vec::with_capacity(open.len());
        for column in self.triangle.iter().rev() {
            let (Some((diagonal, above)), Some(value)) = (column.split_last(), open.pop()) else { break };
            let unknown = value / diagonal;
            for (entry, factor) in open.iter_mut().zip(above) {
                *entry -= factor * unknown;
            }
            solved.push(unknown);
        }
        solved.reverse();
        solved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consistent_system_is_solved_and_leaves_nothing() {
        let columns = [vec![1.0, 1.0, 1.0, 1.0], vec![1.0, 2.0, 3.0, 5.0], vec![1.0, 4.0, 9.0, 25.0]];
        let response: Vec<f64> = (0..4).map(|row| 2.0 - 3.0 * columns[1][row] + 0.5 * columns[2][row]).collect();
        let solved = least_squares(&columns, &response);
        for (found, expected) in solved.coefficients().iter().zip([2.0, -3.0, 0.5]) {
            assert!((found - expected).abs() < 1e-13, "{found} {expected}");
        }
        assert!(solved.residual() < 1e-26);
    }

    #[test]
    fn a_dependent_column_is_left_out_and_adds_nothing() {
        let columns = [vec![1.0; 4], vec![1.0, 2.0, 3.0, 5.0], vec![3.1, 5.1, 7.1, 11.1], vec![0.0; 4]];
        let solved = least_squares(&columns, &[1.0, 0.0, 2.0, 7.0]);
        assert_eq!(solved.kept, [0, 1]);
        assert_eq!(solved.explained(2, 4), (0.0, 0));
        let whole = solved.explained(0, 4).0 + solved.residual();
        assert!((whole - 54.0).abs() < 1e-13, "{whole}");
    }

    #[test]
    fn more_columns_than_observations_are_dependent() {
        let solved = least_squares(&[vec![1.0, 1.0], vec![1.0, 2.0], vec![5.0, 9.0]], &[1.0, 4.0]);
        assert_eq!((solved.kept, solved.left.len()), (vec![0, 1], 0));
    }

    #[test]
    fn the_inverse_is_that_of_the_cross_products() {
        // X'X = [[3, 6], [6, 14]], whose inverse is [[14, -6], [-6, 3]] / 6.
        let rows = least_squares(&[vec![1.0; 3], vec![1.0, 2.0, 3.0]], &[0.0; 3]).inverse_rows();
        let product = |i: usize, j: usize| rows[i].iter().zip(&rows[j]).map(|(a, b)| a * b).sum::<f64>();
        for (i, j, expected) in [(0, 0, 14.0 / 6.0), (0, 1, -1.0), (1, 1, 0.5)] {
            assert!((product(i, j) - expected).abs() < 1e-14, "{i} {j}");
        }
    }
}
