//! Two measurements of each thing: the input of every paired test.

use super::error::Error;
use super::sample::{Replicates, Sample};

/// At least one pair of finite numbers whose difference is a double, such as both arms of one repetition.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    a: Sample,
    b: Sample,
    differences: Sample,
}

impl Pairs {
    /// Checks both sides; `a[i]` belongs to `b[i]`.
    ///
    /// # Errors
    /// [`Error::Unpaired`] unless both sides have the same number of values; those of [`Sample::new`] for each side and
    /// for the differences.
    pub fn new(a: impl Into<Vec<f64>>, b: impl Into<Vec<f64>>) -> Result<Self, Error> {
        let (a, b) = (a.into(), b.into());
        if a.len() != b.len() {
            return Err(Error::Unpaired { computing: "a paired sample", a: a.len(), b: b.len() });
        }
        let (a, b) = (Sample::new(a)?, Sample::new(b)?);
        let differences: Vec<f64> = a.values().iter().zip(b.values()).map(|(a, b)| a - b).collect();
        if differences.iter().any(|difference| !difference.is_finite()) {
            return Err(Error::Overflow { computing: "the difference of a pair" });
        }
        Ok(Self { differences: Sample::new(differences)?, a, b })
    }

    /// The first of each pair.
    pub fn a(&self) -> &Sample {
        &self.a
    }

    /// The second of each pair.
    pub fn b(&self) -> &Sample {
        &self.b
    }

    /// How many pairs; never 0.
    pub fn n(&self) -> usize {
        self.a.n()
    }

    /// `a - b` of each pair.
    pub fn differences(&self) -> &Sample {
        &self.differences
    }

    /// The differences with their standard deviation.
    ///
    /// # Errors
    /// Those of the conversion of a [`Sample`] to [`Replicates`]: a single pair has no standard deviation.
    pub fn replicates(&self) -> Result<Replicates, Error> {
        Replicates::try_from(self.differences.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_pair_up_is_refused() {
        let error = Pairs::new(vec![1.0, 2.0], vec![1.0]).expect_err("a lone value");
        assert!(matches!(error, Error::Unpaired { a: 2, b: 1, .. }), "{error}");
        assert!(matches!(Pairs::new(vec![], vec![]), Err(Error::TooFew { found: 0, .. })));
        assert!(matches!(Pairs::new(vec![1.0], vec![f64::NAN]), Err(Error::NotFinite { .. })));
        assert!(matches!(Pairs::new(vec![f64::MAX], vec![-f64::MAX]), Err(Error::Overflow { .. })));
    }

    #[test]
    fn one_pair_has_a_difference_and_no_spread() {
        let one = Pairs::new(vec![3.0], vec![1.0]).expect("a pair");
        assert_eq!((one.n(), one.differences().mean()), (1, 2.0));
        assert!(matches!(one.replicates(), Err(Error::TooFew { needed: 2, found: 1, .. })));
    }
}
