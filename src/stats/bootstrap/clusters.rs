//! Values in clusters: what one launch or one repetition produced belongs together.

use crate::stats::arithmetic::{finite, sum};
use crate::stats::error::{EqualValues, Error};
use crate::stats::sample::{Replicates, Sample};

/// At least two clusters of at least one finite value each.
///
/// Values of one launch share what that launch had in common, so they are no independent repetitions: what is drawn
/// anew, left out or counted is always a whole cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    clusters: Vec<Sample>,
    totals: Vec<Total>,
}

/// All of a cluster that a mean needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Total {
    sum: f64,
    n: f64,
}

impl Clusters {
    /// Checks the values of each cluster.
    ///
    /// # Errors
    /// [`Error::TooFew`] below two clusters; those of [`Sample::new`] for each cluster, where an empty one is a
    /// cluster that measured nothing.
    pub fn new(clusters: impl IntoIterator<Item = Vec<f64>>) -> Result<Self, Error> {
        let clusters = clusters.into_iter().map(Sample::new).collect::<Result<Vec<_>, _>>()?;
        if clusters.len() < 2 {
            return Err(Error::TooFew {
                computing: "a clustered sample",
                needed: 2,
                of: "clusters",
                found: clusters.len() as u64,
                hint: "launch the lane more often; one launch says nothing about the next",
            });
        }
        let mut totals = Vec::with_capacity(clusters.len());
        for cluster in &clusters {
            let total = finite(sum(cluster.values().iter().copied()), "a cluster's sum")?;
            totals.push(Total { sum: total, n: cluster.n() as f64 });
        }
        Ok(Self { clusters, totals })
    }

    /// The clusters in the order given.
    pub fn clusters(&self) -> &[Sample] {
        &self.clusters
    }

    /// How many clusters; at least 2.
    pub fn n(&self) -> usize {
        self.clusters.len()
    }

    /// The mean of each cluster: the replicates that a test of launches takes.
    ///
    /// # Errors
    /// [`Error::Overflow`] or [`Error::Underflow`] beyond the doubles.
    pub fn means(&self) -> Result<Replicates, Error> {
        Replicates::new(self.clusters.iter().map(Sample::mean).collect::<Vec<_>>())
    }

    pub(super) fn totals(&self) -> &[Total] {
        &self.totals
    }

    /// The common mean of all clusters, if they have one.
    pub(super) fn constant(&self) -> Option<f64> {
        let first = self.clusters.first()?.mean();
        self.clusters.iter().all(|cluster| cluster.mean() == first).then_some(first)
    }

    /// Refuses clusters whose means are all equal.
    pub(super) fn with_spread(&self, computing: &'static str) -> Result<&Self, Error> {
        match self.constant() {
            Some(mean) => Err(Error::ZeroSpread { computing, values: EqualValues::One(mean) }),
            None => Ok(self),
        }
    }
}

/// Mean of all values of the clusters: long clusters weigh more.
pub(super) fn mean_of_all(totals: &[Total]) -> Result<f64, Error> {
    let values = sum(totals.iter().map(|total| total.n));
    finite(sum(totals.iter().map(|total| total.sum)) / values, "a mean of clusters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cluster_and_an_empty_one_are_refused() {
        assert!(matches!(Clusters::new([vec![1.0, 2.0, 3.0]]), Err(Error::TooFew { of: "clusters", .. })));
        assert!(matches!(Clusters::new([vec![1.0], vec![]]), Err(Error::TooFew { of: "values", .. })));
        assert!(matches!(Clusters::new([vec![1.0], vec![f64::INFINITY]]), Err(Error::NotFinite { .. })));
    }

    #[test]
    fn a_mean_of_all_values_weighs_clusters_by_their_length() {
        let clusters = Clusters::new([vec![1.0, 1.0, 1.0], vec![5.0]]).expect("clusters");
        assert_eq!(mean_of_all(clusters.totals()), Ok(2.0));
        assert_eq!(clusters.means().expect("means").mean(), 3.0);
    }
}
