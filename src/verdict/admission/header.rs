//! A header against the plan, against itself and against the header before it.

use super::super::Error;
use super::super::calibration::contradiction_in;
use crate::journal::{Header, LaneDeclaration, LaneState, Measured};
use crate::plan::Plan;
use crate::terms::{SignalValue, axis_contradictions};

/// Whether a run of `plan` can have written `header`, which stands in `line`, after `previous`.
pub(super) fn check(plan: &Plan, previous: Option<&Header>, header: &Header, line: usize) -> Result<(), Error> {
    let found = names(plan, header).or_else(|| host(header)).or_else(|| later(previous, header));
    let found = found.or_else(|| header.calibration.as_ref().and_then(contradiction_in));
    if let Some(what) = found {
        return Err(Error::Header { line, what });
    }
    match header.lanes.iter().find_map(|lane| Some((lane, declaration(plan, lane)?))) {
        Some((lane, what)) => Err(Error::DeclaredLane { line, lane: lane.lane.clone(), what }),
        None => Ok(()),
    }
}

fn names(plan: &Plan, header: &Header) -> Option<String> {
    if header.plan != plan.name {
        return Some(format!("names the plan {:?}, and its digest is that of {:?}", header.plan, plan.name));
    }
    let declared: Vec<&str> = header.lanes.iter().map(|lane| lane.lane.as_str()).collect();
    let planned: Vec<&str> = plan.lanes.iter().map(|lane| lane.name.as_str()).collect();
    let listed = |names: &[&str]| names.join(", ");
    (declared != planned)
        .then(|| format!("declares the lanes {}, the plan has {}", listed(&declared), listed(&planned)))
}

/// What the supervisor read of the host twice, once as a fact and once as a signal.
fn host(header: &Header) -> Option<String> {
    let Measured { host, .. } = header.measured()?;
    let facts = [
        ("host.cores", i64::from(host.cpu.cores).into()),
        ("host.kernel", host.kernel.as_str().into()),
        ("host.memory_bytes", i64::try_from(host.memory_bytes).unwrap_or(i64::MAX).into()),
    ];
    facts.into_iter().find_map(|(name, fact): (&str, SignalValue)| {
        let signal = header.signals.iter().find(|signal| signal.name == name && signal.value != fact)?;
        Some(format!("says {fact} of the host, and its signal {name} says {}", signal.value))
    })
}

fn later(previous: Option<&Header>, header: &Header) -> Option<String> {
    let (before, after) = (previous?.measured()?.host, header.measured()?.host);
    if previous?.is_continued_by(header) {
        return Some(
            "opens a segment although host, boot, devices, executable and lanes are those of the one before it"
                .to_owned(),
        );
    }
    let silicon = |host: &crate::terms::HostFacts| (host.kernel.clone(), host.cpu.clone());
    let same_boot = (before.machine, &before.boot) == (after.machine, &after.boot);
    (same_boot && silicon(before) != silicon(after))
        .then(|| "has the boot of the segment before it, with another kernel or processor".to_owned())
}

fn declaration(plan: &Plan, declared: &LaneDeclaration) -> Option<String> {
    let LaneDeclaration { lane, state, own_model, declared, observed, failure, .. } = declared;
    let planned = plan.lane(lane)?;
    match state {
        LaneState::Skipped | LaneState::Refused if failure.is_none() => {
            Some(format!("is {} and does not say why", state.name()))
        }
        LaneState::Skipped if !planned.optional && planned.max_model_mib.is_none() => {
            Some("is skipped, and the plan neither makes it optional nor leaves it out for large models".to_owned())
        }
        LaneState::Skipped | LaneState::Refused => None,
        LaneState::Ready => {
            let model = own_model.unwrap_or(plan.model.sha256).to_string();
            let other_model =
                [declared, observed].into_iter().filter_map(|axes| axes.get("model")).find(|it| **it != model);
            let contradicted = axis_contradictions(declared, observed).into_iter().next();
            contradicted
                .map(|found| format!("is ready, and its {} contradicts it: {}", found.name, found.message))
                .or_else(|| {
                    other_model.map(|other| {
                        format!(
                            "is ready with the model {other}, {} is {model}",
                            if own_model.is_some() { "its own" } else { "the plan's" }
                        )
                    })
                })
        }
    }
}
