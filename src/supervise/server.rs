//! A lane whose process is a server: started, waited for until it says that it is ready, asked what it is, and ended.
//!
//! ```text
//! open ──> answers 200 at its health path ──> asked ──> leave
//!   └── ended, or silent for `load_s`, or at the wall cap: broken, with the end of its log
//! ```
//! A server speaks no wire, so its only sign of life before it is ready is that its log grows. What it says of itself is
//! its own word, as a runner's signals are.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::session::{Gone, Halt, broken, end, explained, seconds, start};
use super::stop::Stop;
use crate::launch::{Engine, LaunchRequest, Launched};
use crate::plan::{Ask, Limits, Server};
use crate::terms::{Failure, FailureClass, Outcome, Signal, SignalValue};

/// How long one answer may take. A server that is busy loading lets a question wait; it is asked again.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// More than a server says of itself.
const ANSWER_BYTES: usize = 4 << 20;
/// Between two questions whether it is ready, at first and at last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A server that was started.
pub(super) struct ServerSession {
    launched: Launched,
    server: Server,
    client: reqwest::Client,
    limits: Limits,
    wall_deadline: Instant,
    started: Instant,
    stop: Stop,
    /// When it was ready, since its start.
    ready: Option<Duration>,
}

impl ServerSession {
    /// Starts the lane; whether it is ready is not known yet.
    pub(super) async fn open(
        request: &LaunchRequest<'_>,
        server: &Server,
        engine: Option<&Engine>,
        stop: &Stop,
    ) -> Result<Self, (Halt, Gone)> {
        let limits = request.lane.limits.clone();
        let client = client().map_err(|message| (broken(FailureClass::Launch, message), Gone::default()))?;
        let started = Instant::now();
        Ok(Self {
            launched: start(request, engine).await?,
            server: server.clone(),
            client,
            wall_deadline: started + seconds(limits.wall_s),
            limits,
            started,
            stop: stop.clone(),
            ready: None,
        })
    }

    /// What is seen of it from outside.
    pub(super) async fn look(&self) -> Result<Vec<Signal>, Halt> {
        let seen = self.launched.observe().await;
        let mut signals =
            seen.map_err(|error| broken(FailureClass::Launch, format!("looking at the lane from outside: {error}")))?;
        if let Some(ready) = self.ready {
            let ready_ms = i64::try_from(ready.as_millis()).unwrap_or(i64::MAX);
            signals.push(Signal::outside("server.health", self.server.health.as_str()));
            signals.push(Signal::outside("server.ready_ms", ready_ms));
        }
        Ok(signals)
    }

    /// Waits until it answers 200 at its health path.
    pub(super) async fn wait_until_ready(&mut self) -> Result<(), Halt> {
        let (mut pause, longest) = PAUSES;
        let (mut heard, mut alive) = (self.launched.output_bytes(), Instant::now());
        let mut last = "it was not asked yet".to_owned();
        loop {
            let bytes = self.launched.output_bytes();
            if bytes != heard {
                (heard, alive) = (bytes, Instant::now());
            }
            let deadline = (alive + seconds(self.limits.load_s)).min(self.wall_deadline);
            if Instant::now() >= deadline {
                return Err(self.overdue(&last));
            }
            let asked = ask(&self.client, self.launched.address(), &self.server.health);
            tokio::select! {
                biased;
                () = self.stop.asked() => return Err(Halt::Stopped),
                ended = self.launched.wait() => return Err(match ended {
                    Ok(_) => broken(FailureClass::Died, format!("the server ended before it was ready: {last}")),
                    Err(error) => broken(FailureClass::Died, format!("the server is lost: {error}")),
                }),
                answer = asked => match answer {
                    Ok(_) => {
                        self.ready = Some(self.started.elapsed());
                        return Ok(());
                    }
                    Err(words) => last = words,
                },
                () = tokio::time::sleep_until(deadline.into()) => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// What it answers to the lane's questions, each as a signal.
    pub(super) async fn answers(&mut self) -> Result<Vec<Signal>, Halt> {
        let mut signals = Vec::with_capacity(self.server.asks.len());
        for Ask { path, pointer, signal } in &self.server.asks {
            let answer = tokio::select! {
                biased;
                () = self.stop.asked() => return Err(Halt::Stopped),
                answer = ask(&self.client, self.launched.address(), path) => answer,
            };
            let value = answer.and_then(|body| value_at(&body, pointer).map_err(|words| format!("{path}: {words}")));
            let value = value.map_err(|words| {
                let failure = Failure::new(FailureClass::Preflight, format!("signal {signal}: {words}"));
                Halt::Broken(
                    Outcome::Refused,
                    failure.with_remedy("ask in the lane's [server] what this server answers"),
                )
            })?;
            signals.push(Signal::inside(signal, value));
        }
        Ok(signals)
    }

    /// Ends it in good order.
    pub(super) async fn leave(self) -> Gone {
        end(self.launched, &self.limits).await.0
    }

    /// Ends it, and says what it died of where that is known.
    pub(super) async fn kill_for(self, halt: Halt) -> (Halt, Gone) {
        let (gone, log) = end(self.launched, &self.limits).await;
        (explained(halt, &gone, log), gone)
    }

    fn overdue(&self, last: &str) -> Halt {
        let Limits { load_s, wall_s, .. } = self.limits;
        let (class, message) = if Instant::now() >= self.wall_deadline {
            (FailureClass::WallCap, format!("the server was not ready at the wall cap of {wall_s} s: {last}"))
        } else {
            let message = format!("the server is not ready and wrote nothing to its log for {load_s} s: {last}");
            (FailureClass::Inactive, message)
        };
        Halt::Broken(Outcome::Hung, Failure::new(class, message))
    }
}

/// A client of this host's own servers: no proxy, no certificates, no way to elsewhere.
fn client() -> Result<reqwest::Client, String> {
    let builder = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let builder = builder.redirect(reqwest::redirect::Policy::none()).timeout(ANSWER_DEADLINE);
    builder.build().map_err(|error| format!("making a client for the server: {error}"))
}

/// The body of a 200, or what came instead.
async fn ask(client: &reqwest::Client, address: Option<SocketAddr>, path: &str) -> Result<Vec<u8>, String> {
    let Some(address) = address else { return std::future::pending().await };
    let broken = |error: reqwest::Error| format!("{path}: {}", innermost(&error));
    let mut response = client.get(format!("http://{address}{path}")).send().await.map_err(broken)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES {
            return Err(format!("{path} answers with more than {ANSWER_BYTES} bytes"));
        }
    }
    match response.status().as_u16() {
        200 => Ok(body),
        status => {
            let words: String = String::from_utf8_lossy(&body).trim().chars().take(200).collect();
            let words = if words.is_empty() { String::new() } else { format!(": {words}") };
            Err(format!("{path} answers {status}{words}"))
        }
    }
}

/// The outer layers of a client's error repeat the address.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn value_at(body: &[u8], pointer: &str) -> Result<SignalValue, String> {
    let json: Value = serde_json::from_slice(body).map_err(|error| format!("the answer is no JSON: {error}"))?;
    match json.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.as_str().into()),
        Some(Value::Bool(value)) => Ok((*value).into()),
        Some(Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(whole.into()),
            (None, Some(real)) => Ok(SignalValue::Float(real)),
            (None, None) => Err(format!("the answer holds {number} at {pointer}")),
        },
        Some(other) => Err(format!("the answer holds {other} at {pointer}, which is no single value")),
        None => Err(format!("the answer holds nothing at {pointer}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_single_value_where_it_was_asked_for() {
        let body = br#"{"version":"0.11.0","data":[{"owned_by":"vllm","n":3,"share":0.5,"ready":true}]}"#;
        let read = |pointer: &str| value_at(body, pointer);
        assert_eq!(read("/version"), Ok("0.11.0".into()));
        assert_eq!(read("/data/0/owned_by"), Ok("vllm".into()));
        assert_eq!(read("/data/0/n"), Ok(SignalValue::Int(3)));
        assert_eq!(read("/data/0/share"), Ok(SignalValue::Float(0.5)));
        assert_eq!(read("/data/0/ready"), Ok(SignalValue::Bool(true)));
        assert!(read("/data").unwrap_err().contains("no single value"));
        assert!(read("/nothing").unwrap_err().contains("nothing at /nothing"));
        assert!(value_at(b"OK", "/version").unwrap_err().contains("no JSON"));
    }
}
