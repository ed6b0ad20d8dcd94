//! The two implementations of the codec, this one and the Python runner's, on the same damaged requests.

use std::io::Write;
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Failed, Trial};
use lockstep::wire::{LineDecoder, Request, encode};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::participants::{python_absent, python_path};
use super::property::{damage, request};

const LINES: usize = 5000;

/// Reads lines, prints for each 1 where the decoder takes it and 0 where it refuses it as it should.
const PROGRAM: &str = "
import sys
sys.path.insert(0, sys.argv[1])
from lockstep_runner import wire
decoder = wire.LineDecoder()
for event in decoder.push(sys.stdin.buffer.read()):
    print(0 if isinstance(event, wire.WireError) else 1)
";

pub fn trials() -> Vec<Trial> {
    let name = format!("differential::both codecs take the same damaged requests ({LINES} lines)");
    vec![Trial::ignorable_test(name, || match python_absent() {
        Some(reason) => Ok(Completion::ignored_with(reason)),
        None => compare().map(|()| Completion::Completed),
    })]
}

fn compare() -> Result<(), Failed> {
    let lines = damaged_lines();
    let mut python = Command::new("python3")
        .args(["-I", "-S", "-B", "-c", PROGRAM])
        .arg(python_path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = python.stdin.take().ok_or("standard input is piped")?;
    let bytes = lines.concat();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = python.wait_with_output()?;
    writer.join().map_err(|_| "the writing thread panicked")??;
    if !output.status.success() {
        return Err(format!("the Python decoder ended with {}", output.status).into());
    }
    let theirs: Vec<bool> = String::from_utf8(output.stdout)?.lines().map(|line| line == "1").collect();
    if theirs.len() != lines.len() {
        return Err(format!("{} lines gave {} answers", lines.len(), theirs.len()).into());
    }
    let ours = lines.iter().map(|line| {
        let mut decoder = LineDecoder::<Request>::default();
        decoder.push(line);
        decoder.take().is_some_and(|decoded| decoded.is_ok())
    });
    let mut taken = 0;
    for ((line, ours), theirs) in lines.iter().zip(ours).zip(theirs) {
        taken += usize::from(ours);
        if ours != theirs {
            let line = String::from_utf8_lossy(line);
            return Err(format!("this codec takes it: {ours}, the Python one: {theirs}: {line}").into());
        }
    }
    // Without both kinds the comparison would say nothing.
    let range = LINES / 50..LINES - LINES / 50;
    if range.contains(&taken) { Ok(()) } else { Err(format!("{taken} of {LINES} lines were taken").into()) }
}

/// The same lines in every run. Each is one line: its newlines but the last are taken out.
fn damaged_lines() -> Vec<Vec<u8>> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = (request(), damage(), any::<bool>());
    (0..LINES)
        .map(|_| {
            let tree = strategy.new_tree(&mut runner).expect("the strategy filters next to nothing");
            let (request, damages, whole) = tree.current();
            let mut line = encode(&request).expect("finite numbers");
            if !whole {
                damages.iter().for_each(|damage| damage.apply(&mut line));
            }
            line.retain(|byte| *byte != b'\n');
            line.push(b'\n');
            line
        })
        .collect()
}
