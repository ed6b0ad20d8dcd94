//! A journal as lines that can be edited, and made whole again: seals count right, every line is chained.

use lockstep::journal::{MAX_JOURNAL_BYTES, decompress};
use lockstep::terms::Digest;
use serde_json::{Value, json};

/// What stands between a record's JSON, without its closing brace, and its chain.
const BEFORE_CHAIN: &str = r#","chain":""#;

/// A journal's records as JSON texts, without their chains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub lines: Vec<String>,
}

impl Draft {
    /// The lines of a compressed journal.
    pub fn unpacked(archive: &[u8]) -> Self {
        let bytes = decompress(archive, MAX_JOURNAL_BYTES).expect("a committed journal unpacks");
        Self::of(&String::from_utf8(bytes).expect("a journal is text"))
    }

    /// The lines of a journal.
    pub fn of(journal: &str) -> Self {
        let line = |line: &str| {
            let (record, _) = line.rsplit_once(BEFORE_CHAIN).expect("a journal's line ends with its chain");
            format!("{record}}}")
        };
        Self { lines: journal.lines().map(line).collect() }
    }

    /// The journal of these lines, each chained to the one before it.
    pub fn chained(&self) -> Vec<u8> {
        let mut head = Digest::of(b"lockstep journal").hex();
        let mut journal = String::new();
        for line in &self.lines {
            head = Digest::of(format!("{head}\n{line}").as_bytes()).hex();
            let open = line.strip_suffix('}').expect("a record is an object");
            journal.push_str(&format!("{open}{BEFORE_CHAIN}{head}\"}}\n"));
        }
        journal.into_bytes()
    }

    /// The same with every seal counting what stands before it.
    pub fn sealed(&self) -> Vec<u8> {
        let mut draft = self.clone();
        let mut rows = 0;
        for (records, line) in draft.lines.iter_mut().enumerate() {
            match kind(line) {
                "row" => rows += 1,
                "seal" => *line = format!(r#"{{"type":"seal","rows":{rows},"records":{records}}}"#),
                _ => {}
            }
        }
        draft.chained()
    }

    pub fn value(&self, index: usize) -> Value {
        serde_json::from_str(&self.lines[index]).expect("a line that was not spoilt is JSON")
    }

    pub fn set(&mut self, index: usize, value: &Value) {
        self.lines[index] = value.to_string();
    }

    /// Indices of the records of a kind for which `which` holds.
    pub fn all(&self, wanted: &str, which: impl Fn(&Value) -> bool) -> Vec<usize> {
        let of_kind = (0..self.lines.len()).filter(|index| kind(&self.lines[*index]) == wanted);
        of_kind.filter(|index| which(&self.value(*index))).collect()
    }

    /// The first of them.
    pub fn first(&self, wanted: &str, which: impl Fn(&Value) -> bool) -> usize {
        let found = (0..self.lines.len()).find(|i| kind(&self.lines[*i]) == wanted && which(&self.value(*i)));
        found.unwrap_or_else(|| panic!("the journal has no such {wanted}"))
    }

    /// Changes every record of a kind for which `which` holds.
    pub fn change(&mut self, wanted: &str, which: impl Fn(&Value) -> bool, change: impl Fn(&mut Value)) {
        let found = self.all(wanted, which);
        assert!(!found.is_empty(), "there is no such {wanted}, so nothing was planted");
        for index in found {
            let mut value = self.value(index);
            change(&mut value);
            self.set(index, &value);
        }
    }

    /// Changes the first of them.
    pub fn change_first(&mut self, wanted: &str, which: impl Fn(&Value) -> bool, change: impl Fn(&mut Value)) {
        let index = self.first(wanted, which);
        let mut value = self.value(index);
        change(&mut value);
        self.set(index, &value);
    }

    /// Changes the first header.
    pub fn header(&mut self, change: impl Fn(&mut Value)) {
        self.change_first("header", |_| true, change);
    }

    /// Changes what the header declares of a lane.
    pub fn declaration(&mut self, lane: &str, change: impl Fn(&mut Value)) {
        self.change(
            "header",
            |_| true,
            |header| {
                let lanes = header["lanes"].as_array_mut().expect("a header has lanes");
                change(lanes.iter_mut().find(|it| it["lane"] == lane).expect("the header has the lane"));
            },
        );
    }

    pub fn remove(&mut self, wanted: &str, which: impl Fn(&Value) -> bool) {
        let found = self.all(wanted, which);
        assert!(!found.is_empty(), "there is no such {wanted}, so nothing was planted");
        for index in found.into_iter().rev() {
            self.lines.remove(index);
        }
    }

    pub fn insert(&mut self, index: usize, value: &Value) {
        self.lines.insert(index, value.to_string());
    }

    /// Moves one line to another place.
    pub fn relocate(&mut self, from: usize, to: usize) {
        let line = self.lines.remove(from);
        self.lines.insert(to, line);
    }

    /// Launches of a lane, by number.
    pub fn launches(&self, lane: &str) -> Vec<u64> {
        let starts = self.all("launch_start", of_lane(lane));
        starts.into_iter().map(|index| number(&self.value(index), "launch")).collect()
    }

    /// First and last line of a launch.
    pub fn span(&self, launch: u64) -> (usize, usize) {
        (self.first("launch_start", of_launch(launch)), self.first("launch_end", of_launch(launch)))
    }

    /// Takes a whole launch out.
    pub fn drop_launch(&mut self, launch: u64) {
        let (start, end) = self.span(launch);
        self.lines.drain(start..=end);
    }

    /// Numbers the launches anew, as they stand.
    pub fn renumber(&mut self) {
        let mut next = 0;
        let mut current = Value::Null;
        for index in 0..self.lines.len() {
            let mut value = self.value(index);
            if value["type"] == "launch_start" {
                current = json!(next);
                next += 1;
            }
            if value.get("launch").is_some_and(|launch| !launch.is_null()) {
                value["launch"] = current.clone();
                self.set(index, &value);
            }
        }
    }
}

/// The `type` of a record's text, wherever it stands in it.
pub fn kind(line: &str) -> &str {
    let (_, rest) = line.split_once(r#""type":""#).unwrap_or_default();
    rest.split('"').next().unwrap_or_default()
}

pub fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} of {value} is no whole number"))
}

/// Records that name a lane.
pub fn of_lane(lane: &str) -> impl Fn(&Value) -> bool {
    let lane = lane.to_owned();
    move |value| value["lane"] == lane.as_str()
}

/// Records that name a launch.
pub fn of_launch(launch: u64) -> impl Fn(&Value) -> bool {
    move |value| value["launch"] == launch
}

/// Rows that are ok in one of the lanes.
pub fn ok_in(lanes: &[&'static str]) -> impl Fn(&Value) -> bool + use<> {
    let lanes = lanes.to_vec();
    move |value| value["outcome"] == "ok" && lanes.iter().any(|lane| value["lane"] == *lane)
}

/// Puts a row's tokens in, and the digest that belongs to them.
pub fn put_tokens(row: &mut Value, tokens: Value) {
    row["output_sha256"] = json!(Digest::of(tokens.to_string().as_bytes()).to_string());
    row["tokens"] = tokens;
}
