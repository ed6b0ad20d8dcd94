//! Good journals to plant faults in, all made of one that was measured.

use std::path::Path;
use std::sync::LazyLock;

use lockstep::journal::read;
use lockstep::plan::Plan;
use lockstep::verdict::{Verdict, judge};
use serde_json::{Value, json};

use crate::draft::{Draft, of_lane, of_launch};

/// Blocks that are kept of the measured journal.
const BLOCKS: u64 = 6;

/// A good journal, its plan and what it is judged to be.
pub struct Base {
    pub plan: Plan,
    pub draft: Draft,
    pub verdict: Verdict,
}

impl Base {
    fn of(plan: &Plan, draft: Draft) -> Self {
        let journal = read(&draft.sealed()).unwrap_or_else(|error| panic!("the base is no journal: {error}"));
        let verdict = judge(plan, &journal).unwrap_or_else(|error| panic!("the base is not judged: {error}"));
        Self { plan: plan.clone(), draft, verdict }
    }
}

/// A file of the repository.
pub fn committed(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{} is committed: {error}", path.display()))
}

/// The measured journal as it is committed, compressed.
pub fn archive() -> Vec<u8> {
    committed("snapshots/quickstart/intel-xeon-fam6-mod207-16c-nvidia-h200x1.journal.jsonl.xz")
}

/// The plan by which it was measured.
pub fn whole_plan() -> Plan {
    Plan::parse("quickstart.toml", &plan_text()).expect("the committed plan is one")
}

fn plan_text() -> String {
    String::from_utf8(committed("plans/quickstart.toml")).expect("a plan is text")
}

/// The measured journal cut to its first blocks, under a plan that asks for no more.
pub static GOOD: LazyLock<Base> = LazyLock::new(|| {
    let text = plan_text().replace("launches = 16", &format!("launches = {BLOCKS}"));
    let text = text.replace("[statistics]", "[statistics]\nbootstrap_resamples = 200");
    // Launches on that host differ by tens of percent, and these are few: the margin is one that they can decide.
    let text = text.replace("margin_pct = 3.0", "margin_pct = 50.0");
    let plan = Plan::parse("short.toml", &text).expect("the shorter plan is one");
    let mut draft = Draft::unpacked(&archive());
    let beyond = |value: &Value| value["block"].as_u64().is_some_and(|block| block >= BLOCKS);
    let launches: Vec<Value> =
        draft.all("launch_start", beyond).into_iter().map(|index| draft.value(index)["launch"].clone()).collect();
    let gone = |value: &Value| launches.contains(&value["launch"]);
    for kind in ["launch_start", "row", "preflight", "launch_end"] {
        draft.remove(kind, |value| gone(value));
    }
    let digest = plan.digest().to_string();
    let old = whole_plan().digest().to_string();
    for line in &mut draft.lines {
        *line = line.replace(&old, &digest);
    }
    Base::of(&plan, draft)
});

/// The lane `native` runs without a lock, and its rows say so.
pub static UNLOCKED: LazyLock<Base> = LazyLock::new(|| {
    let mut draft = GOOD.draft.clone();
    draft.declaration("native", |lane| drop(lane.as_object_mut().expect("an object").remove("lock")));
    draft.change("row", of_lane("native"), |row| row["unlocked"] = json!(true));
    Base::of(&GOOD.plan, draft)
});

/// In the first launch of `native` the last repetition crashed; it was tried again after the seal.
pub static CRASHED: LazyLock<Base> = LazyLock::new(|| {
    let mut draft = GOOD.draft.clone();
    let launch = draft.launches("native")[0];
    let again = draft.launches("native").len() + draft.all("launch_start", |value| value["lane"] != "native").len();
    let (start, end) = draft.span(launch);
    let mut second: Vec<Value> = (start..=end).map(|index| draft.value(index)).collect();
    let exit = draft.first("preflight", |value| value["launch"] == launch && value["stage"] == "at_exit");
    draft.lines.remove(exit);
    let last = *draft.all("row", of_launch(launch)).last().expect("the launch has rows");
    let mut crashed = draft.value(last);
    for key in ["wall_ns", "outside_ns", "tokens", "output_sha256", "stop", "evidence"] {
        crashed.as_object_mut().expect("an object").remove(key);
    }
    crashed["outcome"] = json!("crashed");
    crashed["failure"] = json!({"class": "died", "message": "the runner ended before it answered", "signal": 11});
    draft.set(last, &crashed);
    let rows = second.iter().filter(|value| value["type"] == "row").count();
    let mut seen = 0;
    second.retain(|value| {
        seen += usize::from(value["type"] == "row");
        value["type"] != "row" || seen == rows
    });
    draft.insert(draft.lines.len(), &json!({"type": "reopen", "reason": "failed repetitions are run again"}));
    for mut record in second {
        record["launch"] = json!(again);
        if record["type"] == "row" {
            record["attempt"] = json!(1);
        }
        draft.insert(draft.lines.len(), &record);
    }
    draft.insert(draft.lines.len(), &json!({"type": "seal", "rows": 0, "records": 0}));
    Base::of(&GOOD.plan, draft)
});

/// The second half was measured after a boot, years later: whenever the committed journal began, this is after it.
pub static RESUMED: LazyLock<Base> = LazyLock::new(|| {
    let mut draft = GOOD.draft.clone();
    let mut header = draft.value(0);
    header["segment"] = json!(1);
    header["host"]["boot"] = json!("another-boot");
    header["started_at"] = json!("2040-01-01T00:00:00Z");
    let looks: Vec<String> = draft.lines[1..].iter().take_while(|line| line.contains("preflight")).cloned().collect();
    let at = draft.first("launch_start", |value| value["block"] == BLOCKS / 2);
    let second = [vec![header.to_string()], looks].concat();
    draft.lines.splice(at..at, second);
    Base::of(&GOOD.plan, draft)
});

/// The last launch of `native-again` left without its last look, so its rows do not count.
pub static DISOWNED: LazyLock<Base> = LazyLock::new(|| {
    let mut draft = GOOD.draft.clone();
    let launch = *draft.launches("native-again").last().expect("it was launched");
    let exit = draft.first("preflight", |value| value["launch"] == launch && value["stage"] == "at_exit");
    draft.lines.remove(exit);
    let failure = json!({"class": "inactive", "message": "no sign of life as it left"});
    draft.change("launch_end", of_launch(launch), |end| end["disowned"] = failure.clone());
    Base::of(&GOOD.plan, draft)
});
