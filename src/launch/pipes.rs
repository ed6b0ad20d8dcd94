//! The lane's standard streams: a writer that can be closed, a reader, and the end of standard error.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

/// Lines of standard error that are kept.
const TAIL_LINES: usize = 40;
/// Bytes of standard error that are kept.
const TAIL_BYTES: usize = 8 * 1024;

/// The lane's standard output.
pub type LaneOutput = Box<dyn AsyncRead + Send + Unpin>;

/// The lane's standard input. Shutting it down, or dropping it, gives the runner end of file, in a process and in a
/// container alike.
pub struct LaneInput {
    inner: Option<Pin<Box<dyn AsyncWrite + Send>>>,
}

impl LaneInput {
    pub(super) fn new(inner: Pin<Box<dyn AsyncWrite + Send>>) -> Self {
        Self { inner: Some(inner) }
    }

    fn with_inner<T>(
        &mut self,
        act: impl FnOnce(Pin<&mut (dyn AsyncWrite + Send)>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.inner {
            Some(inner) => act(inner.as_mut()),
            None => Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "the lane's input was shut down"))),
        }
    }
}

impl AsyncWrite for LaneInput {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with_inner(|inner| inner.poll_write(context, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with_inner(|inner| inner.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(Ok(())) };
        let done = inner.as_mut().poll_shutdown(context);
        if done.is_ready() {
            // A child's pipe closes only when it is dropped.
            self.inner = None;
        }
        done
    }
}

impl Drop for LaneInput {
    fn drop(&mut self) {
        if let Some(inner) = &mut self.inner {
            // An attached stream is one half of a connection, so dropping it alone would not end the other side's
            // input. Shutting down a socket does not block, so one poll is enough.
            let _ = inner.as_mut().poll_shutdown(&mut Context::from_waker(Waker::noop()));
        }
    }
}

impl std::fmt::Debug for LaneInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LaneInput").field("open", &self.inner.is_some()).finish()
    }
}

/// A lane's input and output until somebody takes them. Behind locks, because neither can be shared between threads
/// and a lane that is looked at from several has to be.
pub(super) struct Streams {
    stdin: Mutex<Option<LaneInput>>,
    stdout: Mutex<Option<LaneOutput>>,
}

impl Streams {
    pub(super) fn new(stdin: Option<LaneInput>, stdout: Option<LaneOutput>) -> Self {
        Self { stdin: Mutex::new(stdin), stdout: Mutex::new(stdout) }
    }

    pub(super) fn take_stdin(&mut self) -> Option<LaneInput> {
        self.stdin.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn take_stdout(&mut self) -> Option<LaneOutput> {
        self.stdout.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The end of what a lane wrote to standard error; bounded, however much it writes.
#[derive(Debug, Clone, Default)]
pub(super) struct StderrTail {
    kept: Arc<Mutex<VecDeque<u8>>>,
    /// Bytes that came in all.
    bytes: Arc<AtomicU64>,
    /// Where all of it goes, for a lane whose every word may matter.
    whole: Option<Arc<File>>,
    /// Bytes that should have gone there and did not.
    unwritten: Arc<AtomicU64>,
}

impl StderrTail {
    /// A tail that writes everything to `path` too, behind what stands there.
    pub(super) fn with_whole(path: Option<&Path>) -> std::io::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { whole: Some(Arc::new(file)), ..Self::default() })
    }

    /// Takes in the next piece.
    pub(super) fn push(&self, bytes: &[u8]) {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if let Some(file) = self.whole.as_deref() {
            // A full disk must not end the lane; the journal keeps the tail, and says how much is missing.
            self.unwritten.fetch_add(left_unwritten(file, bytes), Ordering::Relaxed);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        let surplus = (kept.len() + bytes.len()).saturating_sub(TAIL_BYTES);
        kept.drain(..surplus);
        kept.extend(bytes);
    }

    /// Bytes that came in all: while they grow, the lane lives.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Bytes that were to be kept whole and could not be written.
    pub(super) fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// The last lines as text; bytes that are no UTF-8 show as replacement characters.
    pub(super) fn text(&self) -> String {
        let mut bytes: Vec<u8> = self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
        if bytes.len() == TAIL_BYTES {
            // The cut may have gone through a character; its continuation bytes say nothing.
            let continuation = bytes.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
            bytes.drain(..continuation);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n")
    }

    /// Reads `source` to its end.
    pub(super) async fn fill_from(self, mut source: impl AsyncRead + Unpin) {
        let mut buffer = vec![0; 8 * 1024];
        // A read error ends the stream as its end would: what came until then is what there is.
        while let Ok(read @ 1..) = source.read(&mut buffer).await {
            self.push(buffer.get(..read).unwrap_or_default());
        }
    }
}

/// Writes as much of `bytes` as the file takes; gives how many it did not.
fn left_unwritten(mut file: impl io::Write, mut bytes: &[u8]) -> u64 {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
        }
    }
    bytes.len() as u64
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn the_tail_keeps_the_last_lines_and_no_more() {
        let tail = StderrTail::default();
        for line in 0..100 {
            tail.push(format!("line {line}\n").as_bytes());
        }
        let text = tail.text();
        assert_eq!(text.lines().count(), TAIL_LINES);
        assert!(text.starts_with("line 60\n") && text.ends_with("line 99"), "{text}");
    }

    #[test]
    fn a_lane_whose_words_are_all_kept_has_them_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr/lane.log");
        let text = "a long word\n".repeat(10_000);
        StderrTail::with_whole(Some(&path)).unwrap().push(text.as_bytes());
        assert!(std::fs::read_to_string(&path).unwrap() == text, "something of it was lost");
        let kept = StderrTail::with_whole(Some(&path)).unwrap();
        kept.push(b"more");
        assert_eq!(kept.unwritten(), 0);
        assert!(StderrTail::with_whole(None).unwrap().whole.is_none());
    }

    #[test]
    fn what_a_full_disk_does_not_take_is_counted_and_the_tail_is_kept_all_the_same() {
        let tail = StderrTail::with_whole(Some(Path::new("/dev/full"))).unwrap();
        tail.push(b"first\n");
        tail.push(b"second\n");
        assert_eq!((tail.unwritten(), tail.bytes(), tail.text().as_str()), (13, 13, "first\nsecond"));
        let mut place = [0_u8; 4];
        assert_eq!(left_unwritten(&mut place[..], b"abcdef"), 2, "what went in before the disk was full is not lost");
        assert_eq!(&place, b"abcd");
    }

    #[test]
    fn the_tail_is_bounded_in_bytes_and_cuts_between_characters() {
        let tail = StderrTail::default();
        tail.push(b"x");
        tail.push("é".repeat(TAIL_BYTES).as_bytes());
        tail.push(b"!");
        let text = tail.text();
        assert!(text.len() <= TAIL_BYTES);
        assert!(text.starts_with('é') && text.ends_with("é!"), "the cut left half a character");
        tail.push(b"\n\xFF\xFE");
        assert!(tail.text().ends_with("!\n\u{FFFD}\u{FFFD}"));
    }

    #[tokio::test]
    async fn input_that_was_shut_down_takes_no_more() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut input = LaneInput::new(Box::pin(ours));
        input.write_all(b"abc").await.unwrap();
        input.shutdown().await.unwrap();
        input.shutdown().await.unwrap();
        assert_eq!(input.write_all(b"d").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let mut seen = Vec::new();
        theirs.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"abc");
    }

    #[tokio::test]
    async fn dropping_the_input_ends_it_for_the_reader() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let (_reader, writer) = tokio::io::split(ours);
        drop(LaneInput::new(Box::pin(writer)));
        let mut seen = Vec::new();
        theirs.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"");
    }
}
