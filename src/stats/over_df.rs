//! A function of the degrees of freedom, for many of them at once.
//!
//! Quantiles and detectable effects depend on the degrees of freedom smoothly. For many of them they are therefore
//! computed at a few and interpolated between these.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::{LN_2, PI};

use super::error::Error;

/// Points of an octave; the interpolated number is then right to 1e-11.
pub(super) const POINTS: usize = 14;

/// The first octave that is interpolated: below two degrees of freedom the quantiles rise too steeply for that.
const FIRST_OCTAVE: i32 = 1;

/// A positive function, known at some degrees of freedom.
///
/// Octaves in which more than a few of them lie are interpolated: a polynomial in ln df through the logarithms at
/// Chebyshev's points, in the barycentric form (J.-P. Berrut and L. N. Trefethen, "Barycentric Lagrange interpolation",
/// SIAM Review 46, 2004, section 5). Each of the others is computed by itself.
#[derive(Debug)]
pub(super) struct OverDf<F> {
    function: F,
    octaves: BTreeMap<i32, Octave>,
    /// By the bits of the degrees of freedom.
    alone: BTreeMap<u64, f64>,
}

impl<F: Fn(f64) -> Result<f64, Error>> OverDf<F> {
    /// Prepares for `dfs`, each positive.
    pub(super) fn of(function: F, dfs: impl IntoIterator<Item = f64>) -> Result<Self, Error> {
        let mut wanted: BTreeMap<i32, BTreeSet<u64>> = BTreeMap::new();
        for df in dfs {
            let octave = wanted.entry(libm::ilogb(df)).or_default();
            if octave.len() <= 2 * POINTS {
                octave.insert(df.to_bits());
            }
        }
        let (mut octaves, mut alone) = (BTreeMap::new(), BTreeMap::new());
        for (octave, dfs) in wanted {
            if octave >= FIRST_OCTAVE && dfs.len() > 2 * POINTS {
                octaves.insert(octave, Octave::new(octave, &function)?);
            } else {
                for df in dfs {
                    alone.insert(df, function(f64::from_bits(df))?);
                }
            }
        }
        Ok(Self { function, octaves, alone })
    }

    /// The function at `df`, for which it need not have been prepared.
    pub(super) fn at(&self, df: f64) -> Result<f64, Error> {
        match (self.octaves.get(&libm::ilogb(df)), self.alone.get(&df.to_bits())) {
            (Some(octave), _) => Ok(octave.at(df)),
            (None, Some(value)) => Ok(*value),
            (None, None) => (self.function)(df),
        }
    }
}

/// The function's logarithm at Chebyshev's points of the octave from `2^n` degrees of freedom to twice as many.
#[derive(Debug)]
struct Octave {
    points: [Point; POINTS],
}

#[derive(Debug, Clone, Copy, Default)]
struct Point {
    ln_df: f64,
    weight: f64,
    ln_value: f64,
}

impl Octave {
    fn new(octave: i32, function: impl Fn(f64) -> Result<f64, Error>) -> Result<Self, Error> {
        let mut points = [Point::default(); POINTS];
        for (index, point) in points.iter_mut().enumerate() {
            let angle = (2 * index + 1) as f64 * PI / (2 * POINTS) as f64;
            let ln_df = LN_2 * (f64::from(octave) + 0.5 + 0.5 * libm::cos(angle));
            let sign = if index % 2 == 0 { 1.0 } else { -1.0 };
            let value = function(libm::exp(ln_df))?;
            *point = Point { ln_df, weight: sign * libm::sin(angle), ln_value: libm::log(value) };
        }
        Ok(Self { points })
    }

    fn at(&self, df: f64) -> f64 {
        let ln_df = libm::log(df);
        let (mut over, mut under) = (0.0, 0.0);
        for point in &self.points {
            let distance = ln_df - point.ln_df;
            if distance == 0.0 {
                return libm::exp(point.ln_value);
            }
            let share = point.weight / distance;
            over += share * point.ln_value;
            under += share;
        }
        libm::exp(over / under)
    }
}
