//! What each form of report says of the hand-built verdicts, and that no foreign text breaks any of them.

mod foreign;
mod forms;
