//! What the registry client does when a registry, or something on the way to it, misbehaves.

mod hub;
mod inputs;

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::faulty_registry::{Body, FaultyRegistry, Reply, Seen};
use super::transport::{Request, Transport};
use super::{Credentials, Drift, Error, ImageReference, Platform, Proxy, Registry, RegistryOptions};
use crate::plan::ImagePin;
use crate::terms::Digest;

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// A small image: its configuration and its manifest.
#[derive(Clone)]
struct Image {
    config: String,
    manifest: String,
}

fn image() -> Image {
    image_of(&json!({"os": "linux", "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"layer")]}}))
}

fn image_of(config: &Value) -> Image {
    let config = config.to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(config.as_bytes()),
            "size": config.len()},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": Digest::of(b"gz"), "size": 2}],
    });
    Image { config, manifest: manifest.to_string() }
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

impl Image {
    /// What a registry that makes no faults replies.
    fn reply(&self, seen: &Seen) -> Reply {
        if seen.target.contains("/manifests/") {
            Reply::new(200, self.manifest.as_str())
                .with("Content-Type", MANIFEST_TYPE)
                .with("Docker-Content-Digest", digest(&self.manifest).to_string())
        } else if seen.target.ends_with(&digest(&self.config).to_string()) {
            Reply::new(200, self.config.as_str())
        } else {
            Reply::new(404, r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}"#)
        }
    }
}

fn options() -> RegistryOptions {
    RegistryOptions { attempts: 3, first_wait_s: 0.001, longest_wait_s: 1.0, request_s: 20.0, ..Default::default() }
}

fn reference(server: &FaultyRegistry, rest: &str) -> ImageReference {
    format!("{}/{rest}", server.address).parse().unwrap()
}

fn amd64() -> Platform {
    "linux/amd64".parse().unwrap()
}

fn resolve_with(options: RegistryOptions, server: &FaultyRegistry) -> Result<ImagePin, Error> {
    Registry::new(options).resolve(&reference(server, "org/a:1"), &amd64())
}

fn resolve(server: &FaultyRegistry) -> Result<ImagePin, Error> {
    resolve_with(options(), server)
}

/// What resolving gives when only the manifest's reply is another one.
fn resolve_manifest(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Result<ImagePin, Error> {
    let good = image();
    resolve(&FaultyRegistry::start(
        move |seen| {
            if seen.target.contains("/manifests/") { reply() } else { good.reply(seen) }
        },
    ))
}

#[test]
fn a_body_other_than_the_registry_s_own_digest_is_refused() {
    let claimed = digest("something else");
    let error =
        resolve_manifest(move || Reply::new(200, image().manifest).with("Docker-Content-Digest", claimed.to_string()));
    let error = error.unwrap_err();
    assert!(matches!(error, Error::WrongDigest { expected, .. } if expected == claimed), "{error}");
    assert!(error.to_string().contains("/v2/org/a/manifests/1"), "{error}");
}

#[test]
fn a_digest_header_that_is_none_is_refused() {
    let error = resolve_manifest(|| Reply::new(200, image().manifest).with("Docker-Content-Digest", "sha512:00"));
    assert!(matches!(error, Err(Error::Malformed { .. })));
}

#[test]
fn a_body_other_than_the_digest_asked_for_is_refused() {
    let good = image();
    let server = FaultyRegistry::start(move |seen| good.reply(seen));
    let wanted = digest("wanted");
    let error = Registry::new(options()).resolve(&reference(&server, &format!("a@{wanted}")), &amd64()).unwrap_err();
    assert!(matches!(error, Error::WrongDigest { expected, by: "the reference", .. } if expected == wanted), "{error}");
}

#[test]
fn a_configuration_other_than_the_manifest_names_is_refused() {
    for (change, is_size) in [("linux", false), ("another length", true)] {
        let good = image();
        let server = FaultyRegistry::start(move |seen| match good.reply(seen) {
            reply if seen.target.contains("/manifests/") => reply,
            _ => Reply::new(200, good.config.replacen("linux", if is_size { change } else { "Linux" }, 1)),
        });
        match resolve(&server).unwrap_err() {
            Error::WrongDigest { by: "the manifest", .. } => assert!(!is_size),
            Error::WrongSize { .. } => assert!(is_size),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_busy_registry_is_asked_again_as_long_as_it_says() {
    for status in [429, 500, 502, 503, 504] {
        let (good, asked) = (image(), AtomicUsize::new(0));
        let server = FaultyRegistry::start(move |seen| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::new(status, "").with("Retry-After", "0"),
            1 => Reply::new(status, ""),
            _ => good.reply(seen),
        });
        assert_eq!(resolve(&server).unwrap().manifest, digest(&image().manifest));
        assert_eq!(server.seen_with("/manifests/").len(), 3);
    }
}

#[test]
fn a_registry_that_stays_busy_is_given_up_after_all_attempts() {
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate \u001b[31mlimit"}]}"#;
    let server = FaultyRegistry::start(move |_| Reply::new(429, body));
    let error = resolve(&server).unwrap_err();
    assert!(matches!(error, Error::Busy { status: 429, attempts: 3, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("TOOMANYREQUESTS") && !text.contains('\u{1b}'), "{text}");
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn a_registry_that_asks_for_too_long_a_wait_is_not_asked_again() {
    let server = FaultyRegistry::start(|_| Reply::new(429, "").with("Retry-After", "3600"));
    let error = resolve(&server).unwrap_err();
    assert!(error.to_string().contains("asks to wait 3600 s"), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn an_answer_that_breaks_off_is_asked_for_again_and_then_reported() {
    let error = resolve_manifest(|| Reply::new(200, "").body(Body::CutInHalf(image().manifest.into())));
    assert!(matches!(error, Err(Error::Interrupted { attempts: 3, .. })), "{error:?}");
    let (good, asked) = (image(), AtomicUsize::new(0));
    let server = FaultyRegistry::start(move |seen| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(200, "").body(Body::CutInHalf(image().manifest.into())),
        _ => good.reply(seen),
    });
    assert!(resolve(&server).is_ok());
}

#[test]
fn a_body_without_end_is_cut_off() {
    let error = resolve_manifest(|| Reply::new(200, "").body(Body::Endless));
    assert!(matches!(error, Err(Error::TooLarge { limit_bytes, .. }) if limit_bytes == 4 << 20), "{error:?}");
    let large = vec![b' '; 5 << 20];
    let error = resolve_manifest(move || Reply::new(200, large.clone()));
    assert!(matches!(error, Err(Error::TooLarge { .. })));
    let error = resolve_manifest(|| Reply::new(404, "").body(Body::Endless));
    assert!(matches!(error, Err(Error::NotFound { .. })), "{error:?}");
}

#[test]
fn a_silent_registry_runs_into_the_time_limit() {
    let server = FaultyRegistry::start(|_| Reply::new(200, "").body(Body::Silent));
    let error = resolve_with(RegistryOptions { request_s: 0.2, ..options() }, &server).unwrap_err();
    assert!(error.to_string().contains("no complete answer within 0.2 s"), "{error}");
}

#[test]
fn nothing_there_and_no_such_host_are_told_apart() {
    let closed = FaultyRegistry::start(|_| Reply::new(200, "")).address;
    let missing: ImageReference = format!("{closed}/a:1").parse().unwrap();
    let error = Registry::new(options()).resolve(&missing, &amd64()).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    // RFC 6761 keeps `.invalid` for names that never resolve. Plain HTTP, so that no CA certificates are needed.
    let plain_http = ["registry.invalid".to_owned()].into();
    let nowhere = "registry.invalid/a:1".parse().unwrap();
    let registry = Registry::new(RegistryOptions { plain_http, ..options() });
    let error = registry.resolve(&nowhere, &amd64()).unwrap_err();
    // Where a name server is configured and not reachable, the time to connect runs out first.
    assert!(matches!(error, Error::Dns { .. }) || error.to_string().contains("none within 10 s"), "{error}");
}

#[test]
fn a_host_that_does_not_speak_tls_is_told_apart() {
    let server = FaultyRegistry::start(|_| Reply::new(200, ""));
    let transport = Transport::new(options().into(), false).unwrap();
    let request = Request {
        method: Method::GET,
        url: Url::parse(&format!("https://{}/v2/", server.address)).unwrap(),
        what: "something".into(),
        accept: "*/*",
        authorization: None,
        limit_bytes: 10,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(transport.send(&request)).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
}

/// A registry that wants a token, whose token service is the same server.
fn with_tokens(realm: Option<&'static str>, granted: &'static str) -> FaultyRegistry {
    let good = image();
    FaultyRegistry::start(move |seen| {
        let host = seen.headers.get("host").cloned().unwrap_or_default();
        if seen.target.starts_with("/token") {
            return Reply::new(200, json!({"access_token": granted}).to_string());
        }
        match seen.headers.get("authorization").map(String::as_str) {
            Some("Bearer good") => good.reply(seen),
            _ => {
                let realm = realm.map_or_else(|| format!("http://{host}/token?a=b"), str::to_owned);
                Reply::new(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#)
                    .with("WWW-Authenticate", format!("Bearer realm=\"{realm}\",service=\"test service\""))
            }
        }
    })
}

#[test]
fn a_token_is_got_once_and_sent_with_every_further_request() {
    let server = with_tokens(None, "good");
    assert!(resolve(&server).is_ok());
    let tokens = server.seen_with("/token");
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].target, "/token?a=b&service=test+service&scope=repository%3Aorg%2Fa%3Apull");
    assert_eq!(tokens[0].headers.get("authorization"), None);
    let sent = server.seen_with("/v2/").iter().filter(|seen| seen.headers.contains_key("authorization")).count();
    assert_eq!(sent, 2, "manifest and configuration go with the token");
}

#[test]
fn credentials_go_to_the_token_service_of_their_own_registry_only() {
    let server = with_tokens(None, "good");
    let me = Credentials { username: "me".into(), password: "secret".into() };
    let host = server.address.to_string();
    for (host, expected) in [(host.as_str(), Some("Basic bWU6c2VjcmV0")), ("docker.io", None)] {
        let credentials = [(host.to_owned(), me.clone())].into();
        resolve_with(RegistryOptions { credentials, ..options() }, &server).unwrap();
        let last = server.seen_with("/token").pop().unwrap();
        assert_eq!(last.headers.get("authorization").map(String::as_str), expected);
    }
    let leaked = server.seen_with("/v2/").into_iter().filter_map(|seen| seen.headers.get("authorization").cloned());
    assert!(leaked.into_iter().all(|header| header == "Bearer good"));
}

#[test]
fn a_token_that_does_not_help_is_denied_and_not_asked_for_without_end() {
    let server = with_tokens(None, "bad");
    let error = resolve(&server).unwrap_err();
    assert!(matches!(error, Error::Denied { status: 401, .. }), "{error}");
    assert!(error.to_string().contains("authentication required"), "{error}");
    assert_eq!(server.seen().len(), 3);
    for unusable in ["", "a\nb"] {
        let error = resolve(&with_tokens(None, unusable)).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }
}

#[test]
fn a_token_service_without_encryption_elsewhere_gets_nothing() {
    for realm in ["http://token.example/token", "", "ftp://127.0.0.1/token", "token"] {
        let error = resolve(&with_tokens(Some(realm), "good")).unwrap_err();
        assert!(matches!(error, Error::Challenge { .. }), "{realm}: {error}");
    }
}

#[test]
fn basic_is_answered_with_credentials_and_denied_without() {
    let good = image();
    let server = FaultyRegistry::start(move |seen| match seen.headers.get("authorization").map(String::as_str) {
        Some("Basic bWU6c2VjcmV0") => good.reply(seen),
        _ => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let error = resolve(&server).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    let me = Credentials { username: "me".into(), password: "secret".into() };
    let credentials = [(server.address.to_string(), me)].into();
    resolve_with(RegistryOptions { credentials, ..options() }, &server).unwrap();
    let unknown = FaultyRegistry::start(|_| Reply::new(401, "").with("WWW-Authenticate", "Negotiate"));
    assert!(matches!(resolve(&unknown), Err(Error::Challenge { .. })));
}

#[test]
fn what_is_no_image_for_this_platform_is_refused_by_its_kind() {
    let schema1 = json!({"schemaVersion": 1, "fsLayers": []}).to_string();
    let error = resolve_manifest(move || Reply::new(200, schema1.as_str()));
    assert!(matches!(error, Err(Error::Schema1 { .. })));

    let page = "<html>please log in</html>";
    let error = resolve_manifest(move || Reply::new(200, page).with("Content-Type", "text/html"));
    assert!(matches!(error, Err(Error::Malformed { .. })));

    let entry = json!({"digest": digest("x"), "size": 1, "platform": {"os": "linux", "architecture": "s390x"}});
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let error = resolve_manifest(move || Reply::new(200, index.as_str()).with("Content-Type", INDEX_TYPE));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no image for linux/amd64") && error.contains("available: linux/s390x"), "{error}");
}

#[test]
fn a_configuration_that_contradicts_its_manifest_is_refused() {
    let layers = |count: usize| json!({"type": "layers", "diff_ids": vec![digest("layer"); count]});
    let resolve_config = |config: Value| {
        let image = image_of(&config);
        resolve(&FaultyRegistry::start(move |seen| image.reply(seen)))
    };
    let two = json!({"os": "linux", "architecture": "amd64", "rootfs": layers(2)});
    assert!(matches!(resolve_config(two), Err(Error::LayerCount { layers: 1, diff_ids: 2, .. })));
    let arm = json!({"os": "linux", "architecture": "arm64", "rootfs": layers(1)});
    let available =
        |error: &Error| matches!(error, Error::NoPlatform { available, .. } if available == &["linux/arm64"]);
    assert!(available(&resolve_config(arm).unwrap_err()));
    assert!(matches!(resolve_config(json!({})), Err(Error::Malformed { .. })));
}

#[test]
fn an_index_in_place_of_an_image_is_refused() {
    let inner = json!({"schemaVersion": 2, "manifests": []}).to_string();
    let entry = json!({"digest": digest(&inner), "size": inner.len(),
        "platform": {"os": "linux", "architecture": "amd64"}});
    let outer = json!({"schemaVersion": 2, "manifests": [entry]}).to_string();
    let server = FaultyRegistry::start(move |seen| {
        Reply::new(200, if seen.target.ends_with("/1") { outer.as_str() } else { inner.as_str() })
    });
    assert!(matches!(resolve(&server), Err(Error::NotAnImage { .. })));
}

#[test]
fn a_blob_s_redirect_is_followed_without_the_token() {
    let good = image();
    let store = FaultyRegistry::start(move |seen| match seen.headers.get("authorization") {
        None => Reply::new(200, good.config.as_str()),
        Some(_) => Reply::new(400, ""),
    });
    let (good, location) = (image(), format!("http://{}/store", store.address));
    let server = FaultyRegistry::start(move |seen| match seen.headers.get("authorization") {
        Some(_) if seen.target.contains("/blobs/") => Reply::new(307, "").with("Location", location.as_str()),
        Some(_) => good.reply(seen),
        None => Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""),
    });
    let me = Credentials { username: "me".into(), password: "secret".into() };
    let credentials = [(server.address.to_string(), me)].into();
    resolve_with(RegistryOptions { credentials, ..options() }, &server).unwrap();
    assert_eq!(store.seen().len(), 1);
}

#[test]
fn a_redirect_s_target_cannot_ask_for_proof_of_identity() {
    let store = FaultyRegistry::start(|_| Reply::new(401, "").with("WWW-Authenticate", "Basic realm=\"x\""));
    let location = format!("http://{}/store", store.address);
    let server = FaultyRegistry::start(move |_| Reply::new(302, "").with("Location", location.as_str()));
    let me = Credentials { username: "me".into(), password: "secret".into() };
    let credentials = [(server.address.to_string(), me)].into();
    let error = resolve_with(RegistryOptions { credentials, ..options() }, &server).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error}");
    assert!(store.seen().iter().all(|seen| !seen.headers.contains_key("authorization")));
}

#[test]
fn a_redirect_in_circles_or_out_of_reach_is_not_followed() {
    for (location, part) in [("/v2/manifests/again", "more than 5"), ("http://store.example/x", "without encryption")] {
        let error = resolve_manifest(move || Reply::new(302, "").with("Location", location)).unwrap_err();
        assert!(matches!(error, Error::Redirect { .. }) && error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_proxy_is_used_for_other_hosts_and_not_for_this_machine() {
    let good = image();
    let proxy = FaultyRegistry::start(move |seen| good.reply(seen));
    let good = image();
    let direct = FaultyRegistry::start(move |seen| good.reply(seen));
    let options = RegistryOptions {
        proxy: Some(Proxy { url: format!("http://{}", proxy.address), except: String::new() }),
        plain_http: ["registry.example".to_owned()].into(),
        ..options()
    };
    resolve_with(options.clone(), &direct).unwrap();
    assert_eq!((direct.seen().len(), proxy.seen().len()), (2, 0));
    Registry::new(options).resolve(&"registry.example/a:1".parse().unwrap(), &amd64()).unwrap();
    assert_eq!(proxy.seen()[0].target, "http://registry.example/v2/a/manifests/1");
}

#[test]
fn a_registry_without_head_still_shows_drift() {
    let (old, new) = (
        image(),
        image_of(&json!({"os": "linux", "architecture": "amd64", "created": "later",
        "rootfs": {"type": "layers", "diff_ids": [Digest::of(b"layer")]}})),
    );
    let moved = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let has_moved = std::sync::Arc::clone(&moved);
    let (before, after) = (digest(&old.manifest), digest(&new.manifest));
    let server = FaultyRegistry::start(move |seen| match (seen.method.as_str(), has_moved.load(Ordering::SeqCst)) {
        ("HEAD", _) => Reply::new(405, ""),
        (_, false) => old.reply(seen),
        (_, true) => new.reply(seen),
    });
    let registry = Registry::new(options());
    let pin = resolve(&server).unwrap();
    assert_eq!(registry.drift(&pin).unwrap(), None);
    moved.store(true, Ordering::SeqCst);
    let drift: Drift = registry.drift(&pin).unwrap().unwrap();
    assert_eq!((drift.from.manifest, drift.to.manifest), (before, after));
    assert!(drift.to_string().contains(&format!("moved from {before} to {after}")), "{drift}");
}

#[test]
fn the_client_may_be_called_from_inside_a_runtime() {
    let good = image();
    let server = FaultyRegistry::start(move |seen| good.reply(seen));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(async { resolve(&server) }).is_ok());
}
