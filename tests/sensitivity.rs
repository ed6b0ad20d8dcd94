//! How far each verdict of a committed run depends on what might as well have been chosen otherwise.

mod committed;
mod gpu_runs;

use gpu_runs::{file, names, plan_and_journal};
use lockstep::verdict::{Choice, sensitivity};

#[test]
fn how_far_each_verdict_depends_on_trim_warm_up_seed_and_a_control_over_blocks_is_as_committed() {
    let titles = [
        "run",
        "hypothesis",
        "as registered",
        "means, not medians",
        "first repetition left out",
        "another seed",
        "eager work held within 5 % over the blocks",
        "the same without a block of launches",
    ];
    let mut text = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for name in names() {
        let (plan, journal) = plan_and_journal(&name);
        for entry in sensitivity(&plan, &journal).expect("verdicts") {
            let otherwise = Choice::ALL.map(|choice| {
                let none = if choice == Choice::EagerHeld { "no eager work" } else { "one repetition" };
                entry.otherwise[&choice].clone().unwrap_or_else(|| none.to_owned())
            });
            let kept = entry.told_without_a_block();
            let (hypothesis, registered) = (&entry.hypothesis, &entry.registered);
            text.push_str(&format!("| {name} | {hypothesis} | {registered} | {} | {kept} |\n", otherwise.join(" | ")));
        }
    }
    committed::follows(&file("sensitivity", "md"), &text);
}
