//! What the environment says about the network.

use super::Error;
use crate::lock::{HubOptions, Proxy, RegistryOptions};

/// The model hub that is asked unless `HF_ENDPOINT` names another.
const HUB: &str = "https://huggingface.co";

/// The first of the variables that is set and not empty.
pub(super) fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok()).filter(|value| !value.is_empty())
}

/// What was typed to start this process, as a shell takes it: the variables that choose GPUs and project, the program's
/// name, its arguments.
pub(super) fn command() -> Vec<String> {
    let chosen = |name: &&str| variable(&[*name]).map(|value| format!("{name}={value}"));
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let variables = ["CUDA_VISIBLE_DEVICES", "LOCKSTEP_PROJECT"];
    let words = variables.iter().filter_map(chosen).chain([env!("CARGO_PKG_NAME").to_owned()]);
    words.chain(arguments).collect()
}

/// The proxy that `HTTPS_PROXY` and `NO_PROXY` ask for.
pub(super) fn proxy() -> Option<Proxy> {
    let url = variable(&["HTTPS_PROXY", "https_proxy"])?;
    Some(Proxy { url, except: variable(&["NO_PROXY", "no_proxy"]).unwrap_or_default() })
}

/// The model hub, and the access token for it.
pub(super) fn hub() -> Result<HubOptions, Error> {
    let token = variable(&["HF_TOKEN"]).map(|token| token.trim().to_owned()).filter(|token| !token.is_empty());
    if token.as_ref().is_some_and(|token| !token.bytes().all(|byte| byte.is_ascii_graphic())) {
        // What it holds instead is not shown, since a part of it may be the token.
        return Err(Error::usage("HF_TOKEN holds more than an access token", "give the token alone, or unset it"));
    }
    let endpoint = variable(&["HF_ENDPOINT"]).unwrap_or_else(|| HUB.to_owned());
    Ok(HubOptions { endpoint, token, http: RegistryOptions { proxy: proxy(), ..RegistryOptions::default() } })
}
