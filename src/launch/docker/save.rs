//! Images out of an engine, as the archive that its own clients call `save`.

use std::path::Path;

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::io::AsyncWriteExt as _;

use super::engine::{Engine, NEWS_DEADLINE, within};
use crate::launch::Error;

/// Writes the image that the engine holds under `name`, an id or a reference, to the file `out`.
///
/// # Errors
/// The engine holds no such image or stops sending it, or the file cannot be written.
pub async fn save_image(engine: &Engine, name: &str, out: &Path) -> Result<(), Error> {
    let doing = format!("saving image {name}");
    let mut file = tokio::fs::File::create(out).await.map_err(Error::file("create", out))?;
    let mut stream = std::pin::pin!(engine.docker().export_image(name));
    loop {
        let news = stream.next().map(Option::transpose);
        let Some(bytes) = within(NEWS_DEADLINE, doing.clone(), news).await? else { break };
        file.write_all(&bytes).await.map_err(Error::file("write", out))?;
    }
    file.flush().await.map_err(Error::file("write", out))
}
