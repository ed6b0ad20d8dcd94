//! A lane that tries to outlive its end. A binary of its own, since a process that escaped is known by being a child
//! that its supervisor did not start, and with other lanes about it could be anybody's.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use lockstep::launch::{LaunchRequest, start};
use lockstep::plan::Lane;
use tokio::io::{AsyncBufReadExt, BufReader};

/// Leaves session and group, forks twice, clears the environment, is deaf to TERM, and says who it is.
const ESCAPE: &str = "setsid env -i sh -c '(trap \"\" TERM HUP; exec sh -c \"echo \\$\\$; exec sleep 60\") &'; cat";

/// Parent and session of a process that has not ended.
fn look(pid: &str) -> Option<(u32, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    (!matches!(fields[0], "Z" | "X")).then(|| (fields[1].parse().unwrap(), fields[3].to_owned()))
}

#[tokio::test]
async fn what_forks_twice_and_clears_every_mark_still_ends_with_its_lane() {
    let script = serde_json::to_string(ESCAPE).unwrap();
    let lane = format!(
        "schema = 1\nname = \"escape\"\nlauncher = \"process\"\nrunner = \"test\"\n\
         [process]\nprogram = \"sh\"\narguments = [\"-c\", {script}]"
    );
    let lane = Lane::parse("lanes/escape.toml", &lane).unwrap();
    let request = LaunchRequest {
        lane: &lane,
        run: "escape",
        run_dir: Path::new("runs/escape"),
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
    };
    // This one belongs to the supervisor and to no lane.
    let mut sleep = std::process::Command::new("sleep");
    let mut bystander = sleep.arg("60").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut launched = start(&request, None).await.unwrap();
    let leader = launched.pid().unwrap();
    let mut output = BufReader::new(launched.take_stdout().unwrap()).lines();
    let escaped = output.next_line().await.unwrap().expect("the lane ended early");
    let marks = std::fs::read_to_string(format!("/proc/{escaped}/environ")).unwrap();
    assert!(!marks.contains("LOCKSTEP"), "{marks:?}");
    // Its parent ends a moment after it said so.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let (parent, session) = loop {
        let found = look(&escaped).expect("it escaped");
        if found.0 == std::process::id() || std::time::Instant::now() > deadline {
            break found;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(parent, std::process::id(), "it was given to the supervisor");
    assert_ne!(session, look(&leader.to_string()).unwrap().1, "it left the session");
    launched.stop(Duration::from_millis(200)).await.unwrap();
    assert_eq!(look(&escaped), None, "process {escaped} survived its lane");
    assert!(bystander.try_wait().unwrap().is_none(), "another child of the supervisor was ended");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}
