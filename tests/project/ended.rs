//! A command under way, and how it ended.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No command of these tests takes this long, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(120);

/// A command under way. Dropping it kills it.
pub struct Started {
    child: Child,
    command: String,
    begun: Instant,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    lines: Receiver<String>,
}

/// How a command ended.
pub struct Ended {
    pub command: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Started {
    pub fn of(mut command: Command) -> Self {
        let shown = command.get_args().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
        let (sender, lines) = channel();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let stdout = std::thread::spawn(move || {
            let mut text = Vec::new();
            stdout.expect("it is a pipe").read_to_end(&mut text).expect("a pipe can be read");
            String::from_utf8_lossy(&text).into_owned()
        });
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            for line in BufReader::new(stderr.expect("it is a pipe")).lines() {
                let line = line.expect("standard error is text");
                text.push_str(&line);
                text.push('\n');
                // Nobody may be waiting for lines any more.
                let _ = sender.send(line);
            }
            text
        });
        Self { child, command: shown, begun: Instant::now(), stdout, stderr, lines }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line of standard error that holds `words`, and gives it.
    pub fn line_with(&self, words: &str) -> String {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(words) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("{}: no line with {words:?} came", self.command),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{}: ended before a line with {words:?} came", self.command)
                }
            }
        }
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid is positive");
        rustix::process::kill_process(pid, signal).expect("a child that was not waited for can be sent a signal");
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Ended {
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if self.begun.elapsed() > DEADLINE {
                let _ = self.child.kill();
                panic!("{} did not end within {DEADLINE:?}", self.command);
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.begun.elapsed();
        let text = |thread: JoinHandle<String>| thread.join().expect("a reader ends with its pipe");
        Ended { command: self.command, status, stdout: text(self.stdout), stderr: text(self.stderr), took }
    }

    /// Ends it by KILL, as a crash of the host's would.
    pub fn kill(mut self) -> Ended {
        // It may have ended by itself meanwhile.
        let _ = self.child.kill();
        self.finish()
    }
}

impl Ended {
    /// Its exit code must be `code`, and it must not have panicked.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        self
    }

    /// Standard error must hold each of `words`.
    #[track_caller]
    pub fn tells(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stderr.contains(word), "standard error lacks {word:?}: {self:?}");
        }
        self
    }

    /// Standard output must hold each of `words`.
    #[track_caller]
    pub fn prints(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.stdout.contains(word), "standard output lacks {word:?}: {self:?}");
        }
        self
    }

    /// Standard output as the one JSON document that it must be.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON, {error}: {self:?}"))
    }
}

impl std::fmt::Debug for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { command, status, stdout, stderr, took } = self;
        write!(f, "`{command}`: {status} after {took:?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
