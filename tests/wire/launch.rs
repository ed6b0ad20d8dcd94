//! One process of a runner, from the supervisor's side.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use lockstep::wire::{Conversation, LineDecoder, Meaning, Reply, Request};

use super::participants::Participant;

/// Longer than any healthy runner needs for a step of the kit on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Launch {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    stderr: File,
    decoder: LineDecoder<Reply>,
    talk: Conversation,
}

impl Launch {
    pub fn start(participant: &Participant) -> Result<Self, String> {
        let (program, arguments) = participant.command.split_first().ok_or("the runner's command is empty")?;
        let stderr = tempfile::tempfile().map_err(|error| format!("no temporary file: {error}"))?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr.try_clone().map_err(|error| error.to_string())?)
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        let mut stdout = child.stdout.take().ok_or("standard output is piped")?;
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut chunk) {
                if sender.send(chunk[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Ok(Self { child, input, output, stderr, decoder: LineDecoder::default(), talk: Conversation::default() })
    }

    /// Notes what is about to be sent. A request out of turn is none of the conversation's; a script may send one.
    pub fn note(&mut self, request: &Request) {
        let _ = self.talk.request(request);
    }

    /// A runner that has already left cannot take more; what it said last is judged instead.
    pub fn send(&mut self, bytes: &[u8]) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(bytes).and_then(|()| input.flush());
        }
    }

    pub fn close_input(&mut self) {
        self.input = None;
    }

    /// The next message and what it means; `None` when the output has ended.
    pub fn receive(&mut self) -> Result<Option<(Reply, Meaning)>, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(decoded) = self.decoder.take() {
                let reply = decoded.map_err(|error| error.to_string())?;
                let meaning = self.talk.reply(&reply).map_err(|error| error.to_string())?;
                return Ok(Some((reply, meaning)));
            }
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.decoder.push(&bytes),
                Err(RecvTimeoutError::Timeout) => return Err(format!("nothing came for {} s", PATIENCE.as_secs())),
                Err(RecvTimeoutError::Disconnected) => {
                    self.decoder.end().map_err(|error| error.to_string())?;
                    return Ok(None);
                }
            }
        }
    }

    /// Waits for the end: beats may still come, nothing else, then the process leaves, with this status if one is given.
    pub fn expect_exit(&mut self, status: Option<i64>, within: Duration) -> Result<(), String> {
        let start = Instant::now();
        while let Some((reply, meaning)) = self.receive()? {
            if !matches!(meaning, Meaning::Beat { .. }) {
                return Err(format!("expected the end, got {reply:?}"));
            }
            if start.elapsed() > within {
                return Err(format!("it is still at work after {within:?}"));
            }
        }
        let found = loop {
            match self.child.try_wait() {
                Ok(Some(found)) => break found,
                Ok(None) if start.elapsed() > PATIENCE => return Err("the process does not leave".to_owned()),
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => return Err(format!("cannot wait for the process: {error}")),
            }
        };
        if status.is_some() && found.code().map(i64::from) != status {
            return Err(format!("expected exit status {status:?}, got {found}"));
        }
        if start.elapsed() > within {
            return Err(format!("it took {:?} to leave, more than {within:?}", start.elapsed()));
        }
        Ok(())
    }

    /// Sends SIGTERM and waits for the end.
    pub fn terminate(&mut self, within: Duration) -> Result<(), String> {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).map_err(|error| error.to_string())?;
        self.expect_exit(None, within)
    }

    /// What the process wrote to standard error so far.
    pub fn stderr(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = self.stderr.rewind().and_then(|()| self.stderr.read_to_end(&mut bytes));
        read.map_or_else(|error| error.to_string(), |_| String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Launch {
    /// Also where a script failed half-way.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
