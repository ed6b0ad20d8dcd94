//! Where text leaves the process. A reader who closes the pipe early ends the output, not the command.

use std::io::IsTerminal as _;

use super::Error;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON document.
    Json,
}

/// Writes to standard output.
pub(super) fn emit(text: &str) -> Result<(), Error> {
    write(&mut std::io::stdout().lock(), text)
}

/// Writes to standard error: progress, warnings, hints.
pub(super) fn note(text: &str) {
    // A message that cannot be written has no better place to go.
    let _ = write(&mut std::io::stderr().lock(), &format!("{text}\n"));
}

fn write(stream: &mut impl std::io::Write, text: &str) -> Result<(), Error> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::File { doing: "writing to", path: "standard output".into(), source: error })
        }
        _ => Ok(()),
    }
}

/// A JSON document with its final newline.
pub(super) fn emit_json(value: &impl serde::Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Internal(error.to_string()))?;
    emit(&format!("{text}\n"))
}

/// How a table may be drawn on standard output.
pub(super) fn style() -> crate::report::Style {
    style_on(std::io::stdout().is_terminal())
}

/// How one may be drawn on standard error.
pub(super) fn note_style() -> crate::report::Style {
    style_on(std::io::stderr().is_terminal())
}

fn style_on(terminal: bool) -> crate::report::Style {
    let color = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let columns = std::env::var("COLUMNS").ok().and_then(|value| value.parse().ok());
    let width = columns.or_else(terminal_width).unwrap_or(120);
    crate::report::Style { width, color }
}

fn terminal_width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(size.ws_col).filter(|columns| *columns >= 40)
}
