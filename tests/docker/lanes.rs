//! A lane in a container: confinement, streams, the end.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::query_parameters::{InspectContainerOptions, RemoveContainerOptionsBuilder};
use lockstep::launch::{Error, LaneInput, LaneOutput, Launched};
use lockstep::terms::{Digest, SignalValue};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::images::labelled;
use crate::{Bench, Test, ask_engine, block_on};

const LIMITS: &str = "[environment]\nDECLARED = \"yes\"\nRAYON_NUM_THREADS = \"1\"\n\
                      [limits]\ncpus = 0.5\nmemory_mib = 64\npids = 24\nscratch_mib = 8\ngrace_s = 1";
pub const GRACE: Duration = Duration::from_secs(20);

pub const TESTS: &[Test] = &[
    ("limits_are_in_the_engines_answer_and_in_force_in_the_control_group", limits),
    ("root_is_read_only_and_scratch_is_small_writable_and_not_executable", file_systems),
    ("there_is_no_network_but_loopback", no_network),
    ("the_runner_is_nobody_without_capabilities_or_new_privileges", nobody),
    ("the_environment_is_the_declared_one", environment),
    ("the_executable_is_seen_from_outside_through_the_containers_init", executable),
    ("more_processes_than_the_limit_cannot_be_started", pids),
    ("closing_the_input_is_the_runners_end_of_file", half_close),
    ("dropping_the_input_is_the_runners_end_of_file", dropped_input),
    ("lines_of_4_mib_pass_both_ways", long_lines),
    ("standard_error_is_kept_apart_and_its_end_is_kept", standard_error),
    ("a_runner_that_ignores_term_is_killed_and_its_container_removed", stubborn),
    ("a_runner_that_dies_of_memory_is_reported_so", out_of_memory),
    ("processor_time_is_read_while_it_runs_and_unknown_after_its_end", processor_time),
    ("a_lane_that_is_dropped_leaves_no_container", dropped),
    ("a_container_that_somebody_else_removed_is_gone_all_the_same", removed_by_others),
];

/// A lane and its streams.
pub struct Talk {
    pub launched: Launched,
    /// The engine's id of its container.
    pub id: String,
    pub stdin: LaneInput,
    pub stdout: BufReader<LaneOutput>,
}

impl Talk {
    pub async fn start(bench: &Bench, run: &str) -> Result<Self, String> {
        let mut launched = bench.launch(run, LIMITS).await.map_err(|error| error.to_string())?;
        let stdin = launched.take_stdin().ok_or("no stdin")?;
        let stdout = BufReader::new(launched.take_stdout().ok_or("no stdout")?);
        let id = labelled(run).await?.pop().ok_or("no container")?;
        Ok(Self { launched, id, stdin, stdout })
    }

    pub async fn ask(&mut self, command: &str) -> Result<String, String> {
        self.stdin.write_all(format!("{command}\n").as_bytes()).await.map_err(|error| error.to_string())?;
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).await.map_err(|error| error.to_string())?;
        match answer.strip_suffix('\n') {
            Some(line) => Ok(line.to_owned()),
            None => Err(format!("the runner ended at {command:?}; stderr: {}", self.launched.stderr_tail())),
        }
    }

    pub async fn signals(&self) -> Result<BTreeMap<String, SignalValue>, String> {
        let signals = self.launched.observe().await.map_err(|error| error.to_string())?;
        Ok(signals.into_iter().map(|signal| (signal.name, signal.value)).collect())
    }

    /// Stops the lane and checks with the engine that the container is gone.
    pub async fn stop(mut self) -> Result<lockstep::launch::Exit, String> {
        let exit = self.launched.stop(GRACE).await.map_err(|error| error.to_string())?;
        expect("the container", exists(&self.id).await, false)?;
        Ok(exit)
    }
}

/// Whether the kernel lets this user see what another user's process executes, maps and was started with. Without
/// that the signals are left out, and nothing else changes.
fn may_look_inside() -> bool {
    rustix::process::geteuid().is_root()
}

async fn exists(id: &str) -> bool {
    ask_engine().inspect_container(id, None::<InspectContainerOptions>).await.is_ok()
}

pub fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}

fn limits(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "limits").await?;
        talk.ask("echo ready").await?;
        let seen = talk.signals().await?;
        let list = |items: &[&str]| SignalValue::List(items.iter().map(|item| (*item).to_owned()).collect());
        for (name, expected) in [
            ("container.memory_bytes", (64_i64 << 20).into()),
            ("container.memory_swap_bytes", (64_i64 << 20).into()),
            ("container.pids_limit", 24_i64.into()),
            ("container.cpus", SignalValue::Float(0.5)),
            ("container.init", true.into()),
            ("container.readonly_rootfs", true.into()),
            ("container.network", "none".into()),
            ("container.ipc", "none".into()),
            ("container.user", "65534:65534".into()),
            ("container.cap_drop", list(&["ALL"])),
            ("container.cap_add", list(&[])),
            ("container.privileged", false.into()),
            ("container.no_new_privileges", true.into()),
            ("cgroup.memory_limit_bytes", (64_i64 << 20).into()),
            ("cgroup.cpus", SignalValue::Float(0.5)),
            ("cgroup.pids_limit", 24_i64.into()),
        ] {
            expect(name, seen.get(name), Some(&expected))?;
        }
        talk.stop().await.map(drop)
    })
}

fn file_systems(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "file-systems").await?;
        for path in ["/new", "/etc/passwd", "/model/weights"] {
            let answer = talk.ask(&format!("write {path}")).await?;
            expect(path, answer.contains("Read-only file system"), true)?;
        }
        expect("the model", talk.ask("read /model/weights").await?, "the model's weights".to_owned())?;
        expect("scratch", talk.ask("write /scratch/new").await?, "written".to_owned())?;
        let answer = talk.ask("execute /scratch/script").await?;
        expect("a program in scratch", answer, "error: Permission denied (os error 13)".to_owned())?;
        let mounts = talk.ask("read /proc/self/mounts").await?;
        let mut places: Vec<String> =
            mounts.split('|').filter_map(|line| line.split(' ').nth(1).map(str::to_owned)).collect();
        places.extend(["/dev/shm", "/tmp", "/var/tmp", "/run"].map(str::to_owned));
        places.sort();
        places.dedup();
        let mut writable = Vec::new();
        for place in places {
            let answer = talk.ask(&format!("write {}/probe", place.trim_end_matches('/'))).await?;
            if answer == "written" {
                writable.push(place);
            }
        }
        expect("places that can be written to", writable, vec!["/scratch".to_owned()])?;
        let scratch = mounts.split('|').find(|line| line.contains(" /scratch ")).ok_or("scratch is no mount")?;
        for option in ["rw", "nosuid", "nodev", "noexec", "size=8192k"] {
            expect(option, scratch.split([' ', ',']).any(|found| found == option), true)?;
        }
        let seen = talk.signals().await?;
        let Some(SignalValue::List(mounts)) = seen.get("container.mounts") else { return Err("no mounts".into()) };
        expect(
            "mounts",
            mounts.iter().map(|line| line.split(' ').next().unwrap_or("")).collect(),
            vec!["/model", "/scratch"],
        )?;
        expect("the model's mount", mounts.first().map(String::as_str), Some("/model ro bind"))?;
        talk.stop().await.map(drop)
    })
}

fn no_network(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "no-network").await?;
        expect("interfaces", talk.ask("list /sys/class/net").await?, "lo".to_owned())?;
        let answer = talk.ask("connect 192.0.2.1:80").await?;
        expect("a connection", answer.contains("unreachable"), true)?;
        talk.stop().await.map(drop)
    })
}

fn nobody(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "nobody").await?;
        let status = talk.ask("read /proc/self/status").await?;
        let field = |name: &str| {
            let line = status.split('|').find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.map(|value| value.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
        };
        let all = |value: &str, times: usize| Some(vec![value.to_owned(); times]);
        expect("user ids", field("Uid"), all("65534", 4))?;
        expect("group ids", field("Gid"), all("65534", 4))?;
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            expect(set, field(set), all("0000000000000000", 1))?;
        }
        expect("no new privileges", field("NoNewPrivs"), all("1", 1))?;
        let seen = talk.signals().await?;
        expect("uid from outside", seen.get("process.uid"), Some(&65_534_i64.into()))?;
        expect("capabilities from outside", seen.get("process.capabilities"), Some(&"0000000000000000".into()))?;
        expect("privileges from outside", seen.get("process.no_new_privileges"), Some(&true.into()))?;
        talk.stop().await.map(drop)
    })
}

fn environment(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "environment").await?;
        let answer = talk.ask("environment").await?;
        let mut names: Vec<&str> = answer.split(' ').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
        // What an engine sets by itself.
        names.retain(|name| !["HOME", "HOSTNAME", "PATH"].contains(name));
        expect("names", names, vec!["DECLARED", "RAYON_NUM_THREADS"])?;
        let seen = talk.signals().await?;
        let permitted = may_look_inside();
        expect("declared", seen.get("process.environ.DECLARED"), permitted.then_some(&"yes".into()))?;
        expect("threads", seen.get("process.environ.RAYON_NUM_THREADS"), permitted.then_some(&"1".into()))?;
        expect("preloads", seen.get("process.environ.LD_PRELOAD"), None)?;
        talk.stop().await.map(drop)
    })
}

fn executable(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "executable").await?;
        talk.ask("echo ready").await?;
        let pid = talk.launched.pid().ok_or("the runner's process is not seen")?;
        let seen = talk.signals().await?;
        let digest = Digest::of_file(&bench.executable).map_err(|error| error.to_string())?;
        let permitted = may_look_inside();
        expect("path", seen.get("process.exe"), permitted.then_some(&"/lockstep".into()))?;
        expect("digest", seen.get("process.exe_sha256"), permitted.then_some(&digest.to_string().into()))?;
        match seen.get("process.maps_sha256") {
            Some(SignalValue::List(maps)) => {
                expect("its own mapping", maps.contains(&format!("/lockstep {digest}")), true)?;
                expect("unreadable mappings", maps.iter().any(|line| line.ends_with("unreadable")), false)?;
            }
            other => expect("mappings", (other, permitted), (None, false))?,
        }
        let Some(SignalValue::Text(group)) = seen.get("cgroup.path") else { return Err("no control group".into()) };
        expect("its group", group.contains(&talk.id), true)?;
        talk.stop().await?;
        expect("the process after the stop", std::path::Path::new(&format!("/proc/{pid}")).exists(), false)
    })
}

fn pids(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "pids").await?;
        let answer = talk.ask("children 40").await?;
        let count: u32 = answer.split(' ').next().and_then(|count| count.parse().ok()).ok_or(answer)?;
        expect("fewer children than the limit", (1..24).contains(&count), true)?;
        talk.stop().await.map(drop)
    })
}

fn half_close(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "half-close").await?;
        talk.stdin.write_all(b"echo one\necho two\n").await.map_err(|error| error.to_string())?;
        talk.stdin.shutdown().await.map_err(|error| error.to_string())?;
        let mut rest = String::new();
        talk.stdout.read_to_string(&mut rest).await.map_err(|error| error.to_string())?;
        expect("output after the input was closed", rest.as_str(), "one\ntwo\n")?;
        let exit = talk.launched.wait().await.map_err(|error| error.to_string())?;
        expect("status", (exit.status, exit.signal, exit.oom_killed), (Some(7), None, false))?;
        expect("standard error", talk.launched.stderr_tail().as_str(), "end of input")?;
        expect("stopping what has ended", talk.stop().await?, exit)
    })
}

fn dropped_input(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "dropped-input").await?;
        talk.ask("echo ready").await?;
        let Talk { mut launched, stdin, stdout: _stdout, id: _ } = talk;
        drop(stdin);
        let exit = launched.wait().await.map_err(|error| error.to_string())?;
        expect("status", exit.status, Some(7))?;
        launched.stop(GRACE).await.map(drop).map_err(|error| error.to_string())
    })
}

fn long_lines(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "long-lines").await?;
        let line: String = (0..4 << 20).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
        for _ in 0..2 {
            let Talk { stdin, stdout, .. } = &mut talk;
            let mut answer = String::new();
            let question = format!("echo {line}\n");
            // Both at once: no pipe on the way holds 4 MiB.
            let (sent, read) = tokio::join!(stdin.write_all(question.as_bytes()), stdout.read_line(&mut answer));
            sent.and(read).map_err(|error| error.to_string())?;
            expect("length", answer.len(), line.len() + 1)?;
            expect("content", answer.trim_end() == line, true)?;
        }
        talk.stop().await.map(drop)
    })
}

fn standard_error(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "standard-error").await?;
        expect("standard output", talk.ask("complain").await?, "complained".to_owned())?;
        talk.stdin.write_all(b"exit 3\n").await.map_err(|error| error.to_string())?;
        let exit = talk.launched.wait().await.map_err(|error| error.to_string())?;
        expect("status", (exit.status, exit.signal), (Some(3), None))?;
        let tail = talk.launched.stderr_tail();
        expect("lines", tail.lines().count(), 40)?;
        expect("the last line", tail.lines().last(), Some("complaint 999"))?;
        talk.stop().await.map(drop)
    })
}

fn stubborn(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "stubborn").await?;
        talk.ask("ignore-term").await?;
        talk.ask("children 2").await?;
        let pid = talk.launched.pid().ok_or("the runner's process is not seen")?;
        let id = talk.id.clone();
        // Standard input stays open, so that only the signals can end it.
        let exit = talk.launched.stop(Duration::from_millis(300)).await.map_err(|error| error.to_string())?;
        expect("exit", (exit.status, exit.signal, exit.oom_killed), (Some(137), Some(9), false))?;
        expect("the container", exists(&id).await, false)?;
        expect("its process", std::path::Path::new(&format!("/proc/{pid}")).exists(), false)
    })
}

fn out_of_memory(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "out-of-memory").await?;
        expect("a little", talk.ask("eat 4").await?, "ate 4".to_owned())?;
        talk.stdin.write_all(b"eat 512\n").await.map_err(|error| error.to_string())?;
        let exit = talk.launched.wait().await.map_err(|error| error.to_string())?;
        expect("exit", (exit.status, exit.signal, exit.oom_killed), (Some(137), Some(9), true))?;
        talk.stop().await.map(drop)
    })
}

fn processor_time(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "processor-time").await?;
        talk.ask("echo ready").await?;
        let before = talk.launched.cpu_ns().await.ok_or("no processor time")?;
        // Half a processor: 300 ms of wall time are at most about 150 ms of work.
        expect("answer", talk.ask("work 300").await?, "worked true".to_owned())?;
        let used = talk.launched.cpu_ns().await.ok_or("no processor time")? - before;
        expect("the work was counted", (20_000_000..400_000_000).contains(&used), true)
            .map_err(|error| format!("{error} ({used} ns)"))?;
        talk.launched.stop(GRACE).await.map_err(|error| error.to_string())?;
        expect("the count after the end", talk.launched.cpu_ns().await, None)
    })
}

fn dropped(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "dropped").await?;
        talk.ask("ignore-term").await?;
        let id = talk.id.clone();
        expect("the container before", exists(&id).await, true)?;
        drop(talk);
        expect("the container after", exists(&id).await, false)
    })
}

fn removed_by_others(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let mut talk = Talk::start(bench, "removed-by-others").await?;
        talk.ask("echo ready").await?;
        let id = talk.id.clone();
        let options = RemoveContainerOptionsBuilder::default().force(true).build();
        ask_engine().remove_container(&id, Some(options)).await.map_err(|error| error.to_string())?;
        match talk.launched.stop(GRACE).await {
            Err(Error::EndUnseen { .. }) => Ok(()),
            other => Err(format!("an end that nobody saw was reported as {other:?}")),
        }
    })
}
