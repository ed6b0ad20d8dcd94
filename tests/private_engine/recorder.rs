//! A socket in front of an engine that keeps what is asked of it.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps every byte that goes to the engine, by connection.
pub struct Recorder {
    folder: tempfile::TempDir,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Recorder {
    pub fn of(engine: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("lsr").tempdir_in("/tmp").expect("a folder can be made");
        let listener = UnixListener::bind(folder.path().join("s")).expect("a socket can be made");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let at = {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.push(Vec::new());
                    kept.len() - 1
                };
                let kept = Arc::clone(&kept);
                let engine = engine.clone();
                std::thread::spawn(move || drop(pass(client, &engine, at, &kept)));
            }
        });
        Self { folder, heard }
    }

    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("s").display())
    }

    /// The bodies of the requests that create a container.
    pub fn created(&self) -> Vec<serde_json::Value> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter().filter_map(|bytes| creation(bytes)).collect()
    }
}

fn pass(client: UnixStream, engine: &Path, at: usize, kept: &Mutex<Vec<Vec<u8>>>) -> std::io::Result<()> {
    let mut engine = UnixStream::connect(engine)?;
    let (mut from_engine, mut to_client) = (engine.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from_engine, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    let (mut client, mut buffer) = (client, vec![0; 64 << 10]);
    while let read @ 1.. = client.read(&mut buffer)? {
        let bytes = &buffer[..read];
        kept.lock().unwrap_or_else(PoisonError::into_inner)[at].extend_from_slice(bytes);
        engine.write_all(bytes)?;
    }
    engine.shutdown(Shutdown::Write)
}

/// A connection carries one request where the client keeps none open.
fn creation(bytes: &[u8]) -> Option<serde_json::Value> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let asks = head.lines().next().is_some_and(|line| line.starts_with("POST") && line.contains("/containers/create"));
    // A body that is sent in pieces has their lengths around it.
    let (from, to) = (body.find('{')?, body.rfind('}')?);
    asks.then(|| serde_json::from_str(&body[from..=to]).expect("a request's body is JSON"))
}
