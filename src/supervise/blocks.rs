//! The planned launches in order: what breaks down is tried again in a fresh process, until it is given up.

use std::collections::{BTreeMap, BTreeSet};

use super::agenda::{Due, DueLaunch};
use super::launch_run::{LaunchOutcome, launch_once};
use super::probe::Probed;
use super::segment::{Recorder, Track};
use super::stop::Stop;
use super::telemetry::Telemetry;
use super::{Ended, Error, Event, Inputs};
use crate::journal::{LaneState, Record, Row};
use crate::launch::Engine;
use crate::lock::verify_folder;
use crate::plan::Schedule;
use crate::terms::{Failure, FailureClass, Outcome};

/// Launches that may break down before their first repetition, until the lane is given up; how many may break down at a
/// cell is the plan's to say.
const MAX_BARREN: u32 = 3;

/// What all launches of a run share.
pub(super) struct Run<'a> {
    pub inputs: &'a Inputs,
    pub engine: Option<&'a Engine>,
    pub stop: &'a Stop,
    pub probed: &'a [Probed],
    pub cores: u32,
    pub telemetry: &'a Telemetry,
}

impl<'a> Run<'a> {
    fn track(&self, lane: &str) -> Option<Track<'a>> {
        let (input, probed) = self.inputs.lanes.iter().zip(self.probed).find(|(input, _)| input.lane.name == lane)?;
        Some(Track {
            inputs: self.inputs,
            input,
            cells: &self.inputs.cells,
            declared: probed.declaration.declared.clone(),
            observed: probed.declaration.observed.clone(),
            floor_ns_per_forward: self.inputs.plan.run.floor_ns_per_forward,
            max_positions: self.inputs.max_positions,
            cores: self.cores,
            telemetry: self.telemetry,
            engine: self.engine,
            stop: self.stop,
            image: probed.image.as_ref(),
            plan: self.inputs.plan.digest(),
            unlocked: probed.run_lock.is_none() && probed.declaration.state == LaneState::Ready,
        })
    }

    /// One row per cell for each lane that takes no part, unless the journal has it already.
    pub(super) fn note_absent_lanes(&self, recorder: &mut Recorder<'_>, rows: &[Row]) -> Result<(), Error> {
        for probed in self.probed {
            let outcome = match probed.declaration.state {
                LaneState::Ready => continue,
                LaneState::Skipped => Outcome::Skipped,
                LaneState::Refused => Outcome::Refused,
            };
            let lane = &probed.declaration.lane;
            let Some(track) = self.track(lane) else { continue };
            for (cell, stage) in self.inputs.cells.iter().zip(self.inputs.plan.stages()) {
                let (id, block) = (cell.id(), Schedule::first_block(&self.inputs.plan, stage));
                if rows.iter().any(|row| row.lane == *lane && row.cell == id && row.block == block && row.rep == 0) {
                    continue;
                }
                let failure = probed.declaration.failure.clone();
                recorder.row(Row { outcome, failure, ..track.row(cell, block, 0, 0, None) })?;
            }
        }
        Ok(())
    }

    /// Runs what is due, and seals the journal at the end.
    pub(super) async fn launches(&self, recorder: &mut Recorder<'_>, due: &[DueLaunch]) -> Result<Ended, Error> {
        let mut given_up = BTreeSet::new();
        let mut hopeless: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for planned in due {
            let Some(track) = self.track(&planned.lane) else { continue };
            if given_up.contains(&planned.lane) {
                Self::give_up(&track, recorder, planned, &planned.due)?;
                continue;
            }
            let hopeless = hopeless.entry(planned.lane.clone()).or_default();
            match self.launch_until_done(&track, recorder, planned, hopeless).await? {
                BlockEnd::Done => {}
                BlockEnd::GivenUp => {
                    given_up.insert(planned.lane.clone());
                }
                BlockEnd::Stopped => {
                    recorder.append(&Record::Pause { reason: "asked to stop".to_owned() })?;
                    return Ok(Ended::Paused);
                }
            }
        }
        verify_folder(&self.inputs.model_dir, &self.inputs.model).map_err(Error::ModelChanged)?;
        recorder.seal()?;
        Ok(Ended::Sealed)
    }

    /// Launches the lane until everything due in the block has its row. After a breakdown a fresh process goes on, and
    /// the cell that broke the lane waits until the others are done. What breaks down again and again is given up: a
    /// cell for the block, one that broke down by nothing but hanging for the run (it is `hopeless`, and each try would cost
    /// its whole budget), and a lane that never gets to its first repetition for the run.
    async fn launch_until_done(
        &self,
        track: &Track<'_>,
        recorder: &mut Recorder<'_>,
        planned: &DueLaunch,
        hopeless: &mut BTreeSet<usize>,
    ) -> Result<BlockEnd, Error> {
        let (lost, mut due): (Vec<Due>, Vec<Due>) =
            planned.due.iter().copied().partition(|item| hopeless.contains(&item.cell));
        Self::give_up(track, recorder, planned, &lost)?;
        let mut breakdowns = Breakdowns { allowed: self.inputs.plan.run.breakdowns, ..Breakdowns::default() };
        while !due.is_empty() {
            if self.stop.is_asked() {
                recorder.tell(Event::Stopping);
                return Ok(BlockEnd::Stopped);
            }
            let (batch, later) = next_batch(&due, &breakdowns.at_cell);
            due = match launch_once(track, recorder, planned, &batch).await? {
                LaunchOutcome::Done => later,
                LaunchOutcome::Stopped => return Ok(BlockEnd::Stopped),
                LaunchOutcome::Broke { left, cell, hung } => {
                    breakdowns.count(cell, hung);
                    [left, later].concat()
                }
            };
            if breakdowns.barren >= MAX_BARREN {
                Self::give_up(track, recorder, planned, &due)?;
                return Ok(BlockEnd::GivenUp);
            }
            hopeless.extend(breakdowns.hung_throughout());
            let (lost, kept): (Vec<Due>, Vec<Due>) = due.into_iter().partition(|item| breakdowns.exhausted(item.cell));
            Self::give_up(track, recorder, planned, &lost)?;
            due = kept;
        }
        Ok(BlockEnd::Done)
    }

    fn give_up(track: &Track<'_>, recorder: &mut Recorder<'_>, planned: &DueLaunch, due: &[Due]) -> Result<(), Error> {
        let message = "not attempted: as many launches as are allowed broke down at this point before";
        let failure = Failure::new(FailureClass::Launch, message)
            .with_remedy("see the failures of the rows before this one; `lockstep rerun RUN --failed` tries again");
        for item in due {
            let Some(cell) = track.cells.get(item.cell) else { continue };
            let row = track.row(cell, planned.block, item.rep, item.attempt, None);
            recorder.row(Row { outcome: Outcome::Skipped, failure: Some(failure.clone()), ..row })?;
        }
        Ok(())
    }
}

/// The breakdowns of a lane in a block.
#[derive(Debug, Default)]
struct Breakdowns {
    /// How many a cell may have until it is given up.
    allowed: u32,
    /// At a cell, by index.
    at_cell: BTreeMap<usize, u32>,
    /// Those of them where it hung.
    hung: BTreeMap<usize, u32>,
    /// Before the first repetition.
    barren: u32,
}

impl Breakdowns {
    fn count(&mut self, cell: Option<usize>, hung: bool) {
        let Some(cell) = cell else {
            self.barren += 1;
            return;
        };
        *self.at_cell.entry(cell).or_insert(0) += 1;
        *self.hung.entry(cell).or_insert(0) += u32::from(hung);
    }

    fn exhausted(&self, cell: usize) -> bool {
        self.at_cell.get(&cell).is_some_and(|count| *count >= self.allowed)
    }

    /// Cells that are given up and did nothing but hang.
    fn hung_throughout(&self) -> impl Iterator<Item = usize> + '_ {
        self.at_cell
            .iter()
            .filter(|(cell, count)| self.exhausted(**cell) && self.hung.get(cell) == Some(count))
            .map(|(cell, _)| *cell)
    }
}

/// How a lane's block ended.
enum BlockEnd {
    Done,
    /// The lane never got to its first repetition.
    GivenUp,
    Stopped,
}

/// What the next process does, and what waits: cells that broke the lane down come last, one of them at a time.
fn next_batch(due: &[Due], breakdowns: &BTreeMap<usize, u32>) -> (Vec<Due>, Vec<Due>) {
    let suspect = due.iter().map(|item| item.cell).find(|cell| breakdowns.contains_key(cell));
    let (good, bad): (Vec<Due>, Vec<Due>) = due.iter().partition(|item| !breakdowns.contains_key(&item.cell));
    match suspect {
        Some(cell) if good.is_empty() => bad.into_iter().partition(|item| item.cell == cell),
        _ => (good, bad),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(items: &[Due]) -> Vec<usize> {
        items.iter().map(|item| item.cell).collect()
    }

    #[test]
    fn a_cell_that_broke_the_lane_waits_for_the_others_and_then_runs_alone() {
        let due: Vec<Due> = [0, 1, 2, 1, 0].into_iter().map(|cell| Due { cell, rep: 0, attempt: 0 }).collect();
        let (batch, later) = next_batch(&due, &BTreeMap::new());
        assert_eq!((cells(&batch), cells(&later)), (vec![0, 1, 2, 1, 0], vec![]));
        let (batch, later) = next_batch(&due, &BTreeMap::from([(1, 1), (0, 1)]));
        assert_eq!((cells(&batch), cells(&later)), (vec![2], vec![0, 1, 1, 0]));
        let (batch, later) = next_batch(&later, &BTreeMap::from([(1, 1), (0, 1)]));
        assert_eq!((cells(&batch), cells(&later)), (vec![0, 0], vec![1, 1]));
    }
}
