//! The engine itself: what it says it offers, and one that is reached over TCP.

use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use lockstep::launch::{Availability, Engine, Found, availability};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lanes::{GRACE, Talk, expect};
use crate::{Bench, Test, block_on, lane};

pub const TESTS: &[Test] = &[
    ("an_engine_that_answers_is_ready_with_its_facts", ready),
    ("a_gpu_lane_is_absent_where_the_engine_offers_no_gpu", gpus),
    ("an_engine_over_tcp_runs_lanes_and_shows_no_processes", remote),
];

fn ready(bench: &Bench) -> Result<(), String> {
    block_on(async {
        match availability(&lane(""), "", None).await {
            Availability::Ready(Found::Engine(facts)) => expect("facts", &facts, bench.engine.facts()),
            other => Err(format!("{other:?}")),
        }
    })
}

fn gpus(bench: &Bench) -> Result<(), String> {
    block_on(async {
        match (availability(&lane("gpus = [\"0\"]"), "", None).await, bench.engine.offers_gpus("")) {
            (Availability::Ready(_), true) => Ok(()),
            (Availability::Absent { remedy, .. }, false) => {
                expect("remedy", remedy.contains("nvidia-container-toolkit"), true)
            }
            (other, offers) => Err(format!("the engine offers GPUs: {offers}, and the lane is {other:?}")),
        }
    })
}

fn remote(bench: &Bench) -> Result<(), String> {
    let address = forward("/var/run/docker.sock").map_err(|error| error.to_string())?;
    block_on(async {
        let engine = Engine::connect(Some(&format!("tcp://{address}"))).await.map_err(|error| error.to_string())?;
        let bench = Bench { engine, ..bench.clone() };
        let mut talk = Talk::start(&bench, "remote").await?;
        expect("answer", talk.ask("echo over TCP").await?, "over TCP".to_owned())?;
        expect("work", talk.ask("work 100").await?, "worked true".to_owned())?;
        // An id that such an engine gives could be any process of this host.
        expect("process", talk.launched.pid(), None)?;
        let seen = talk.signals().await?;
        expect("the engine's word", seen.get("container.network"), Some(&"none".into()))?;
        expect("signals of processes", seen.keys().any(|name| name.starts_with("process.")), false)?;
        expect("processor time by the engine", talk.launched.cpu_ns().await > Some(1_000_000), true)?;
        talk.stdin.shutdown().await.map_err(|error| error.to_string())?;
        let mut rest = Vec::new();
        talk.stdout.read_to_end(&mut rest).await.map_err(|error| error.to_string())?;
        let exit = talk.launched.stop(GRACE).await.map_err(|error| error.to_string())?;
        expect("end of file over TCP", exit.status, Some(7))
    })
}

/// Forwards a port on loopback to a socket, each direction ended on its own, until the test's process ends.
fn forward(socket: &'static str) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(engine) = UnixStream::connect(socket) else { continue };
            let copies = client.try_clone().and_then(|client| Ok((client, engine.try_clone()?)));
            let Ok((client_too, engine_too)) = copies else { continue };
            std::thread::spawn(move || {
                pass_on(client, &engine);
                let _ = engine.shutdown(Shutdown::Write);
            });
            std::thread::spawn(move || {
                pass_on(engine_too, &client_too);
                let _ = TcpStream::shutdown(&client_too, Shutdown::Write);
            });
        }
    });
    Ok(address)
}

fn pass_on(mut from: impl Read, mut to: impl std::io::Write) {
    // Whoever hangs up first ends this direction.
    let _ = std::io::copy(&mut from, &mut to);
}
