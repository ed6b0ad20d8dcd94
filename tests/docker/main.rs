//! Lanes in real containers of a real engine.
//!
//! This binary is its own runner: it is put into an image the way Lockstep puts itself into one, and inside it obeys
//! `runner`'s commands. Where no engine answers, every test prints as ignored with the reason.

mod abandoned;
mod engines;
mod images;
mod lanes;
mod registry;
mod runner;

use std::path::PathBuf;

use libtest_mimic::{Arguments, Failed, Trial};
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
            launch: 1,
            model_dir: &self.model_dir,
            files_dir: None,
            own_executable: &self.executable,
            search_path: "",
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

fn bench(model_dir: PathBuf) -> Result<Bench, String> {
    block_on(async {
        let engine = Engine::connect(None).await.map_err(|error| error.to_string())?;
        let executable = std::env::current_exe().map_err(|error| error.to_string())?;
        // From here on an engine answers, so what fails is a failure and no reason to ignore.
        let image = build_self_image(&engine, &executable).await.expect("this binary can be put into an image");
        Ok(Bench { engine, image, executable, model_dir })
    })
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some(runner::FLAG) => return runner::run(),
        Some(abandoned::FLAG) => return abandoned::supervise(),
        _ => {}
    }
    let arguments = Arguments::from_args();
    let model = images::model_folder();
    let bench = match arguments.list {
        true => Err("only listed".to_owned()),
        false => bench(model.path().to_owned()),
    };
    let tests =
        lanes::TESTS.iter().chain(engines::TESTS).chain(abandoned::TESTS).chain(images::TESTS).map(|(name, test)| {
            match &bench {
                Ok(bench) => {
                    let bench = bench.clone();
                    Trial::test(*name, move || test(&bench).map_err(Failed::from))
                }
                Err(reason) => {
                    let failure = Failed::from(reason);
                    Trial::test(*name, move || Err(failure))
                        .with_kind(format!("ignored: {reason}"))
                        .with_ignored_flag(true)
                }
            }
        });
    let conclusion = libtest_mimic::run(&arguments, tests.collect());
    if let Ok(bench) = &bench {
        let own = &bench.image.reference;
        block_on(prune_self_images(&bench.engine, |name| name != own)).expect("the image is removed");
    }
    drop(model);
    conclusion.exit();
}

/// A test: a statement about behaviour, and what proves it.
pub type Test = (&'static str, fn(&Bench) -> Result<(), String>);
