//! An image whose layers are packed by zstd: locked like any, and then run as what was locked or refused in words that say
//! why. Engines before 23 do not unpack it.

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptionsBuilder;
use lockstep::launch::{Engine, ensure_image};
use lockstep::lock::{Platform, Registry};

use super::Outcome;
use super::images::{Family, Image, Pusher};

pub async fn layers_by_zstd_are_the_locked_ones_or_refused(docker: &Docker, host: &str) -> Outcome {
    let platform = Platform::host();
    let image = Image::packed_by_zstd(&platform.to_string(), "zstd");
    // The same files packed by gzip: what both are unpacked has the same digests.
    let plain = Image::new(Family::Oci, &platform.to_string(), "zstd");
    assert_eq!(image.diff_ids, plain.diff_ids);
    let repository = format!("{host}/zstd/a");
    let reference = format!("{repository}:1");
    Pusher::new(host, "zstd/a", None)?.image(&image, Some("1")).await?;
    let name = reference.parse()?;
    let pin = tokio::task::spawn_blocking(move || Registry::default().resolve(&name, &platform)).await??;
    assert_eq!((pin.manifest, &pin.diff_ids), (image.manifest.digest(), &plain.diff_ids));
    let engine = Engine::connect(None).await?;
    match ensure_image(&engine, &pin, drop).await {
        Ok(found) => {
            let options = RemoveImageOptionsBuilder::default().force(true).build();
            docker.remove_image(&found.id.to_string(), Some(options), None).await?;
        }
        Err(error) => {
            let said = error.to_string();
            for word in [repository.as_str(), "engines before 23 unpack none that is packed by zstd", "by gzip"] {
                if !said.contains(word) {
                    return Err(format!("{word:?} is not in: {said}").into());
                }
            }
        }
    }
    Ok(())
}
