//! Plays the scripts of the conformance kit, as `containers/WIRE.md` describes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use lockstep::wire::{MAX_LINE_BYTES, Meaning, Reply};
use serde::Deserialize;
use serde_json::Value;

use super::checkpoints::{Model, Models};
use super::launch::Launch;
use super::participants::Participant;
use super::pattern;

/// A runner leaves at once when its input ends; this much is granted to a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Longer than any repetition of the kit that has an answer.
const ANSWER: Duration = Duration::from_secs(120);

#[derive(Clone)]
pub struct Script {
    pub name: String,
    lines: Vec<Line>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    About(About),
    Send(Value),
    SendTogether(Vec<Value>),
    SendByBytes(Value),
    SendRaw(String),
    SendHex(String),
    Expect(Value),
    Beats(Beats),
    Equal(Vec<String>),
    Do(Deed),
    Exit(i64),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    /// Starts another process of the runner; what was saved stays.
    Launch,
    /// Sends more bytes than a line may have, without a newline.
    SendOverlong,
    /// Closes the runner's input.
    CloseInput,
    /// Sends SIGTERM and expects the process to leave at once, however.
    Terminate,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    what: String,
    #[serde(default)]
    model: Model,
    /// A runner that answers `load` with `fatal` may lack what the script is about.
    #[serde(default)]
    optional: bool,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beats {
    step: String,
    times: u32,
}

/// How a script ended, where no expectation failed.
pub enum Played {
    /// With the tokens that it saved.
    Through(BTreeMap<String, Vec<u32>>),
    /// The runner lacks what an optional script is about; its own words.
    Lacking(String),
}

/// All scripts, by name.
pub fn scripts() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the kit has a folder")
        .map(|entry| entry.expect("the kit's folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    paths.sort();
    paths.iter().map(|path| Script::read(path)).collect()
}

impl Script {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("scripts have plain names").to_owned();
        let text = std::fs::read_to_string(path).expect("a script can be read");
        let parse = |(number, line): (usize, &str)| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), number + 1))
        };
        Self { name, lines: text.lines().enumerate().map(parse).collect() }
    }

    /// What the script shows, in its own words.
    pub fn what(&self) -> &str {
        match self.lines.first() {
            Some(Line::About(about)) => &about.what,
            _ => "",
        }
    }

    pub fn saves_tokens(&self) -> bool {
        let saves = |line: &Line| matches!(line, Line::Expect(pattern) if pattern.to_string().contains("\"save\""));
        self.lines.iter().any(saves)
    }
}

/// Plays a script against a runner.
pub fn play(script: &Script, participant: &Participant, models: &Models) -> Result<Played, String> {
    let Some(Line::About(about)) = script.lines.first() else {
        return Err("a script begins with `about`".to_owned());
    };
    let mut stage = Stage { launch: Launch::start(participant)?, saved: BTreeMap::new() };
    for (number, line) in (1..).zip(&script.lines) {
        match stage.act(line, about, participant, models) {
            Ok(None) => {}
            Ok(Some(lacking)) => return Ok(Played::Lacking(lacking)),
            Err(why) => {
                let stderr = stage.launch.stderr();
                return Err(format!("{}.jsonl line {number}: {why}\nstandard error:\n{stderr}", script.name));
            }
        }
    }
    if participant.noisy && !stage.launch.stderr().contains("stray") {
        return Err("the noise did not reach standard error, so nothing was shown".to_owned());
    }
    Ok(Played::Through(stage.saved))
}

struct Stage {
    launch: Launch,
    saved: BTreeMap<String, Vec<u32>>,
}

impl Stage {
    /// Plays one line; gives the runner's words when it lacks what an optional script is about.
    fn act(
        &mut self,
        line: &Line,
        about: &About,
        participant: &Participant,
        models: &Models,
    ) -> Result<Option<String>, String> {
        match line {
            Line::About(_) => {}
            Line::Do(Deed::Launch) => self.launch = Launch::start(participant)?,
            Line::Do(Deed::SendOverlong) => self.launch.send(&vec![b' '; MAX_LINE_BYTES + 1]),
            Line::Do(Deed::CloseInput) => self.launch.close_input(),
            Line::Do(Deed::Terminate) => self.launch.terminate(AT_ONCE)?,
            Line::Send(message) => {
                let bytes = self.message(message, about, models);
                self.launch.send(&bytes);
            }
            Line::SendTogether(messages) => {
                let bytes: Vec<u8> = messages.iter().flat_map(|message| self.message(message, about, models)).collect();
                self.launch.send(&bytes);
            }
            Line::SendByBytes(message) => {
                for byte in self.message(message, about, models) {
                    self.launch.send(&[byte]);
                }
            }
            Line::SendRaw(text) => self.launch.send(text.as_bytes()),
            Line::SendHex(digits) => self.launch.send(&hex(digits)?),
            Line::Expect(pattern) => return self.expect(pattern, about.optional),
            Line::Beats(beats) => self.beats(beats)?,
            Line::Equal(sums) => self.equal(sums)?,
            Line::Exit(status) => self.launch.expect_exit(Some(*status), AT_ONCE)?,
        }
        Ok(None)
    }

    /// A message as a line, its placeholders filled in.
    fn message(&mut self, message: &Value, about: &About, models: &Models) -> Vec<u8> {
        let message = models.fill_in(about.model, message);
        if let Ok(request) = serde_json::from_value(message.clone()) {
            self.launch.note(&request);
        }
        format!("{message}\n").into_bytes()
    }

    fn expect(&mut self, pattern: &Value, optional: bool) -> Result<Option<String>, String> {
        let start = Instant::now();
        while start.elapsed() < ANSWER {
            let Some((reply, meaning)) = self.launch.receive()? else {
                return Err(format!("expected {pattern}, the output ended"));
            };
            if matches!(meaning, Meaning::Beat { .. }) {
                continue;
            }
            if let Reply::Fatal { message } = &reply
                && optional
                && pattern["type"] == "loaded"
            {
                return Ok(Some(message.clone()));
            }
            let found = serde_json::to_value(&reply).map_err(|error| error.to_string())?;
            pattern::check(pattern, &found, &mut |name, tokens| {
                self.saved.insert(name.to_owned(), tokens);
            })?;
            return Ok(None);
        }
        Err(format!("expected {pattern}, got nothing but beats for {ANSWER:?}"))
    }

    /// So many beats of one step, the last of which has more done than the first.
    fn beats(&mut self, wanted: &Beats) -> Result<(), String> {
        let mut done = Vec::new();
        for _ in 0..wanted.times {
            match self.launch.receive()? {
                Some((Reply::Progress(beat), _)) if beat.step.name() == wanted.step => done.push(beat.done),
                other => return Err(format!("expected a beat of {}, got {other:?}", wanted.step)),
            }
        }
        if done.len() > 1 && done.first() >= done.last() {
            return Err(format!("the beats show no progress: {done:?}"));
        }
        Ok(())
    }

    /// Names joined by blanks are token lists joined.
    fn equal(&self, sums: &[String]) -> Result<(), String> {
        let join = |names: &String| -> Result<Vec<u32>, String> {
            let lists: Vec<&Vec<u32>> = names
                .split(' ')
                .map(|name| self.saved.get(name).ok_or(format!("nothing was saved as `{name}`")))
                .collect::<Result<_, _>>()?;
            Ok(lists.into_iter().flatten().copied().collect())
        };
        let lists = sums.iter().map(join).collect::<Result<Vec<_>, _>>()?;
        if lists.windows(2).all(|pair| pair.first() == pair.last()) {
            return Ok(());
        }
        Err(format!(
            "not equal: {}",
            sums.iter().zip(lists).map(|(sum, list)| format!("{sum} = {list:?} ")).collect::<String>()
        ))
    }
}

fn hex(digits: &str) -> Result<Vec<u8>, String> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
            u8::from_str_radix(pair, 16).map_err(|error| format!("{pair:?} is no byte: {error}"))
        })
        .collect()
}
