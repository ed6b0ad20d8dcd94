//! The judge, tested by faults planted in good journals. After each the journal is chained and sealed again with the right
//! counts, so that neither chain nor seal catches it: the reader or the judge has to refuse the journal, or the verdict has
//! to say something else. The list of faults and of what caught them is printed at the end.

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
#[path = "planted/rows.rs"]
mod rows;
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
use mutation::{Mutation, of};

/// Every fault that was planted, and what caught it.
type List = Arc<Mutex<Vec<(usize, &'static str, Caught)>>>;

fn main() -> ExitCode {
    let list = List::default();
    let mut trials = vec![
        Trial::test("a_journal_chained_again_gives_the_same_bytes_and_verdict", chained_again),
        Trial::test("every_base_is_sealed_and_judged", bases_are_good),
        Trial::test("a_fault_that_changes_nothing_is_reported_as_not_caught", harmless),
        Trial::test("names_of_faults_are_distinct", distinct_names),
    ];
    for (place, mutation) in measured().into_iter().enumerate() {
        trials.push(trial(place, mutation.name, &list, move || mutation.caught()));
    }
    for (place, mutation) in others().into_iter().enumerate() {
        trials.push(trial(10_000 + place, mutation.name, &list, move || mutation.caught()));
    }
    let arguments = Arguments::from_args();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Where tests are only listed, a program reads the output.
    if !arguments.list {
        print_list(&list);
    }
    conclusion.exit_code()
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

fn others() -> Vec<imported::Mutation> {
    [imported::tables(), imported::segments()].into_iter().flatten().collect()
}

fn trial(place: usize, name: &'static str, list: &List, caught: impl FnOnce() -> Caught + Send + 'static) -> Trial {
    let list = Arc::clone(list);
    Trial::test(format!("caught: {name}"), move || {
        let caught = caught();
        list.lock().map_err(|error| error.to_string())?.push((place, name, caught.clone()));
        if caught == Caught::Nothing {
            return Err(Failed::from("nothing caught it: reader and judge took it, and the verdict says the same"));
        }
        Ok(())
    })
}

fn print_list(list: &List) {
    let Ok(mut list) = list.lock() else { return };
    list.sort_by_key(|(place, ..)| *place);
    let width = list.iter().map(|(_, name, _)| name.chars().count()).max().unwrap_or(0);
    println!("{:width$}  caught by  how", "planted fault");
    for (_, name, caught) in list.iter() {
        let (who, how) = caught.told();
        println!("{name:width$}  {who:9}  {how}");
    }
    let by = |who: &str| list.iter().filter(|(.., caught)| caught.told().0 == who).count();
    println!(
        "\n{} faults: {} refused by the reader, {} refused by the judge, {} changed the verdict, {} not caught\n",
        list.len(),
        by("reader"),
        by("judge"),
        by("verdict"),
        by("NOTHING")
    );
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
    ];
    for fault in faults {
        assert_eq!(fault.caught(), Caught::Nothing, "{}", fault.name);
    }
    Ok(())
}

fn distinct_names() -> Result<(), Failed> {
    let names: Vec<&str> = measured().iter().map(|it| it.name).chain(others().iter().map(|it| it.name)).collect();
    let distinct: BTreeSet<&&str> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    assert!(names.len() >= 60, "{} faults are too few", names.len());
    Ok(())
}
