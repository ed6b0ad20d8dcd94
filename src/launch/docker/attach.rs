//! The streams of a container: one connection to the engine that carries input one way and both outputs the other.

use std::pin::Pin;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::{Stream, StreamExt as _};
use tokio::io::{AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;

use super::engine::Engine;
use crate::launch::Error;
use crate::launch::pipes::{LaneInput, LaneOutput, StderrTail, Streams};

/// Bytes of output that wait for a reader before the container has to.
const BUFFER_BYTES: usize = 256 * 1024;

type Messages = Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>;

/// A container's streams.
pub(super) struct Attached {
    pub streams: Streams,
    /// Parts the two outputs until the container ends.
    pub parting: JoinHandle<()>,
}

/// Attaches to a container that has been created and not started, so that nothing it writes is missed.
/// A server's standard output is a log like its standard error, and goes the same way.
pub(super) async fn attach(engine: &Engine, id: &str, tail: StderrTail, is_server: bool) -> Result<Attached, Error> {
    let options = AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true).build();
    let attached = engine.docker().attach_container(id, Some(options));
    let AttachContainerResults { output, input } =
        engine.bring_up(format!("attaching to container {id}"), attached).await?;
    let (ours, theirs) = tokio::io::duplex(BUFFER_BYTES);
    let (ours, theirs) = if is_server { (None, None) } else { (Some(ours), Some(Box::new(theirs) as LaneOutput)) };
    Ok(Attached {
        streams: Streams::new(Some(LaneInput::new(input)), theirs),
        parting: tokio::spawn(part(output, ours, tail, is_server)),
    })
}

async fn part(mut messages: Messages, mut stdout: Option<DuplexStream>, tail: StderrTail, is_server: bool) {
    while let Some(Ok(message)) = messages.next().await {
        match (message, &mut stdout) {
            (LogOutput::StdOut { message } | LogOutput::Console { message }, Some(pipe)) => {
                // A reader that has gone must not keep standard error from being read.
                if pipe.write_all(&message).await.is_err() {
                    stdout = None;
                }
            }
            (LogOutput::StdOut { message } | LogOutput::Console { message }, None) if is_server => tail.push(&message),
            (LogOutput::StdErr { message }, _) => tail.push(&message),
            (LogOutput::StdOut { .. } | LogOutput::Console { .. } | LogOutput::StdIn { .. }, _) => {}
        }
    }
    // Dropping the pipe is the reader's end of file.
}
