//! Why a report was not rendered.

use crate::terms::CellId;

/// An error of the room `report`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value has no JSON form.
    #[error("cannot write {what} as JSON: {source}")]
    Json {
        /// The value.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A value has no XML form.
    #[error("cannot write the verdict as JUnit XML: {source}")]
    Junit {
        /// Why.
        source: quick_junit::SerializeError,
    },
    /// A cell that the verdict does not have.
    #[error("the run has no cell {cell}; its cells are {}", listed(.known))]
    UnknownCell {
        /// The cell.
        cell: CellId,
        /// Those that it has, with their work.
        known: Vec<(CellId, String)>,
    },
}

fn listed(cells: &[(CellId, String)]) -> String {
    if cells.is_empty() {
        return "none".to_owned();
    }
    cells.iter().map(|(cell, work)| format!("{cell} ({work})")).collect::<Vec<_>>().join(", ")
}
