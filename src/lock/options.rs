//! What a registry client may be told. The command line fills this in; nothing here reads the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::reference::is_loopback;

/// User name and password (or access token) for one registry.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password or access token.
    pub password: String,
}

impl fmt::Debug for Credentials {
    /// Without the password: debug texts end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// An HTTP proxy. Hosts of this machine itself are never asked for through it.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its URL, for example `http://proxy.example:3128`.
    pub url: String,
    /// Hosts and networks that are reached directly, separated by commas, as in `NO_PROXY`.
    pub except: String,
}

impl fmt::Debug for Proxy {
    /// Without the URL's user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.rsplit('@').next().unwrap_or_default();
        f.debug_struct("Proxy").field("host", &host).field("except", &self.except).finish()
    }
}

/// How registries are reached.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryOptions {
    /// Credentials by the host that references name, for example `docker.io`. Sent to that registry, or to the token
    /// service that it names, and to nobody else.
    pub credentials: BTreeMap<String, Credentials>,
    /// Hosts (`HOST` or `HOST:PORT`) that speak plain HTTP; those of this machine itself always do.
    pub plain_http: BTreeSet<String>,
    /// A proxy to go through.
    pub proxy: Option<Proxy>,
    /// Longest time to connect, in seconds.
    pub connect_s: f64,
    /// Longest time of one request with its answer, in seconds.
    pub request_s: f64,
    /// How often one thing is asked for while a registry is busy or the connection breaks.
    pub attempts: u32,
    /// The wait after the first attempt, in seconds; doubled after each further one.
    pub first_wait_s: f64,
    /// The longest wait, in seconds. A registry that asks for a longer one is not asked again.
    pub longest_wait_s: f64,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            credentials: BTreeMap::new(),
            plain_http: BTreeSet::new(),
            proxy: None,
            connect_s: 10.0,
            request_s: 60.0,
            attempts: 4,
            first_wait_s: 0.5,
            longest_wait_s: 30.0,
        }
    }
}

impl RegistryOptions {
    /// Whether `host`, with `port` where one is written, may be spoken to without encryption.
    pub(super) fn speaks_plain_http(&self, host: &str, port: Option<u16>) -> bool {
        let with_port = port.map(|port| format!("{host}:{port}"));
        is_loopback(host) || self.plain_http.contains(host) || with_port.is_some_and(|h| self.plain_http.contains(&h))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_debug_texts() {
        let secret = Credentials { username: "me".into(), password: "hunter2".into() };
        let proxy = Proxy { url: "http://me:hunter2@proxy.example:1".into(), except: String::new() };
        let text = format!("{secret:?} {proxy:?}");
        assert!(text.contains("me") && text.contains("proxy.example") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn plain_http_is_for_this_machine_and_for_listed_hosts() {
        let options =
            RegistryOptions { plain_http: ["a.example".into(), "b.example:5000".into()].into(), ..Default::default() };
        for (host, port, expected) in [
            ("127.0.0.1", Some(5000), true),
            ("[::1]", None, true),
            ("localhost", None, true),
            ("a.example", Some(80), true),
            ("b.example", Some(5000), true),
            ("b.example", Some(5001), false),
            ("b.example", None, false),
            ("c.example", None, false),
        ] {
            assert_eq!(options.speaks_plain_http(host, port), expected, "{host} {port:?}");
        }
    }
}
