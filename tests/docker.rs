//! Lanes in real containers of a real engine.
//!
//! This binary is its own runner: it is put into an image the way Lockstep puts itself into one, and inside it obeys
//! `runner`'s commands. Where no engine answers, every test prints as ignored with the reason.

#[path = "docker/abandoned.rs"]
mod abandoned;
#[path = "docker/engines.rs"]
mod engines;
#[path = "docker/images.rs"]
mod images;
#[path = "docker/lanes.rs"]
mod lanes;
#[path = "docker/packed.rs"]
mod packed;
#[path = "docker/registry.rs"]
mod registry;
#[path = "docker/runner.rs"]
mod runner;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use lockstep::launch::{Engine, Error, LaunchRequest, Launched, SelfImage, build_self_image, prune_self_images, start};
use lockstep::plan::Lane;

/// What a test needs: the engine, the image of this binary, and a folder that stands for a model.
#[derive(Clone)]
pub struct Bench {
    pub engine: Engine,
    pub image: SelfImage,
    pub executable: PathBuf,
    pub model_dir: PathBuf,
}

impl Bench {
    /// Starts a lane of this binary. `tables` adds to the lane's file.
    pub async fn launch(&self, run: &str, tables: &str) -> Result<Launched, Error> {
        self.launch_image(run, tables, &self.image).await
    }

    pub async fn launch_image(&self, run: &str, tables: &str, image: &SelfImage) -> Result<Launched, Error> {
        let image = image.resolved();
        start(&self.request(&lane(tables), run, &image), Some(&self.engine)).await
    }

    pub fn request<'a>(
        &'a self,
        lane: &'a Lane,
        run: &'a str,
        image: &'a lockstep::launch::ResolvedImage,
    ) -> LaunchRequest<'a> {
        LaunchRequest {
            lane,
            run,
            run_dir: std::path::Path::new("runs/1"),
            launch: 1,
            model_dir: &self.model_dir,
            models: &[],
            files_dir: None,
            overlay_dir: None,
            stderr_file: None,
            own_executable: &self.executable,
            search_path: "",
            visible_gpus: None,
            image: Some(image),
        }
    }
}

/// A container lane of this binary.
pub fn lane(tables: &str) -> Lane {
    let text = format!(
        "schema = 1\nname = \"contained\"\nlauncher = \"docker\"\nrunner = \"test\"\n\
         [docker]\nimage = \"self\"\ncommand = [\"{}\"]\n{tables}\n",
        runner::FLAG
    );
    Lane::parse("lanes/contained.toml", &text).expect("the test's lane is well formed")
}

/// Asks the engine itself, past the room that is under test.
pub fn ask_engine() -> bollard::Docker {
    bollard::Docker::connect_with_unix_defaults().expect("the engine answered before")
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime starts").block_on(future)
}

/// What all tests share. It is made with the first test that needs it, so that listing tests asks no engine.
struct Shared {
    bench: OnceLock<Result<Bench, String>>,
    model: tempfile::TempDir,
}

impl Shared {
    /// Runs `test`, or says why it cannot run.
    fn run(&self, test: TestBody) -> Result<Completion, Failed> {
        match self.bench.get_or_init(|| bench(self.model.path().to_owned())) {
            Ok(bench) => test(bench).map(|()| Completion::Completed).map_err(Failed::from),
            Err(reason) => Ok(Completion::ignored_with(reason)),
        }
    }

    /// Leaves nothing behind in the engine.
    fn clean(&self) {
        if let Some(Ok(bench)) = self.bench.get() {
            let own = &bench.image.reference;
            block_on(prune_self_images(&bench.engine, |name| name != own)).expect("the image is removed");
        }
    }
}

fn bench(model_dir: PathBuf) -> Result<Bench, String> {
    block_on(async {
        let engine = Engine::connect(None).await.map_err(|error| error.to_string())?;
        // From here on an engine answers, so what fails is a failure and no reason to ignore.
        let executable = std::env::current_exe().expect("this binary has a path");
        let image = build_self_image(&engine, &executable).await.expect("this binary can be put into an image");
        Ok(Bench { engine, image, executable, model_dir })
    })
}

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(runner::FLAG) => return runner::run(),
        Some(abandoned::FLAG) => return abandoned::supervise(),
        _ => {}
    }
    let shared = Arc::new(Shared { bench: OnceLock::new(), model: images::model_folder() });
    let tests = [lanes::TESTS, engines::TESTS, images::TESTS, packed::TESTS, abandoned::TESTS].concat();
    let trial = |(name, test): (&'static str, TestBody)| {
        let shared = Arc::clone(&shared);
        Trial::ignorable_test(name, move || shared.run(test))
    };
    let conclusion = libtest_mimic::run(&Arguments::from_args(), tests.into_iter().map(trial).collect());
    shared.clean();
    conclusion.exit_code()
}

/// What proves a statement about behaviour.
pub type TestBody = fn(&Bench) -> Result<(), String>;
/// The statement and its proof.
pub type Test = (&'static str, TestBody);
