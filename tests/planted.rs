//! The judge, tested by faults planted in good journals, and in files that are imported to one. After each the journal is
//! chained and sealed again with the right counts, so that neither chain nor seal catches it. What catches it is one of:
//!
//! | caught by | what that is |
//! |---|---|
//! | `importer`, `reader` | the file, or the journal, is refused before anything is judged |
//! | `judge` | the journal is refused, with the line and what contradicts it |
//! | `changed` | another conclusion, finding or label |
//! | `told` | no other finding: the verdict tells of it in the field that the list names |
//!
//! Faults that are only told are marked as such where they are planted, so that none of them passes for one that the judge
//! caught. The list is printed at the end.

#[path = "planted/bases.rs"]
mod bases;
#[path = "planted/caught.rs"]
mod caught;
#[path = "planted/draft.rs"]
mod draft;
#[path = "planted/headers.rs"]
mod headers;
#[path = "planted/imported.rs"]
mod imported;
#[path = "planted/launches.rs"]
mod launches;
#[path = "planted/mutation.rs"]
mod mutation;
#[path = "planted/raw.rs"]
mod raw;
#[path = "planted/reports.rs"]
mod reports;
#[path = "planted/rows.rs"]
mod rows;
#[path = "planted/tables.rs"]
mod tables;
#[path = "planted/times.rs"]
mod times;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};
use lockstep::journal::read;
use lockstep::verdict::{Conclusion, judge};
use serde_json::json;

use bases::{CRASHED, DISOWNED, GOOD, RESUMED, UNLOCKED};
use caught::Caught;
use draft::{Draft, ok_in};
use mutation::{Mutation, in_files, of};
use reports::{RAW, TR117, TR126, TR147, TR165, TRENI, table};

/// Every fault that was planted, and what caught it.
type List = Arc<Mutex<Vec<(usize, &'static str, Caught)>>>;

/// Faults, at the least, that the judge itself has to refuse or to find something else for.
const BY_THE_JUDGE: usize = 40;

fn main() -> ExitCode {
    let list = List::default();
    let mut trials = vec![
        Trial::test("a_journal_chained_again_gives_the_same_bytes_and_verdict", chained_again),
        Trial::test("every_base_is_sealed_and_judged", bases_are_good),
        Trial::test("files_written_again_give_the_same_verdict", files_written_again),
        Trial::test("a_fault_that_changes_nothing_is_reported_as_not_caught", harmless),
        Trial::test("a_fault_that_is_only_told_passes_for_none_that_was_caught", only_told),
        Trial::test("names_of_faults_are_distinct", distinct_names),
    ];
    let faults: Vec<Mutation> = measured().into_iter().chain(imported()).collect();
    let planted = faults.len();
    for (place, mutation) in faults.into_iter().enumerate() {
        trials.push(trial(place, mutation, &list));
    }
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Where tests are only listed, a program reads the output.
    if arguments.list {
        return conclusion.exit_code();
    }
    let enough = print_list(&list, planted);
    if enough { conclusion.exit_code() } else { ExitCode::FAILURE }
}

fn measured() -> Vec<Mutation> {
    let groups = [
        times::clocks(),
        times::units(),
        times::spread(),
        times::outputs(),
        times::other_outputs(),
        rows::presence(),
        rows::places(),
        rows::outcomes(),
        rows::breakdowns(),
        rows::paths(),
        launches::presence(),
        launches::order(),
        launches::proof(),
        launches::busy(),
        headers::whole(),
        headers::facts(),
        headers::lanes(),
        headers::states(),
    ];
    groups.into_iter().flatten().collect()
}

fn imported() -> Vec<Mutation> {
    let groups = [
        tables::form(),
        tables::presence(),
        tables::values(),
        tables::units(),
        tables::labels(),
        raw::form(),
        raw::times(),
        raw::outcomes(),
        imported::tables(),
        imported::headers(),
        imported::rows(),
    ];
    groups.into_iter().flatten().collect()
}

fn trial(place: usize, mutation: Mutation, list: &List) -> Trial {
    let list = Arc::clone(list);
    Trial::test(format!("caught: {}", mutation.name), move || {
        let caught = mutation.caught();
        list.lock().map_err(|error| error.to_string())?.push((place, mutation.name, caught.clone()));
        mutation.unlike(&caught).map_or(Ok(()), |what| Err(Failed::from(what)))
    })
}

/// Prints what caught each fault. Whether that was the judge often enough; where not all were planted, nobody can say.
fn print_list(list: &List, planted: usize) -> bool {
    let Ok(mut list) = list.lock() else { return false };
    list.sort_by_key(|(place, ..)| *place);
    let width = list.iter().map(|(_, name, _)| name.chars().count()).max().unwrap_or(0);
    println!("{:width$}  caught by  how", "planted fault");
    for (_, name, caught) in list.iter() {
        let (who, how) = caught.told();
        println!("{name:width$}  {who:9}  {how}");
    }
    let by = |who: &str| list.iter().filter(|(.., caught)| caught.told().0 == who).count();
    let judged = by("judge") + by("changed");
    println!(
        "\n{} faults: {judged} by the judge ({} refused, {} with another conclusion, finding or label), {} refused by the \
         importer, {} refused by the journal's reader, {} only told, {} not caught\n",
        list.len(),
        by("judge"),
        by("changed"),
        by("importer"),
        by("reader"),
        by("told"),
        by("NOTHING")
    );
    if list.len() == planted && judged < BY_THE_JUDGE {
        println!("the judge has to catch {BY_THE_JUDGE} of them itself");
        return false;
    }
    true
}

/// The control: what the tests do to a journal beside planting a fault changes nothing.
fn chained_again() -> Result<(), Failed> {
    let archive = bases::archive();
    let bytes = lockstep::journal::decompress(&archive, lockstep::journal::MAX_JOURNAL_BYTES)?;
    let draft = Draft::unpacked(&archive);
    assert!(draft.sealed() == bytes, "a journal that was chained and sealed again is another one");
    let plan = bases::whole_plan();
    let [once, again] = [&bytes, &draft.sealed()].map(|bytes| judge(&plan, &read(bytes).expect("a journal")));
    assert_eq!(serde_json::to_string(&once?)?, serde_json::to_string(&again?)?);
    Ok(())
}

fn bases_are_good() -> Result<(), Failed> {
    for base in [&GOOD, &UNLOCKED, &CRASHED, &RESUMED, &DISOWNED] {
        assert!(base.verdict.journal.sealed);
        assert_eq!(Caught::by(&base.plan, &base.verdict, &base.draft.sealed()), Caught::Nothing);
    }
    assert_eq!(GOOD.verdict.conclusion, Conclusion::AsExpected, "{:?}", GOOD.verdict.reasons);
    Ok(())
}

/// The control for faults in files: a table that is written again as it was says the same.
fn files_written_again() -> Result<(), Failed> {
    for report in [&TR117, &TR126, &TR147, &TR165, &TRENI] {
        let mut files = report.files.clone();
        for file in &mut files {
            let document: serde_json::Value = serde_json::from_slice(&file.bytes)?;
            file.bytes = document.to_string().into_bytes();
        }
        assert!(files != report.files);
        assert_eq!(report.caught_in_files(&files), Caught::Nothing, "{}", report.design.name);
    }
    for report in [&TR117, &TR126, &TR147, &TR165, &TRENI, &RAW] {
        assert_eq!(report.caught_in_files(&report.files), Caught::Nothing, "{}", report.design.name);
        assert_eq!(report.caught_in_journal(&report.draft().sealed()), Caught::Nothing, "{}", report.design.name);
    }
    assert_eq!(RAW.verdict.conclusion, Conclusion::AsExpected, "{:?}", RAW.verdict.reasons);
    Ok(())
}

/// The counter-check: the test of a fault can fail.
fn harmless() -> Result<(), Failed> {
    let faults = [
        of("a lane's source is spelled otherwise", &GOOD, |d| {
            d.declaration("native", |lane| lane["source"] = json!("lanes/native.toml"));
        }),
        of("a single time moves by a microsecond", &GOOD, |d| {
            d.change_first("row", ok_in(&["native"]), |row| {
                row["wall_ns"] = json!(row["wall_ns"].as_u64().unwrap_or(0) - 1_000);
            });
        }),
        in_files("a table's title is another one", &TR165, |files| {
            table(files, "tr165_hang_ledger", |document| document["title"] = json!("Another title"));
        }),
    ];
    for fault in faults {
        let caught = fault.caught();
        assert_eq!(caught, Caught::Nothing, "{}", fault.name);
        assert!(fault.unlike(&caught).is_some() && fault.told_in("lanes/").unlike(&caught).is_some());
    }
    Ok(())
}

/// A field that changed is no finding, and the field has to be the one that is listed.
fn only_told() -> Result<(), Failed> {
    let plant = |d: &mut Draft| d.header(|header| header["host"]["cpu"]["model_name"] = json!("another processor"));
    let fault = || of("another processor", &GOOD, plant);
    let caught = fault().caught();
    assert_eq!(caught, Caught::Told(vec!["journal/segments/0/host".to_owned()]));
    assert!(fault().unlike(&caught).is_some(), "it passes for one that was caught");
    assert!(fault().told_in("lanes/native/state").unlike(&caught).is_some(), "it is told in another field");
    assert_eq!(fault().told_in("journal/segments/0/host").unlike(&caught), None);
    let refused = Caught::Judge("no".to_owned());
    assert!(fault().told_in("journal/segments/0/host").unlike(&refused).is_some(), "it is more than told");
    Ok(())
}

fn distinct_names() -> Result<(), Failed> {
    let faults: Vec<Mutation> = measured().into_iter().chain(imported()).collect();
    let names: BTreeSet<&str> = faults.iter().map(|fault| fault.name).collect();
    assert_eq!(names.len(), faults.len());
    Ok(())
}
