//! What a container engine says of an image that was resolved.

use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::{CreateImageOptionsBuilder, RemoveImageOptionsBuilder};
use futures_util::TryStreamExt as _;
use lockstep::plan::ImagePin;
use lockstep::terms::Digest;

const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// The engine of this host; or why there is none.
pub async fn connect() -> Result<Docker, String> {
    let connect = async {
        let docker = Docker::connect_with_local_defaults()?.negotiate_version().await?;
        docker.ping().await?;
        Ok(docker)
    };
    match tokio::time::timeout(ANSWER_LIMIT, connect).await {
        Ok(answer) => answer.map_err(|error: bollard::errors::Error| format!("no container engine answers: {error}")),
        Err(_) => Err("the container engine does not answer".into()),
    }
}

/// Pulls `by_digest` and compares what the engine then has with the pin; the image is removed in any case.
pub async fn pull_and_compare(docker: &Docker, by_digest: &str, pin: &ImagePin) -> Result<(), String> {
    let options = CreateImageOptionsBuilder::default().from_image(by_digest).platform(&pin.platform).build();
    let pulled = docker.create_image(Some(options), None, None).try_collect::<Vec<_>>().await;
    let outcome = match pulled {
        Ok(_) => compare(docker, by_digest, pin).await,
        Err(error) => Err(format!("pulling {by_digest}: {error}")),
    };
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let removed = docker.remove_image(by_digest, Some(options), None).await;
    outcome?;
    removed.map(|_| ()).map_err(|error| format!("removing {by_digest}: {error}"))
}

async fn compare(docker: &Docker, by_digest: &str, pin: &ImagePin) -> Result<(), String> {
    let image = docker.inspect_image(by_digest).await.map_err(|error| format!("inspecting: {error}"))?;
    let digest = |text: &String| text.parse::<Digest>().map_err(|error| error.to_string());
    let layers = image.root_fs.and_then(|root| root.layers).unwrap_or_default();
    let layers: Vec<Digest> = layers.iter().map(digest).collect::<Result<_, _>>()?;
    if layers != pin.diff_ids {
        return Err(format!("the engine has the layers {layers:?}, the pin {:?}", pin.diff_ids));
    }
    // One image store names an image by its configuration, the other by what was pulled.
    let id = digest(&image.id.unwrap_or_default())?;
    if id != pin.config && id != pin.manifest && Some(id) != pin.index {
        return Err(format!("the engine's id is {id}, which is no digest of {pin:?}"));
    }
    let digests = image.repo_digests.unwrap_or_default();
    if !digests.iter().any(|found| found == by_digest) {
        return Err(format!("the engine has {digests:?}, and {by_digest} was pulled"));
    }
    Ok(())
}

/// The engine holds the image that a bundle brought; its name goes again, and it with it.
pub async fn image_of_bundle(docker: &Docker, config: Digest) -> Result<(), String> {
    let name = format!("lockstep/bundle:{}", config.short());
    let options = RemoveImageOptionsBuilder::default().force(true).build();
    let removed = docker.remove_image(&name, Some(options), None).await;
    removed.map(drop).map_err(|error| format!("removing {name}: {error}"))
}
