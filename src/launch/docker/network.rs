//! The network of one server's container: it joins the container to this host and leads nowhere else.
//!
//! Every other lane has no network at all and speaks through its streams. A server is asked over TCP, so its container
//! gets a bridge of its own, which the engine keeps from everything outside (`internal`); it is made for one launch,
//! carries the launch's labels, and goes with it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, NetworkCreateRequest};
use bollard::query_parameters::InspectNetworkOptions;

use super::apart::remove_apart;
use super::container::END_DEADLINE;
use super::engine::Engine;
use crate::launch::Error;
use crate::launch::supervisor::Marker;

/// Between two looks at the engine.
const PAUSE: Duration = Duration::from_millis(25);

/// A network that is ours to remove.
pub(super) struct OwnedNetwork {
    engine: Engine,
    id: String,
    lane: String,
    port: u16,
    gone: bool,
}

impl OwnedNetwork {
    /// Makes the network of a launch whose server listens on `port`, and makes sure that it is closed.
    pub(super) async fn create(engine: &Engine, marker: &Marker, port: u16) -> Result<Self, Error> {
        let Marker { run, lane, launch, supervisor } = marker;
        if !engine.is_local() {
            return Err(Error::Request {
                lane: lane.clone(),
                missing: "an engine of this host, whose containers can be asked over the network",
                remedy: "start it where its engine runs",
            });
        }
        let request = NetworkCreateRequest {
            name: format!("lockstep-{run}-{lane}-{launch}-{}", supervisor.pid),
            driver: Some("bridge".to_owned()),
            internal: Some(true),
            labels: Some(marker.labels()),
            ..NetworkCreateRequest::default()
        };
        let creation = engine.docker().create_network(request);
        let created = engine.bring_up(format!("making the network of lane {lane}"), creation).await?;
        let network = Self { engine: engine.clone(), id: created.id, lane: lane.clone(), port, gone: false };
        let question = engine.docker().inspect_network(&network.id, None::<InspectNetworkOptions>);
        let found = engine.ask(format!("inspecting the network of lane {lane}"), question).await?;
        if found.internal != Some(true) {
            return Err(Error::Unconfined {
                lane: lane.clone(),
                which: "the network's Internal",
                asked: true.to_string(),
                found: format!("{:?}", found.internal),
            });
        }
        Ok(network)
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Where the server is reached on it.
    pub(super) fn address(&self, inspect: &ContainerInspectResponse) -> Result<SocketAddr, Error> {
        let networks = inspect.network_settings.as_ref().and_then(|settings| settings.networks.as_ref());
        let found = networks.into_iter().flatten().map(|(_, endpoint)| endpoint);
        let mut addresses = found.filter(|endpoint| endpoint.network_id.as_deref() == Some(&self.id));
        let address = addresses.find_map(|endpoint| endpoint.ip_address.as_ref()?.parse::<IpAddr>().ok());
        let address = address.ok_or_else(|| Error::Answer {
            doing: format!("inspecting the container of lane {}", self.lane),
            found: "the container has no address on its network".to_owned(),
        })?;
        Ok(SocketAddr::new(address, self.port))
    }

    pub(super) async fn remove(&mut self) -> Result<(), Error> {
        remove_network(&self.engine, &self.id, &self.lane).await?;
        self.gone = true;
        Ok(())
    }
}

/// Removes a network and returns when the engine no longer knows it. One that a container of somebody else has joined
/// meanwhile stays, and that is the error.
pub(in crate::launch) async fn remove_network(engine: &Engine, id: &str, lane: &str) -> Result<(), Error> {
    let mut refusal = None;
    let removal = tokio::time::timeout(END_DEADLINE, async {
        loop {
            refusal = engine.docker().remove_network(id).await.err();
            match engine.docker().inspect_network(id, None::<InspectNetworkOptions>).await {
                Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => return,
                Err(error) => refusal = Some(error),
                Ok(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    removal.await.map_err(|_| {
        let reason = refusal.map(|error| format!(" ({error})")).unwrap_or_default();
        let what = format!("network {id}{reason}");
        Error::StillThere { lane: lane.to_owned(), what, waited_s: END_DEADLINE.as_secs_f64() }
    })
}

impl Drop for OwnedNetwork {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        let (id, lane) = (self.id.clone(), self.lane.clone());
        remove_apart(self.engine.facts().host.clone(), async move |engine: Engine| {
            let _ = remove_network(&engine, &id, &lane).await;
        });
    }
}
