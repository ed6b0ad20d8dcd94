//! Images on their way out of an engine into an OCI layout, and back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::query_parameters::RemoveImageOptionsBuilder;
use lockstep::launch::{
    ImageLayout, LaidImage, PackedImage, SelfImage, build_self_image, load_packed_image, prune_bundled_images,
    save_image, start,
};
use lockstep::terms::Digest;

use crate::lanes::expect;
use crate::{Bench, Test, ask_engine, block_on, lane};

pub const TESTS: &[Test] = &[
    ("an_image_that_the_engine_saved_is_loaded_again_as_the_same", saved_and_loaded),
    ("a_layout_with_a_changed_byte_gives_no_image", changed),
];

/// An image that the engine saved and no longer holds, in a layout of its own.
struct Packed {
    _folder: tempfile::TempDir,
    original: SelfImage,
    image: PackedImage,
}

impl Packed {
    async fn of(bench: &Bench, mark: &[u8]) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = folder.path().join("other");
        let mut bytes = std::fs::read(&bench.executable).map_err(|error| error.to_string())?;
        bytes.extend_from_slice(mark);
        std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
        let original = build_self_image(&bench.engine, &path).await.map_err(|error| error.to_string())?;
        let saved = folder.path().join("saved.tar");
        let id = original.id.to_string();
        save_image(&bench.engine, &id, &saved).await.map_err(|error| error.to_string())?;
        remove(&original.reference).await?;
        let layout = folder.path().join("images");
        let image = laid(&layout, &saved)?;
        Ok(Self { _folder: folder, original, image: PackedImage { layout, image } })
    }
}

fn laid(layout: &Path, saved: &Path) -> Result<LaidImage, String> {
    let mut filling = ImageLayout::create(layout).map_err(|error| error.to_string())?;
    let image = filling.add_saved(saved, None).map_err(|error| error.to_string())?;
    filling.finish().map_err(|error| error.to_string())?;
    Ok(image)
}

async fn remove(reference: &str) -> Result<(), String> {
    let options = RemoveImageOptionsBuilder::default().build();
    let removal = ask_engine().remove_image(reference, Some(options), None).await;
    removal.map(drop).map_err(|error| error.to_string())
}

fn saved_and_loaded(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let Packed { _folder, original, image } = Packed::of(bench, b"saved and loaded").await?;
        expect("configuration", image.image.config, original.config)?;
        expect("layers", &image.image.diff_ids, &original.diff_ids)?;
        let gone = ask_engine().inspect_image(&original.id.to_string()).await.is_err();
        expect("the engine no longer holds it", gone, true)?;
        let loaded = load_packed_image(&bench.engine, &image).await.map_err(|error| error.to_string())?;
        let again = load_packed_image(&bench.engine, &image).await.map_err(|error| error.to_string())?;
        expect("loaded once", &again, &loaded)?;
        let lane = lane("");
        let request = bench.request(&lane, "packed", &loaded);
        let mut launched = start(&request, Some(&bench.engine)).await.map_err(|error| error.to_string())?;
        launched.stop(Duration::from_secs(5)).await.map_err(|error| error.to_string())?;
        let bundled = prune_bundled_images(&bench.engine).await.map_err(|error| error.to_string())?;
        let name = &image.image.reference;
        expect("removed with what came from bundles", bundled.removed.contains(name), true)?;
        ask_engine().inspect_image(&bench.image.reference).await.map(drop).map_err(|error| error.to_string())
    })
}

fn changed(bench: &Bench) -> Result<(), String> {
    block_on(async {
        let Packed { _folder, original, image } = Packed::of(bench, b"changed").await?;
        let blob = |digest: &Digest| -> PathBuf { image.layout.join("blobs/sha256").join(digest.hex()) };
        for digest in [original.diff_ids[1], image.image.manifest, image.image.config] {
            let path = blob(&digest);
            let whole = std::fs::read(&path).map_err(|error| error.to_string())?;
            let mut bytes = whole.clone();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
            if let Ok(loaded) = load_packed_image(&bench.engine, &image).await {
                return Err(format!("a changed {digest} was taken: {loaded:?}"));
            }
            std::fs::write(&path, whole).map_err(|error| error.to_string())?;
            // Whatever the engine made of it may be left under the name.
            let _ = remove(&image.image.reference).await;
        }
        Ok(())
    })
}
