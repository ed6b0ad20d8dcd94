//! The first launch of each lane: is it there, is it what its lock says, is it what it declares?

use super::event::Event;
use super::gates::gate_contradictions;
use super::host::HostLook;
use super::launch_run::contradiction_failure;
use super::segment::launch_request;
use super::server::ServerSession;
use super::session::{Gone, Halt, Session};
use super::stop::Stop;
use super::{Error, Inputs, LaneInput, Missing, Packed, Surroundings, missing};
use crate::journal::{LaneDeclaration, LaneState, Preflight};
use crate::launch::{
    Availability, Engine, PullProgress, ResolvedImage, availability, build_self_image, built_image, check_built,
    ensure_image, load_packed_image, local_image, recipe_digest,
};
use crate::lock::{run_copy, unresolved, verify_lock, verify_models};
use crate::plan::{DockerLane, ImageSource, Lane, Launcher, Lock, Server};
use crate::terms::{
    Axes, Digest, Failure, FailureClass, Outcome, Signal, Stage, axes_by_own_word, axis_contradictions, canonical_json,
    observed_axes,
};

/// A lane as its first launch showed it.
pub(super) struct Probed {
    pub declaration: LaneDeclaration,
    pub looks: Vec<Preflight>,
    pub image: Option<ResolvedImage>,
    pub run_lock: Option<Lock>,
    /// What was seen of interpreter or engine.
    launcher: Vec<Signal>,
}

/// A lane as `lockstep preflight` shows it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LaneLook {
    /// What the header would say.
    pub declaration: LaneDeclaration,
    /// What was seen at each stage.
    pub looks: Vec<Preflight>,
    /// What was seen of the host.
    pub host: Vec<Signal>,
}

/// Probes one lane alone.
///
/// # Errors
/// The host lacks what every run needs.
pub fn look_at_lane(
    inputs: &Inputs,
    lane: &LaneInput,
    listener: &mut dyn FnMut(Event),
) -> Result<Option<LaneLook>, Error> {
    super::segment::runtime()?.block_on(async {
        let stop = Stop::listen();
        let engine = Engine::connect(inputs.docker_host.as_deref()).await.ok();
        super::segment::sweep_orphans(engine.as_ref(), listener).await?;
        let host = super::host::look(inputs.visible_gpus.as_deref());
        let prober = Prober { inputs, lane, engine: engine.as_ref(), stop: &stop, host: &host, purpose: Purpose::Look };
        let probed = probe(prober, listener).await?;
        Ok(probed.map(|Probed { declaration, looks, .. }| LaneLook { declaration, looks, host: host.signals }))
    })
}

/// What a lane is probed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To see whether it is what it declares.
    Look,
    /// To run cells in it.
    Cells,
}

/// Why a lane takes no part, or that the run is asked to stop.
enum Setback {
    LeftOut(Failure),
    Absent(Failure),
    Refused(Failure),
    Broken(Failure),
    Stopped,
}

/// The recipe of the image that is made from the executable; compared only where the lane runs that one.
pub(super) fn own_recipe(lane: &Lane) -> Option<Digest> {
    match &lane.launcher {
        Launcher::Docker(docker) => Some(recipe_digest(&docker.command)),
        Launcher::Process(_) => None,
    }
}

/// Probes a lane; nothing when the run is asked to stop.
pub(super) async fn probe(prober: Prober<'_>, listener: &mut dyn FnMut(Event)) -> Result<Option<Probed>, Error> {
    let Prober { inputs, lane, .. } = prober;
    let mut declared: Axes = lane.lane.axes.clone();
    declared.extend(inputs.model_axes.clone());
    if let Some(digest) = lane.own_model() {
        declared.remove("tokenizer");
        declared.insert("model".to_owned(), digest.to_string());
    }
    let mut probed = Probed {
        declaration: LaneDeclaration {
            lane: lane.lane.name.clone(),
            state: LaneState::Ready,
            manifest: lane.lane.digest(),
            lock: None,
            own_model: lane.own_model(),
            declared,
            observed: Axes::new(),
            by_own_word: Vec::new(),
            slowdown_pct: inputs.slowdowns.get(&lane.lane.name).copied(),
            source: lane.source.clone(),
            failure: None,
        },
        looks: Vec::new(),
        image: None,
        run_lock: None,
        launcher: Vec::new(),
    };
    let setback = match prober.prepare(&mut probed, listener).await {
        Ok(()) => prober.launch(&mut probed).await.err(),
        Err(setback) => Some(setback),
    };
    let (state, failure) = match setback {
        None => (LaneState::Ready, None),
        Some(Setback::Stopped) => return Ok(None),
        Some(Setback::LeftOut(failure)) => (LaneState::Skipped, Some(failure)),
        // The lane is there and speaks; that it breaks down is for its rows to say.
        Some(Setback::Broken(failure)) => (LaneState::Ready, Some(failure)),
        Some(Setback::Absent(failure)) if lane.planned.optional => (LaneState::Skipped, Some(failure)),
        Some(Setback::Absent(failure) | Setback::Refused(failure)) => (LaneState::Refused, Some(failure)),
    };
    probed.declaration.state = state;
    probed.declaration.failure = failure;
    Ok(Some(probed))
}

/// A lane that is to be probed, and with what.
pub(super) struct Prober<'a> {
    pub inputs: &'a Inputs,
    pub lane: &'a LaneInput,
    pub engine: Option<&'a Engine>,
    pub stop: &'a Stop,
    pub host: &'a HostLook,
    pub purpose: Purpose,
}

impl Prober<'_> {
    /// Availability, lock, image: everything before a process runs.
    async fn prepare(&self, probed: &mut Probed, listener: &mut dyn FnMut(Event)) -> Result<(), Setback> {
        let Inputs { search_path, docker_host, visible_gpus, .. } = self.inputs;
        if let Some(failure) = self.too_large() {
            return Err(Setback::LeftOut(failure));
        }
        if self.purpose == Purpose::Cells && self.lane.lane.is_server() {
            return Err(Setback::Absent(no_client(&self.lane.lane.name)));
        }
        let (docker_host, visible_gpus) = (docker_host.as_deref(), visible_gpus.as_deref());
        let around = Surroundings { search_path, docker_host, visible_gpus, folder: &self.inputs.directory };
        let missing = missing::of_host(self.lane.question(), around, self.host).await;
        if !missing.is_empty() {
            let remedies: Vec<String> = missing.iter().map(|missing| missing.remedy.clone()).collect();
            let reason = missing.iter().map(Missing::sentence).collect::<Vec<_>>().join("; ");
            return Err(Setback::Absent(Failure::new(FailureClass::Absent, reason).with_remedy(remedies.join("; "))));
        }
        if let Availability::Ready(found) = availability(&self.lane.lane, search_path, docker_host).await {
            probed.launcher = found.signals();
        }
        let lock = self.valid_lock()?;
        if let Some(lock) = lock {
            let models = verify_models(&self.lane.lane, lock, &self.lane.models_root);
            models.map_err(|error| Setback::Refused(Failure::new(FailureClass::Preflight, error.to_string())))?;
        }
        if let Some(pin) = self.lane.overlay() {
            listener(Event::Preparing(format!("overlay {}", pin.recipe)));
            let ready = self.lane.overlays.ready(pin);
            ready.map_err(|error| Setback::Refused(Failure::new(FailureClass::Preflight, error.to_string())))?;
        }
        let mut built = None;
        if let Launcher::Docker(docker) = &self.lane.lane.launcher {
            let mut stop = self.stop.clone();
            // A build or a pull may take long; nothing of it has to be undone.
            let image = tokio::select! {
                image = self.image(docker, lock, listener) => image?,
                () = stop.asked() => return Err(Setback::Stopped),
            };
            if let Some(config) = image.expected.config {
                probed.declaration.declared.insert("image".to_owned(), config.to_string());
                built = (docker.image == ImageSource::OwnExecutable).then(|| (config, image.expected.diff_ids.clone()));
            }
            probed.image = Some(image);
        }
        let executable = self.lane.lane.launcher.is_own_executable().then_some(self.inputs.executable(self.lane).1);
        if let Some(digest) = executable {
            probed.declaration.declared.insert("binary".to_owned(), digest.to_string());
        }
        probed.run_lock = lock.map(|lock| run_copy(lock, executable, built));
        let text = probed.run_lock.as_ref().and_then(|lock| canonical_json(lock).ok());
        probed.declaration.lock = text.map(|text| Digest::of(text.as_bytes()));
        Ok(())
    }

    /// Why the plan leaves the lane out for this model, if it does.
    fn too_large(&self) -> Option<Failure> {
        let limit_mib = u64::from(self.lane.planned.max_model_mib?);
        let model_mib = self.inputs.model.bytes.div_ceil(1 << 20);
        let message = format!("the plan leaves it out for models above {limit_mib} MiB, and this one has {model_mib}");
        (model_mib > limit_mib).then(|| Failure::new(FailureClass::Absent, message))
    }

    /// The lane's lock, as long as it says what the lane is. One that does not is none for who runs without locks.
    fn valid_lock(&self) -> Result<Option<&Lock>, Setback> {
        let LaneInput { lane, lock, files, unlocked, .. } = self.lane;
        let refuse = |message: String, remedy: String| {
            Setback::Refused(Failure::new(FailureClass::Preflight, message).with_remedy(remedy))
        };
        match lock {
            Some(lock) => match verify_lock(lane, lock, files, own_recipe(lane)) {
                Ok(()) => match unresolved(lane, lock).into_iter().next() {
                    Some((message, remedy)) if !*unlocked => Err(refuse(message, remedy)),
                    _ => Ok(Some(lock)),
                },
                Err(_) if *unlocked => Ok(None),
                Err(error) => {
                    let remedy = "do so once the change is meant, or pass --unlocked; its rows will say so";
                    Err(refuse(error.to_string(), remedy.to_owned()))
                }
            },
            None if *unlocked => Ok(None),
            None => Err(refuse(
                format!("lane {} has no lock, so nothing says what it should be", lane.name),
                format!("run `lockstep lock {}`, or pass --unlocked; its rows will say so", lane.name),
            )),
        }
    }

    /// The image that was built from the lane's Dockerfile and locked inputs. It is not built here: that may take an
    /// hour, and a run that is asked for measures.
    async fn built_image(&self, engine: &Engine, lock: Option<&Lock>) -> Result<ResolvedImage, Setback> {
        let name = &self.lane.lane.name;
        let refuse = |message: String| Setback::Refused(Failure::new(FailureClass::Preflight, message));
        let lock = lock.ok_or_else(|| {
            refuse(format!("the image of lane {name} is built from its lock alone; run `lockstep lock {name}`"))
        })?;
        built_image(engine, lock, &self.lane.trees).await.map_err(|error| refuse(error.to_string()))
    }

    /// The image that the bundle holds; nothing is pulled or built.
    async fn packed_image(
        &self,
        engine: &Engine,
        packed: &Packed,
        lock: Option<&Lock>,
    ) -> Result<ResolvedImage, Setback> {
        let refuse = |message: String| Setback::Refused(Failure::new(FailureClass::Preflight, message));
        let packed = match packed {
            Packed::Image(packed) => packed,
            Packed::Missing(reason) => {
                let failure = Failure::new(FailureClass::Absent, format!("the bundle lacks its image: {reason}"));
                return Err(Setback::Absent(failure.with_remedy("make the bundle where the lane runs")));
            }
        };
        if let Some(pin) = lock.and_then(Lock::image)
            && (pin.config != packed.image.config || pin.diff_ids != packed.image.diff_ids)
        {
            let found = packed.image.config;
            return Err(refuse(format!("the bundle holds the image {found}, and the lock says {}", pin.config)));
        }
        let failed = |error| refuse(format!("loading the image: {error}"));
        let image = load_packed_image(engine, packed).await.map_err(failed)?;
        if let (Some(_), Some(lock)) = (self.lane.lane.launcher.build(), lock) {
            check_built(engine, lock, &image, &self.lane.trees).await.map_err(|error| match error {
                crate::launch::Error::OtherTree { found, locked, .. } => refuse(format!(
                    "the image that the bundle holds has the file tree {found}, and the lock beside it says {locked}; \
                     take the bundle from where it was made"
                )),
                other => refuse(other.to_string()),
            })?;
        }
        Ok(image)
    }

    async fn image(
        &self,
        docker: &DockerLane,
        lock: Option<&Lock>,
        listener: &mut dyn FnMut(Event),
    ) -> Result<ResolvedImage, Setback> {
        let refuse = |error: crate::launch::Error| {
            Setback::Refused(Failure::new(FailureClass::Launch, format!("preparing the image: {error}")))
        };
        let Some(engine) = self.engine else {
            let failure = Failure::new(FailureClass::Absent, "the Docker engine no longer answers");
            return Err(Setback::Absent(failure.with_remedy("start the engine")));
        };
        if let Some(packed) = &self.lane.packed {
            listener(Event::Preparing(format!("image of {} from the bundle", self.lane.lane.name)));
            return self.packed_image(engine, packed, lock).await;
        }
        let reference = match &docker.image {
            ImageSource::OwnExecutable => {
                listener(Event::Preparing(format!("image of {} from its own executable", self.lane.lane.name)));
                return Ok(build_self_image(engine, self.inputs.executable(self.lane).0)
                    .await
                    .map_err(refuse)?
                    .resolved());
            }
            ImageSource::Registry(reference) => reference,
            ImageSource::Build(_) => return self.built_image(engine, lock).await,
        };
        if lock.is_none() && self.lane.unlocked {
            return local_image(engine, reference).await.map_err(refuse);
        }
        let Some(pin) = lock.and_then(Lock::image) else {
            let message = format!("image {reference} is pinned by no lock; a tag alone names nothing");
            let remedy = format!("run `lockstep lock {}`", self.lane.lane.name);
            return Err(Setback::Refused(Failure::new(FailureClass::Preflight, message).with_remedy(remedy)));
        };
        listener(Event::Preparing(format!("image {reference} by digest")));
        let told = |progress: PullProgress| listener(Event::Preparing(progress.to_string()));
        ensure_image(engine, pin, told).await.map_err(refuse)
    }

    /// A launch up to the loaded model, for what it shows.
    async fn launch(&self, probed: &mut Probed) -> Result<(), Setback> {
        if let Some(server) = &self.lane.lane.server {
            return self.launch_server(server, probed).await;
        }
        let request = launch_request(self.inputs, self.lane, probed.image.as_ref());
        let mut session =
            Session::open(&request, self.engine, self.stop).await.map_err(|halted| match setback(halted) {
                // It never spoke.
                Setback::Broken(failure) => Setback::Refused(failure),
                other => other,
            })?;
        match self.looks(&mut session, probed).await {
            Ok(()) => match session.leave().await.trouble {
                None => Ok(()),
                Some(trouble) => Err(Setback::Refused(Failure::new(FailureClass::Launch, trouble))),
            },
            Err(halt) => Err(setback(session.kill_for(halt).await)),
        }
    }

    async fn looks(&self, session: &mut Session, probed: &mut Probed) -> Result<(), Halt> {
        for stage in [Stage::BeforeImports, Stage::AfterImports] {
            if stage == Stage::AfterImports {
                session.load(&probed.declaration.declared, self.inputs.max_positions).await?;
            }
            let signals = session.preflight(stage).await?;
            self.keep(stage, signals, probed)?;
        }
        Ok(())
    }

    /// A launch up to a server that is ready, for what it shows. It has no rows that could say that it broke down, so one
    /// that does is refused.
    async fn launch_server(&self, server: &Server, probed: &mut Probed) -> Result<(), Setback> {
        let refused = |ended| match setback(ended) {
            Setback::Broken(failure) => Setback::Refused(failure),
            other => other,
        };
        let request = launch_request(self.inputs, self.lane, probed.image.as_ref());
        let mut session = ServerSession::open(&request, server, self.engine, self.stop).await.map_err(refused)?;
        match self.looks_at_server(&mut session, probed).await {
            Ok(()) => match session.leave().await.trouble {
                None => Ok(()),
                Some(trouble) => Err(Setback::Refused(Failure::new(FailureClass::Launch, trouble))),
            },
            Err(halt) => Err(refused(session.kill_for(halt).await)),
        }
    }

    async fn looks_at_server(&self, session: &mut ServerSession, probed: &mut Probed) -> Result<(), Halt> {
        let signals = session.look().await?;
        self.keep(Stage::BeforeImports, signals, probed)?;
        session.wait_until_ready().await?;
        let mut signals = session.look().await?;
        signals.extend(session.answers().await?);
        self.keep(Stage::AfterImports, signals, probed)
    }

    /// A look: kept, then held against gates and axes.
    fn keep(&self, stage: Stage, signals: Vec<Signal>, probed: &mut Probed) -> Result<(), Halt> {
        let mut contradictions = gate_contradictions(&self.lane.lane.gates, Stage::Host, &self.host.signals);
        contradictions.extend(gate_contradictions(&self.lane.lane.gates, stage, &signals));
        let fresh = observed_axes(&probed.declaration.declared, &signals);
        // The last look at an axis decides, for its value as for who vouches for it.
        probed.declaration.by_own_word.retain(|axis| !fresh.contains_key(axis));
        let by_own_word = axes_by_own_word(&probed.declaration.declared, &signals);
        probed.declaration.by_own_word.extend(by_own_word);
        probed.declaration.by_own_word.sort();
        probed.declaration.observed.extend(fresh);
        contradictions.extend(axis_contradictions(&probed.declaration.declared, &probed.declaration.observed));
        // The supervisor hashed the folder that it hands to every lane, and what it hands to this one alone.
        let model = self.lane.own_model().unwrap_or(self.inputs.model.digest);
        probed.declaration.observed.insert("model".to_owned(), model.to_string());
        let lane = self.lane.lane.name.clone();
        let signals = [std::mem::take(&mut probed.launcher), signals].concat();
        probed.looks.push(Preflight { lane, launch: None, stage, signals });
        if contradictions.is_empty() {
            return Ok(());
        }
        Err(Halt::Broken(Outcome::Refused, contradiction_failure(stage, &contradictions)))
    }
}

/// Why a server's cells are not run.
fn no_client(lane: &str) -> Failure {
    let message = "it is a server, and this lockstep has no client that drives its cells";
    let remedy = format!(
        "`lockstep preflight {lane}` proves it up to its health; measure it by its own benchmark, and `lockstep import` that"
    );
    Failure::new(FailureClass::Absent, message).with_remedy(remedy)
}

/// A lane that contradicts itself, does not start or does not speak the wire is refused. One that speaks and then hangs,
/// dies or cannot load is not: its rows will say so.
fn setback((halt, gone): (Halt, Gone)) -> Setback {
    match halt {
        Halt::Stopped => Setback::Stopped,
        Halt::Broken(_, mut failure) if gone.trouble.is_some() => {
            failure.message = format!("{}; {}", failure.message, gone.trouble.unwrap_or_default());
            Setback::Refused(failure)
        }
        Halt::Broken(outcome, failure) => match failure.class {
            FailureClass::Inactive
            | FailureClass::WallCap
            | FailureClass::Died
            | FailureClass::Exception
            | FailureClass::OutOfMemory
                if outcome != Outcome::Refused =>
            {
                Setback::Broken(failure)
            }
            _ => Setback::Refused(failure),
        },
    }
}
