//! The runner inside the container: obeys one command a line, answers one line each.

use std::io::{BufRead, Write};
use std::os::unix::fs::PermissionsExt;

/// The argument that makes this binary a runner.
pub const FLAG: &str = "--be-the-runner";

/// Reads commands until end of file, then says goodbye on standard error and ends with 7.
pub fn run() {
    let (stdin, stdout) = (std::io::stdin().lock(), std::io::stdout());
    for line in stdin.lines() {
        let line = line.expect("commands are lines of text");
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = obey(command, argument);
        let mut stdout = stdout.lock();
        writeln!(stdout, "{answer}").and_then(|()| stdout.flush()).expect("the supervisor reads");
    }
    eprintln!("end of input");
    std::process::exit(7);
}

fn obey(command: &str, argument: &str) -> String {
    match command {
        "echo" => argument.to_owned(),
        "environment" => {
            let mut names: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            names.sort();
            names.join(" ")
        }
        "read" => match std::fs::read_to_string(argument) {
            Ok(text) => text.trim_end().replace('\n', "|"),
            Err(error) => format!("error: {error}"),
        },
        "write" => match std::fs::write(argument, "x") {
            Ok(()) => "written".to_owned(),
            Err(error) => format!("error: {error}"),
        },
        "list" => match std::fs::read_dir(argument) {
            Ok(entries) => {
                let mut names: Vec<String> =
                    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
                names.sort();
                names.join(" ")
            }
            Err(error) => format!("error: {error}"),
        },
        "connect" => match std::net::TcpStream::connect(argument) {
            Ok(_) => "connected".to_owned(),
            Err(error) => format!("error: {error}"),
        },
        "execute" => {
            // A script for this very binary, so that only its mount can keep it from running.
            let script = std::fs::write(argument, "#!/lockstep --list\n")
                .and_then(|()| std::fs::set_permissions(argument, std::fs::Permissions::from_mode(0o755)));
            match script.and_then(|()| std::process::Command::new(argument).output()) {
                Ok(_) => "executed".to_owned(),
                Err(error) => format!("error: {error}"),
            }
        }
        "children" => {
            let children = (0..argument.parse().expect("a count")).map_while(|_| {
                std::process::Command::new("/proc/self/exe").arg(FLAG).stdin(std::process::Stdio::piped()).spawn().ok()
            });
            // They live as long as their input stays open, so it is kept open.
            let children: Vec<_> = children.collect();
            let count = children.len();
            std::mem::forget(children);
            format!("{count} children")
        }
        "ignore-term" => {
            ignore_term();
            "deaf".to_owned()
        }
        "work" => {
            let start = std::time::Instant::now();
            let mut sum = 0_u64;
            while start.elapsed().as_millis() < argument.parse().expect("milliseconds") {
                sum = std::hint::black_box(sum.wrapping_add(1));
            }
            format!("worked {}", sum > 0)
        }
        "eat" => {
            let mib: usize = argument.parse().expect("a size");
            let mut eaten: Vec<Vec<u8>> = Vec::new();
            for _ in 0..mib {
                eaten.push(std::hint::black_box(vec![1; 1 << 20]));
            }
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

/// Takes TERM and does nothing with it, for ever.
fn ignore_term() {
    let (ready, is_ready) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut terms = tokio::signal::unix::signal(kind).expect("TERM can be handled");
            ready.send(()).expect("somebody waits");
            while terms.recv().await.is_some() {}
        });
    });
    is_ready.recv().expect("the handler is in place");
}
