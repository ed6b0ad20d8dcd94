//! The runner inside the container: obeys one command a line, answers one line each.

use std::io::{BufRead, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, ExitCode, Stdio};

/// The argument that makes this binary a runner.
pub const FLAG: &str = "--be-the-runner";

/// Reads commands until end of file, then says goodbye on standard error and ends with 7.
pub fn run() -> ExitCode {
    let (stdin, stdout) = (std::io::stdin().lock(), std::io::stdout());
    for line in stdin.lines() {
        let line = line.expect("commands are lines of text");
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = obey(command, argument);
        let mut stdout = stdout.lock();
        writeln!(stdout, "{answer}").and_then(|()| stdout.flush()).expect("the supervisor reads");
    }
    eprintln!("end of input");
    ExitCode::from(7)
}

fn obey(command: &str, argument: &str) -> String {
    let number = || argument.parse::<usize>().expect("a number");
    match command {
        "echo" => argument.to_owned(),
        "environment" => sorted(std::env::vars().map(|(name, value)| format!("{name}={value}"))),
        "read" => said(std::fs::read_to_string(argument).map(|text| text.trim_end().replace('\n', "|"))),
        "write" => said(std::fs::write(argument, "x").map(|()| "written".to_owned())),
        "list" => said(
            std::fs::read_dir(argument)
                .map(|entries| sorted(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()))),
        ),
        "connect" => said(std::net::TcpStream::connect(argument).map(|_| "connected".to_owned())),
        "execute" => said(execute_script(argument)),
        "children" => format!("{} children", start_children(number())),
        "ignore-term" => {
            ignore_term();
            "deaf".to_owned()
        }
        "work" => format!("worked {}", work(number() as u128) > 0),
        "eat" => {
            let eaten: Vec<Vec<u8>> = (0..number()).map(|_| std::hint::black_box(vec![1; 1 << 20])).collect();
            format!("ate {}", eaten.len())
        }
        "complain" => {
            for line in 0..1000 {
                eprintln!("complaint {line}");
            }
            "complained".to_owned()
        }
        "exit" => std::process::exit(argument.parse().expect("a status")),
        other => format!("error: unknown command {other:?}"),
    }
}

fn said(outcome: std::io::Result<String>) -> String {
    outcome.unwrap_or_else(|error| format!("error: {error}"))
}

fn sorted(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    words.sort();
    words.join(" ")
}

/// Writes a script for this very binary, so that only its mount can keep it from running, and runs it.
fn execute_script(path: &str) -> std::io::Result<String> {
    std::fs::write(path, "#!/lockstep --list\n")?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    Command::new(path).output()?;
    Ok("executed".to_owned())
}

/// Starts up to `count` children that live as long as their input stays open, and keeps it open.
fn start_children(count: usize) -> usize {
    let child = |_| Command::new("/proc/self/exe").arg(FLAG).stdin(Stdio::piped()).spawn().ok();
    let children: Vec<_> = (0..count).map_while(child).collect();
    let started = children.len();
    std::mem::forget(children);
    started
}

fn work(milliseconds: u128) -> u64 {
    let start = std::time::Instant::now();
    let mut sum = 0_u64;
    while start.elapsed().as_millis() < milliseconds {
        sum = std::hint::black_box(sum.wrapping_add(1));
    }
    sum
}

/// Takes TERM and does nothing with it, for ever.
fn ignore_term() {
    let noticed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, noticed).expect("TERM can be handled");
}
