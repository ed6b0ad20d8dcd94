//! Proof of identity: from a registry's challenge to what goes with the next request.
//!
//! Source: the token authentication of the distribution project (`docs/spec/auth/token.md`), which all public
//! registries speak; anonymous where no credentials are given.

use reqwest::{Method, Url};
use serde::Deserialize;

use super::challenge::Challenge;
use super::transport::{Answer, Authorization, Request, Transport, printable, refusal};
use super::{Asked, Credentials, Error, ImageReference};

const LARGEST_TOKEN_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

/// What goes with the next request, after `answer` refused one without it.
pub(super) async fn authorize(
    transport: &Transport,
    reference: &ImageReference,
    answer: &Answer,
) -> Result<Authorization, Error> {
    let challenges: Vec<Challenge> = answer
        .headers
        .get_all("www-authenticate")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(Challenge::parse_all)
        .collect();
    let credentials = transport.options().credentials.get(reference.host());
    if let Some(bearer) = challenges.iter().find(|challenge| challenge.is("bearer")) {
        return token(transport, reference, &answer.asked, bearer, credentials).await;
    }
    match (challenges.iter().any(|challenge| challenge.is("basic")), credentials) {
        (true, Some(credentials)) => Ok(Authorization::Basic(credentials.clone())),
        (true, None) => Err(denied(answer, reference)),
        (false, _) => Err(Error::Challenge {
            asked: answer.asked.clone(),
            problem: "the registry asks for proof of identity in no known way".into(),
            hint: "it must offer Bearer or Basic; check the host's name".into(),
        }),
    }
}

/// Asks the token service that the challenge names.
async fn token(
    transport: &Transport,
    reference: &ImageReference,
    asked: &Asked,
    challenge: &Challenge,
    credentials: Option<&Credentials>,
) -> Result<Authorization, Error> {
    let url = token_url(transport, reference, asked, challenge)?;
    let basic = credentials.map(|credentials| Authorization::Basic(credentials.clone()));
    let request = Request {
        method: Method::GET,
        url,
        what: format!("a token for {}", reference.name()),
        accept: "application/json",
        authorization: basic.as_ref(),
        limit_bytes: LARGEST_TOKEN_BYTES,
    };
    let answer = transport.send(&request).await?;
    match answer.status {
        200..=299 => {}
        401 | 403 => return Err(denied(&answer, reference)),
        status => return Err(Error::Status { status, found: refusal(&answer.body), asked: answer.asked }),
    }
    let malformed = |problem: String| Error::Malformed { asked: answer.asked.clone(), problem };
    let TokenAnswer { token, access_token } = serde_json::from_slice(&answer.body)
        .map_err(|error| malformed(format!("no token in it: {}", printable(&error.to_string()))))?;
    match token.or(access_token).filter(|token| !token.is_empty()) {
        Some(token) if token.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Authorization::Bearer(token)),
        Some(_) => Err(malformed("the token holds characters that no header can carry".into())),
        None => Err(malformed("it holds neither `token` nor `access_token`".into())),
    }
}

/// The token service's URL with its query. Without encryption it is only taken from a registry that has none itself,
/// and for a host that may be spoken to so.
fn token_url(
    transport: &Transport,
    reference: &ImageReference,
    asked: &Asked,
    challenge: &Challenge,
) -> Result<Url, Error> {
    let fault = |problem: String, hint: &str| Error::Challenge {
        asked: Box::new(asked.clone()),
        problem,
        hint: hint.to_owned(),
    };
    let realm = challenge.parameter("realm").unwrap_or_default();
    let mut url = Url::parse(realm).map_err(|error| {
        fault(format!("the registry names the token service {:?} ({error})", printable(realm)), "check the host's name")
    })?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let is_plain_allowed = asked.url.starts_with("http:") && transport.options().speaks_plain_http(&host, url.port());
    match url.scheme() {
        "https" => {}
        "http" if is_plain_allowed => {}
        _ => {
            let problem = format!("the registry names a token service without encryption, at {}", printable(&host));
            return Err(fault(problem, "name that host as one that speaks plain HTTP if that is right"));
        }
    }
    let own_scope = format!("repository:{}:pull", reference.repository());
    let mut query = url.query_pairs_mut();
    if let Some(service) = challenge.parameter("service") {
        query.append_pair("service", service);
    }
    query.append_pair("scope", challenge.parameter("scope").unwrap_or(&own_scope));
    drop(query);
    Ok(url)
}

/// Access was denied, by the registry or by its token service.
pub(super) fn denied(answer: &Answer, reference: &ImageReference) -> Error {
    Error::Denied {
        asked: answer.asked.clone(),
        status: answer.status,
        found: refusal(&answer.body),
        host: reference.host().to_owned(),
    }
}
