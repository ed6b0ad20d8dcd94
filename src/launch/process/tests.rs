use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::launch::outside::procfs;
use crate::launch::{Error, LaunchRequest, Launched, start};
use crate::plan::Lane;
use crate::terms::{Digest, SignalValue};

const LONG: Duration = Duration::from_secs(30);

/// A lane that runs a shell script.
fn shell(script: &str) -> Lane {
    let quoted = serde_json::to_string(script).unwrap();
    let text = format!(
        "schema = 1\nname = \"shell\"\nlauncher = \"process\"\nrunner = \"test\"\n\
         [process]\nprogram = \"sh\"\narguments = [\"-c\", {quoted}]\n[environment]\n\
         DECLARED = \"yes\"\nKERNELS = \"{{run}}/kernels\"\n"
    );
    Lane::parse("lanes/shell.toml", &text).unwrap()
}

fn request<'a>(lane: &'a Lane, run: &'a str) -> LaunchRequest<'a> {
    LaunchRequest {
        lane,
        run,
        run_dir: Path::new("runs/1"),
        launch: 1,
        model_dir: Path::new("/nowhere/model"),
        models: &[],
        files_dir: None,
        overlay_dir: None,
        stderr_file: None,
        own_executable: Path::new("/nowhere/lockstep"),
        search_path: "/usr/bin:/bin",
        visible_gpus: None,
        image: None,
    }
}

async fn launch(script: &str, run: &str) -> Launched {
    start(&request(&shell(script), run), None).await.unwrap()
}

/// Reads `lines` lines of standard output.
async fn read_lines(launched: &mut Launched, lines: usize) -> Vec<String> {
    let mut reader = BufReader::new(launched.take_stdout().unwrap()).lines();
    let mut found = Vec::new();
    while found.len() < lines {
        found.push(reader.next_line().await.unwrap().expect("the lane ended early"));
    }
    found
}

fn runs(pid: &str) -> bool {
    procfs::stat(pid.parse().unwrap()).is_some_and(|stat| !stat.is_dead())
}

#[tokio::test]
async fn a_lane_gets_its_declared_environment_and_nothing_else() {
    let mut launched = launch("env; exit 3", "environment").await;
    let mut text = String::new();
    launched.take_stdout().unwrap().read_to_string(&mut text).await.unwrap();
    let mut environment: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    // What a shell sets by itself.
    for own in ["PWD", "SHLVL", "_", "OLDPWD"] {
        environment.remove(own);
    }
    let names: Vec<&str> = environment.keys().copied().collect();
    let expected =
        ["DECLARED", "KERNELS", "LOCKSTEP_LANE", "LOCKSTEP_LAUNCH", "LOCKSTEP_RUN", "LOCKSTEP_SUPERVISOR", "PATH"];
    assert_eq!(names, expected);
    assert_eq!((environment["DECLARED"], environment["PATH"]), ("yes", "/usr/bin:/bin"));
    let run = std::path::absolute("runs/1/kernels").unwrap();
    assert_eq!(Path::new(environment["KERNELS"]), run, "the folder of the run, wherever the lane works");
    let exit = launched.wait().await.unwrap();
    assert_eq!((exit.status, exit.signal, exit.oom_killed), (Some(3), None, false));
    assert_eq!(launched.stop(LONG).await.unwrap(), exit, "stopping what has ended says how it ended");
}

#[tokio::test]
async fn closing_the_input_is_the_runners_end_of_file() {
    let mut launched = launch("cat", "half-close").await;
    let (mut stdin, mut stdout) = (launched.take_stdin().unwrap(), launched.take_stdout().unwrap());
    stdin.write_all(b"a line\n").await.unwrap();
    stdin.shutdown().await.unwrap();
    let mut text = String::new();
    stdout.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "a line\n");
    assert_eq!(launched.wait().await.unwrap().status, Some(0));
}

#[tokio::test]
async fn stop_ends_a_lane_that_ignores_term_and_all_that_it_started() {
    // One child stays in the group; one grandchild leaves group, session and parent. A TERM that is ignored stays so.
    let script = "trap '' TERM
        sh -c 'echo $$; while :; do sleep 1; done' &
        setsid sh -c 'sh -c \"echo \\$\\$; while :; do sleep 1; done\" &' &
        while :; do sleep 1; done";
    let mut launched = launch(script, "grandchildren").await;
    let leader = launched.pid().unwrap();
    let found = read_lines(&mut launched, 2).await;
    let pgrp = |pid: &String| procfs::stat(pid.parse().unwrap()).unwrap().pgrp;
    assert_eq!(found.iter().filter(|pid| pgrp(pid) == leader).count(), 1, "the other one left the group");
    let exit = launched.stop(Duration::from_millis(100)).await.unwrap();
    assert_eq!((exit.status, exit.signal), (None, Some(9)));
    assert!(!exit.oom_killed, "our own KILL is no lack of memory");
    for process in found.iter().chain([&leader.to_string()]) {
        assert!(!runs(process), "process {process} survived");
    }
}

#[tokio::test]
async fn stop_gives_a_lane_the_grace_to_end_in_good_order() {
    let mut launched = launch("trap 'exit 5' TERM; echo ready; while :; do sleep 0.02; done", "grace").await;
    assert_eq!(read_lines(&mut launched, 1).await, ["ready"]);
    let exit = launched.stop(LONG).await.unwrap();
    assert_eq!((exit.status, exit.signal), (Some(5), None));
}

#[tokio::test]
async fn dropping_a_lane_kills_it() {
    let mut launched = launch("trap '' TERM; sleep 600 & echo $!; wait", "drop").await;
    let pid = launched.pid().unwrap().to_string();
    let child = read_lines(&mut launched, 1).await.remove(0);
    assert!(runs(&pid) && runs(&child));
    drop(launched);
    assert!(!runs(&pid) && !runs(&child));
}

#[tokio::test]
async fn the_end_of_standard_error_is_kept_however_much_is_written() {
    let mut launched =
        launch("yes 'a line of standard error' | head -n 100000 >&2; echo last >&2; exit 1", "tail").await;
    assert_eq!(launched.wait().await.unwrap().status, Some(1));
    let tail = launched.stderr_tail();
    assert!(tail.len() <= 8 * 1024 && tail.lines().count() == 40, "{} bytes", tail.len());
    assert!(tail.ends_with("a line of standard error\nlast"), "{tail}");
}

#[tokio::test]
async fn words_that_their_file_does_not_take_are_counted() {
    let lane = shell("echo a line of standard error >&2; exit 1");
    let request = LaunchRequest { stderr_file: Some(Path::new("/dev/full")), ..request(&lane, "full") };
    let mut launched = start(&request, None).await.unwrap();
    assert_eq!(launched.wait().await.unwrap().status, Some(1));
    assert_eq!((launched.stderr_unwritten(), launched.stderr_tail().as_str()), (25, "a line of standard error"));
}

#[tokio::test]
async fn a_signal_that_ends_the_lane_is_named() {
    let mut launched = launch("kill -SEGV $$", "signal").await;
    let exit = launched.wait().await.unwrap();
    assert_eq!((exit.status, exit.signal, exit.oom_killed), (None, Some(11), false));
}

#[tokio::test]
async fn what_is_seen_from_outside_names_executable_libraries_and_environment() {
    let mut launched = launch("echo ready; exec cat", "observe").await;
    assert_eq!(read_lines(&mut launched, 1).await, ["ready"]);
    let cat = Path::new("/bin/cat").canonicalize().unwrap();
    // The shell becomes `cat` a moment after it said so.
    let seen = loop {
        let seen: BTreeMap<String, SignalValue> =
            launched.observe().await.unwrap().into_iter().map(|signal| (signal.name, signal.value)).collect();
        // And its loader maps the C library a moment after that.
        let mapped = matches!(seen.get("process.maps"), Some(SignalValue::List(maps)) if maps.iter().any(|path| path.contains("libc")));
        if mapped && seen.get("process.exe") == Some(&SignalValue::from(cat.to_string_lossy().into_owned())) {
            break seen;
        }
    };
    let digest = Digest::of_file(&cat).unwrap().to_string();
    assert_eq!(seen["process.exe_sha256"], digest.clone().into());
    assert_eq!(seen["process.cmdline"], SignalValue::List(vec!["cat".into()]));
    assert_eq!(seen["process.environ.DECLARED"], "yes".into());
    assert!(!seen.contains_key("process.environ.PATH"), "only what the lane declares, and what tells");
    assert_eq!(seen["process.uid"], i64::from(rustix::process::geteuid().as_raw()).into());
    let SignalValue::List(maps) = &seen["process.maps"] else { panic!("no list") };
    assert!(maps.contains(&cat.to_string_lossy().into_owned()) && maps.iter().any(|path| path.contains("libc")));
    let SignalValue::List(digests) = &seen["process.maps_sha256"] else { panic!("no list") };
    assert!(digests.contains(&format!("{} {digest}", cat.display())), "{digests:?}");
    launched.stop(LONG).await.unwrap();
    assert!(launched.observe().await.unwrap().is_empty(), "nothing is seen of what is gone");
}

#[tokio::test]
async fn processor_time_counts_children_survives_them_and_is_unknown_after_the_end() {
    let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    let mut launched = launch(&format!("sh -c '{work}' ; echo done; read line"), "cpu").await;
    assert!(launched.cpu_ns().await.is_some());
    assert_eq!(read_lines(&mut launched, 1).await, ["done"]);
    let used = launched.cpu_ns().await.unwrap();
    assert!(used >= 10_000_000, "the child's work was counted: {used} ns");
    assert!(launched.cpu_ns().await.unwrap() >= used, "the count never falls");
    launched.stop(LONG).await.unwrap();
    assert_eq!(launched.cpu_ns().await, None, "what it did after the last look is not known");
}

#[tokio::test]
async fn what_cannot_start_is_a_typed_error() {
    let lane = |tables: &str| {
        let text =
            format!("schema = 1\nname = \"bad\"\nlauncher = \"process\"\nrunner = \"test\"\n[process]\n{tables}");
        Lane::parse("lanes/bad.toml", &text).unwrap()
    };
    let absent = lane("program = \"no-such-interpreter\"");
    assert!(matches!(start(&request(&absent, "r"), None).await, Err(Error::Absent { .. })));
    let own = lane("program = \"self\"");
    let error = start(&request(&own, "r"), None).await.unwrap_err();
    assert!(matches!(&error, Error::Spawn { program, .. } if program == Path::new("/nowhere/lockstep")), "{error}");
    let files = lane("program = \"sh\"\narguments = [\"{files}/x\"]\nfiles = \"runner\"");
    assert!(matches!(start(&request(&files, "r"), None).await, Err(Error::Request { .. })));
}

#[tokio::test]
async fn the_files_folder_is_put_into_the_arguments() {
    let text = "schema = 1\nname = \"files\"\nlauncher = \"process\"\nrunner = \"test\"\n[process]\n\
                program = \"echo\"\narguments = [\"-n\", \"{files}/main.py\", \"{own_files}/mine.py\"]\n\
                files = \"runner\"\nown_files = \"mine\"";
    let lane = Lane::parse("lanes/files.toml", text).unwrap();
    let with_files = LaunchRequest { files_dir: Some(Path::new("/srv/files")), ..request(&lane, "files") };
    let mut launched = start(&with_files, None).await.unwrap();
    let mut text = String::new();
    launched.take_stdout().unwrap().read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "/srv/files/runner/main.py /srv/files/mine/mine.py");
    assert_eq!(launched.model_dir_inside(), Path::new("/nowhere/model"));
}
