//! What a lane lacks on this host, all of it at once and before anything is downloaded or started.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::LaneInput;
use super::host::HostLook;
use crate::launch::{
    Availability, Engine, Found, HostAxes, availability, built_reference, holds_image, host_axes, missing_bases,
};
use crate::lock::{OverlayCache, Platform, find_models, unresolved, verify_lock};
use crate::plan::{Input, Lane, Launcher, Lock, Needs, Program, is_version};
use crate::terms::Digest;

/// Something that a lane needs and this host does not have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// The kind, for example `GPU` or `axis torch`.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What to try.
    pub remedy: String,
}

impl Missing {
    fn new(what: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into(), remedy: remedy.into() }
    }

    /// In one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.what, self.found)
    }
}

/// The lane that is asked about, with what decides whether it can run.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The lane.
    pub lane: &'a Lane,
    /// Its lock, where there is one.
    pub lock: Option<&'a Lock>,
    /// Files that it executes or builds from, by path below `containers/`.
    pub files: &'a BTreeMap<String, Digest>,
    /// Whether it may run without a lock.
    pub unlocked: bool,
    /// Overlays.
    pub overlays: &'a OverlayCache,
    /// The folder that the lane's own models lie below.
    pub models_root: &'a Path,
    /// Which of the variables that it needs are set.
    pub variables: &'a BTreeSet<String>,
}

impl LaneInput {
    pub(super) fn question(&self) -> Question<'_> {
        let Self { lane, lock, files, unlocked, overlays, models_root, variables, .. } = self;
        Question { lane, lock: lock.as_ref(), files, unlocked: *unlocked, overlays, models_root, variables }
    }
}

/// How programs and the engine are found.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Folders that programs are searched in.
    pub search_path: &'a str,
    /// Address of the Docker engine, when one is set.
    pub docker_host: Option<&'a str>,
    /// The value of `CUDA_VISIBLE_DEVICES`, when it is set.
    pub visible_gpus: Option<&'a str>,
    /// The folder whose disk is written to.
    pub folder: &'a Path,
}

/// What a host has of what lanes need.
#[derive(Debug, Clone, Default)]
pub(super) struct Resources {
    /// Compute capability and memory in MiB of each GPU.
    pub gpus: Vec<(Option<u32>, u64)>,
    pub memory_mib: u64,
    /// Free disk, and where.
    pub disk: Option<(u64, String)>,
    pub platform: String,
    /// Variables among those that are needed that are set.
    pub variables: BTreeSet<String>,
}

/// Everything that keeps `lane` from running here, its lock included.
///
/// # Errors
/// No runtime can be started.
pub fn missing(lane: Question<'_>, around: Surroundings<'_>) -> Result<Vec<Missing>, super::Error> {
    super::segment::runtime()?.block_on(async {
        let mut found = of_host(lane, around, &super::host::look(around.visible_gpus)).await;
        let lock = of_lock(lane);
        let image = of_image(lane, around.docker_host, lock.is_empty()).await;
        found.extend(lock);
        found.extend(image);
        Ok(found)
    })
}

/// What the host lacks.
pub(super) async fn of_host(lane: Question<'_>, around: Surroundings<'_>, look: &HostLook) -> Vec<Missing> {
    let mut found = Vec::new();
    let Surroundings { search_path, docker_host, folder, .. } = around;
    let engine = match availability(lane.lane, search_path, docker_host).await {
        Availability::Ready(Found::Engine(engine)) => Some(engine),
        Availability::Ready(_) => None,
        Availability::Absent { reason, remedy, engine } => {
            found.push(Missing::new(launcher_word(lane), reason, remedy));
            engine
        }
    };
    let disk_at = engine.and_then(|engine| engine.root).filter(|root| root.is_dir());
    let disk_at = disk_at.unwrap_or_else(|| folder.to_owned());
    let needs = &lane.lane.needs;
    let memory_mib = |bytes: u64| bytes >> 20;
    let gpus = look.facts.gpus.iter().zip(look.capabilities.iter().copied().chain(std::iter::repeat(None)));
    let resources = Resources {
        gpus: gpus.map(|(gpu, sm)| (sm, memory_mib(gpu.memory_bytes))).collect(),
        memory_mib: memory_mib(look.facts.memory_bytes),
        disk: free_mib(&disk_at).map(|mib| (mib, disk_at.display().to_string())),
        platform: Platform::host().to_string(),
        variables: lane.variables.clone(),
    };
    found.extend(unmet(needs, &resources));
    if !needs.host.is_empty() {
        found.extend(of_python(lane, search_path).await);
    }
    found.extend(of_overlay(lane));
    found
}

fn launcher_word(lane: Question<'_>) -> &'static str {
    match &lane.lane.launcher {
        Launcher::Process(_) => "program",
        Launcher::Docker(_) => "Docker engine",
    }
}

/// What `needs` asks for and `resources` lacks.
pub(super) fn unmet(needs: &Needs, resources: &Resources) -> Vec<Missing> {
    let Needs { gpus, sm, gpu_memory_mib, memory_mib, disk_mib, credentials, platform, host: _ } = needs;
    let mut found = Vec::new();
    if let Some(wanted) = platform.as_ref().filter(|wanted| **wanted != resources.platform) {
        let remedy = "run the lane on a host of that platform";
        found.push(Missing::new("platform", format!("{wanted} is needed, this is {}", resources.platform), remedy));
    }
    if *gpus > 0 {
        found.extend(unmet_gpus(*gpus, sm, *gpu_memory_mib, &resources.gpus));
    }
    if let Some(wanted) = memory_mib.filter(|wanted| *wanted > resources.memory_mib) {
        let text = format!("{wanted} MiB are needed, the host has {}", resources.memory_mib);
        found.push(Missing::new("memory", text, "run the lane on a host with more memory"));
    }
    if let (Some(wanted), Some((free, place))) = (disk_mib, &resources.disk)
        && wanted > free
    {
        let text = format!("{wanted} MiB are needed, {place} has {free} free");
        found.push(Missing::new("disk", text, format!("free at least {} MiB there", wanted - free)));
    }
    for name in credentials.iter().filter(|name| !resources.variables.contains(*name)) {
        let remedy = format!("set {name} to a token of yours before the lane is locked or its model fetched");
        found.push(Missing::new("credentials", format!("the variable {name} is not set"), remedy));
    }
    found
}

fn unmet_gpus(count: u32, sm: &[u32], memory_mib: Option<u64>, gpus: &[(Option<u32>, u64)]) -> Option<Missing> {
    let wanted = || {
        let kind = sm.iter().map(|sm| format!("sm_{sm}")).collect::<Vec<_>>().join(" or ");
        let memory = memory_mib.map(|mib| format!("at least {mib} MiB")).unwrap_or_default();
        let words: Vec<String> = [kind, memory].into_iter().filter(|word| !word.is_empty()).collect();
        if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
    };
    if gpus.is_empty() {
        let found = format!("{count}{} needed, and the driver shows none", wanted());
        let remedy = "run the lane on a host with an NVIDIA GPU whose driver is loaded (`nvidia-smi` lists it) and which \
                      CUDA_VISIBLE_DEVICES, where it is set, names";
        return Some(Missing::new("GPU", found, remedy));
    }
    let fits = |(found_sm, found_mib): &&(Option<u32>, u64)| {
        (sm.is_empty() || found_sm.is_some_and(|found| sm.contains(&found)))
            && memory_mib.is_none_or(|wanted| *found_mib >= wanted)
    };
    let fitting = gpus.iter().filter(fits).count();
    if fitting >= count as usize {
        return None;
    }
    let shown = |(sm, mib): &(Option<u32>, u64)| {
        let sm = sm.map_or_else(|| "an unknown sm".to_owned(), |sm| format!("sm_{sm}"));
        format!("{sm} with {mib} MiB")
    };
    let here = gpus.iter().map(shown).collect::<Vec<_>>().join(", ");
    let found = format!("{count}{} needed, {fitting} of this host's fit ({here})", wanted());
    Some(Missing::new("GPU", found, "run the lane on a host with such a GPU, or lock one that is made for this"))
}

/// Axes of the host's Python that are not those of the manifest, each by its name.
async fn of_python(lane: Question<'_>, search_path: &str) -> Vec<Missing> {
    let name = match &lane.lane.launcher {
        Launcher::Process(process) => match &process.program {
            Program::Interpreter { name, .. } => name.as_str(),
            Program::OwnExecutable => "python3",
        },
        Launcher::Docker(_) => "python3",
    };
    let axes = match host_axes(name, search_path).await {
        Ok(axes) => axes,
        // That the program is not there was said before.
        Err(reason) if reason.is_empty() => return Vec::new(),
        Err(reason) => return vec![Missing::new("program", reason, "repair or replace the interpreter")],
    };
    axes_apart(&lane.lane.needs, &axes, name)
}

fn axes_apart(needs: &Needs, axes: &HostAxes, program: &str) -> Vec<Missing> {
    let apart = |(axis, wanted): (&String, &String)| {
        let found = axes.get(axis);
        if found.is_some_and(|found| is_version(wanted, found)) {
            return None;
        }
        let found = found.map_or_else(|| "none".to_owned(), Clone::clone);
        let text = format!("the lane is made for {axis} {wanted}, and {program} has {found}");
        let remedy =
            format!("put a {program} with {axis} {wanted} first on PATH, or take a lane that is made for this host");
        Some(Missing::new(format!("axis {axis}"), text, remedy))
    };
    needs.host.iter().filter_map(apart).collect()
}

fn of_overlay(lane: Question<'_>) -> Option<Missing> {
    let recipe = lane.lane.inputs.values().find_map(|input| match input {
        Input::Overlay { recipe } => Some(recipe),
        _ => None,
    })?;
    let relock = format!("`lockstep lock --pack {}` packs it where the package index answers", lane.lane.name);
    let Some(pin) = lane.lock.and_then(Lock::overlay) else {
        let found = format!("no lock says what the overlay {recipe} holds, and the lane is nothing without it");
        return Some(Missing::new("overlay", found, relock));
    };
    if lane.overlays.holds(pin) {
        return None;
    }
    let packed = lane.overlays.packed(recipe, pin.sha256);
    let found = if packed.is_dir() {
        format!(
            "{} is not whole: the parts of an archive belong there, its .tar.xz.sha256 and packed_with",
            packed.display()
        )
    } else {
        format!("overlay {recipe} is neither packed nor unpacked below {}", lane.overlays.folder.display())
    };
    Some(Missing::new("overlay", found, format!("{relock}; or copy {} from such a host", packed.display())))
}

/// Why the lock keeps the lane from running.
#[must_use]
pub fn of_lock(lane: Question<'_>) -> Vec<Missing> {
    if lane.unlocked {
        return Vec::new();
    }
    let relock = format!("run `lockstep lock {}`, or pass --unlocked; its rows will say so", lane.lane.name);
    let Some(lock) = lane.lock else {
        return vec![Missing::new("lock", "the lane has none, so nothing says what it should be", relock)];
    };
    let mut found = Vec::new();
    if let Err(error) = verify_lock(lane.lane, lock, lane.files, super::probe::own_recipe(lane.lane)) {
        found.push(Missing::new("lock", error.to_string(), relock));
    }
    // Whether they are those that were locked takes reading all of them, which the launch does.
    if let Err(error) = find_models(lane.lane, lock, lane.models_root) {
        let remedy = "put back the model that was locked";
        found.push(Missing::new("model", error.to_string(), remedy));
    }
    let open = unresolved(lane.lane, lock).into_iter();
    found.extend(open.map(|(reason, remedy)| Missing::new("lock", reason, remedy)));
    found
}

/// The image that is built from the lane's lock, where the engine lacks it. What is wrong with the engine was said before.
async fn of_image(lane: Question<'_>, docker_host: Option<&str>, lock_holds: bool) -> Option<Missing> {
    let (Some(_), Some(lock)) = (lane.lane.launcher.build(), lane.lock) else { return None };
    let engine = Engine::connect(docker_host).await.ok()?;
    let reference = built_reference(lock);
    let asked = async {
        let bases =
            if holds_image(&engine, &reference).await? { None } else { Some(missing_bases(&engine, lock).await?) };
        Ok::<_, crate::launch::Error>(bases)
    };
    match asked.await {
        Ok(bases) => bases.map(|bases| unbuilt(&lane.lane.name, &reference, &bases, lock_holds)),
        Err(error) => Some(Missing::new("image", error.to_string(), "look at the engine's log, or restart it")),
    }
}

/// The commands stand in the order in which they are to be given.
fn unbuilt(lane: &str, reference: &str, bases: &[(String, String)], lock_holds: bool) -> Missing {
    let mut found = format!("the engine holds no image {reference}, which is built from the lane's lock");
    let mut steps = Vec::new();
    if !lock_holds {
        steps.push("mend the lock".to_owned());
    }
    for (input, stands_for) in bases {
        found.push_str(&format!(", nor the base that stands in for {stands_for}"));
        steps.push(format!("make its root file system and run `lockstep image import {lane} {input} FILE.tar`"));
    }
    steps.push(format!("run `lockstep image build {lane}`"));
    Missing::new("image", found, steps.join(", then "))
}

fn free_mib(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whats(found: &[Missing]) -> Vec<&str> {
        found.iter().map(|missing| missing.what.as_str()).collect()
    }

    #[test]
    fn everything_that_is_missing_is_said_at_once_each_with_a_remedy() {
        let needs = Needs {
            gpus: 1,
            sm: vec![80, 90],
            gpu_memory_mib: Some(40_000),
            memory_mib: Some(64_000),
            disk_mib: Some(50_000),
            credentials: vec!["HF_TOKEN".into()],
            platform: Some("linux/arm64".into()),
            host: Default::default(),
        };
        let poor = Resources {
            memory_mib: 8_000,
            disk: Some((1_000, "/var".into())),
            platform: "linux/amd64".into(),
            ..Resources::default()
        };
        let found = unmet(&needs, &poor);
        assert_eq!(whats(&found), ["platform", "GPU", "memory", "disk", "credentials"]);
        assert!(found.iter().all(|missing| !missing.remedy.is_empty()));
        assert!(found[1].found.contains("sm_80 or sm_90, at least 40000 MiB"), "{}", found[1].found);
        assert_eq!(found[3].remedy, "free at least 49000 MiB there");
        let rich = Resources {
            gpus: vec![(Some(75), 16_000), (Some(90), 143_771)],
            memory_mib: 128_000,
            disk: Some((60_000, "/var".into())),
            platform: "linux/arm64".into(),
            variables: BTreeSet::from(["HF_TOKEN".to_owned()]),
        };
        assert_eq!(unmet(&needs, &rich), []);
    }

    /// An engine of this host without a runtime for GPUs, which keeps its images below `root`.
    fn engine_without_gpus(socket: &Path, root: &Path) {
        use std::io::{BufRead, BufReader, Write};
        let listener = std::os::unix::net::UnixListener::bind(socket).unwrap();
        let info = format!(r#"{{"DockerRootDir":"{}"}}"#, root.display());
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let lines = BufReader::new(connection.try_clone().unwrap()).lines();
                let head: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let asked = head.first().map(String::as_str).unwrap_or_default();
                let body = if asked.contains("/info") { info.as_str() } else { r#"{"ApiVersion":"1.41"}"# };
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n";
                let _ = write!(connection, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
            }
        });
    }

    #[tokio::test]
    async fn the_disk_is_that_of_the_engine_also_where_it_has_no_gpus() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, root) = (folder.path().join("engine.sock"), folder.path().join("images"));
        std::fs::create_dir(&root).unwrap();
        engine_without_gpus(&socket, &root);
        let text = "schema = 1\nname = \"a\"\nlauncher = \"docker\"\nrunner = \"native\"\n[docker]\nimage = \"self\"\n\
                    gpus = [\"0\"]\n[needs]\ndisk_mib = 1073741824\n";
        let lane = Lane::parse("lanes/a.toml", text).unwrap();
        let (files, variables) = (BTreeMap::new(), BTreeSet::new());
        let overlays = OverlayCache { folder: folder.path().to_owned(), tool: Vec::new(), search_path: String::new() };
        let question = Question {
            lane: &lane,
            lock: None,
            files: &files,
            unlocked: true,
            overlays: &overlays,
            models_root: folder.path(),
            variables: &variables,
        };
        let host = format!("unix://{}", socket.display());
        let around =
            Surroundings { search_path: "", docker_host: Some(&host), visible_gpus: None, folder: Path::new("/") };
        let found = of_host(question, around, &crate::supervise::host::look(None)).await;
        let disk = found.iter().find(|missing| missing.what == "disk").unwrap();
        assert!(disk.found.contains(&format!("{} has ", root.display())), "{}", disk.found);
    }

    #[test]
    fn a_gpu_of_another_kind_or_size_does_not_count() {
        let one = |sm: &[u32], memory, gpus: &[(Option<u32>, u64)]| unmet_gpus(1, sm, memory, gpus).map(|m| m.found);
        assert_eq!(one(&[90], None, &[(Some(90), 1)]), None);
        assert!(one(&[90], None, &[(Some(80), 1)]).unwrap().contains("0 of this host's fit (sm_80 with 1 MiB)"));
        assert!(one(&[], Some(2), &[(Some(80), 1)]).is_some());
        assert!(one(&[90], None, &[(None, 1)]).unwrap().contains("an unknown sm"));
        assert!(unmet_gpus(2, &[], None, &[(Some(90), 1)]).is_some(), "two are needed");
    }

    #[test]
    fn a_lane_without_its_image_says_every_command_in_order() {
        let bases = [("base".to_owned(), "docker.io/library/debian:13".to_owned())];
        let found = unbuilt("a", "lockstep-lane:a-1", &bases, true);
        assert_eq!(found.what, "image");
        assert!(found.found.contains("lockstep-lane:a-1") && found.found.contains("debian:13"), "{}", found.found);
        let expected = "make its root file system and run `lockstep image import a base FILE.tar`, then run `lockstep image build a`";
        assert_eq!(found.remedy, expected);
        assert_eq!(unbuilt("a", "r", &[], true).remedy, "run `lockstep image build a`");
        assert_eq!(unbuilt("a", "r", &[], false).remedy, "mend the lock, then run `lockstep image build a`");
    }

    #[test]
    fn an_axis_of_the_host_that_differs_is_named() {
        let host = [("python", "3.12"), ("torch", "2.11.0")].map(|(a, v)| (a.to_owned(), v.to_owned()));
        let needs = Needs { host: host.into(), ..Needs::default() };
        let axes = |torch: &[(&str, &str)]| -> HostAxes {
            torch.iter().map(|(a, v)| ((*a).to_owned(), (*v).to_owned())).collect()
        };
        let same = axes(&[("python", "3.12.3"), ("torch", "2.11.0+cu130")]);
        assert_eq!(axes_apart(&needs, &same, "python3"), []);
        let found = axes_apart(&needs, &axes(&[("python", "3.11.7")]), "python3");
        assert_eq!(whats(&found), ["axis python", "axis torch"]);
        assert!(found[0].found.contains("3.11.7") && found[1].found.ends_with("has none"), "{found:?}");
    }
}
