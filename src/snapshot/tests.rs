//! Acceptance, comparison and storage, against hand-built verdicts.

mod acceptance;
mod changes;
mod side_by_side;
mod storage;
