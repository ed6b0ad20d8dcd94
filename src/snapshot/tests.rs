//! Acceptance, comparison and storage, against hand-built verdicts.

mod acceptance;
mod changes;
mod confirmation;
mod gates;
mod side_by_side;
mod storage;
