//! `WWW-Authenticate`: which proof of identity a registry asks for (RFC 9110 section 11.6.1). Pure.

/// One challenge: a scheme and its parameters, names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Whether the scheme is this one; `scheme` in lower case.
    pub(super) fn is(&self, scheme: &str) -> bool {
        self.scheme == scheme
    }

    /// A parameter's value; the first, when a name stands twice.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// All challenges of one header value. What cannot be read ends the list; it never fails.
    pub(super) fn parse_all(header: &str) -> Vec<Self> {
        let mut rest = header;
        let mut challenges: Vec<Self> = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', ',']);
            let (word, after) = split_token(rest);
            if word.is_empty() {
                return challenges;
            }
            let after_space = after.trim_start_matches([' ', '\t']);
            match (after_space.strip_prefix('='), challenges.last_mut()) {
                (Some(value), Some(challenge)) => {
                    let Some((value, after)) = split_value(value.trim_start_matches([' ', '\t'])) else {
                        return challenges;
                    };
                    challenge.parameters.push((word.to_ascii_lowercase(), value));
                    rest = after;
                }
                (Some(_), None) => return challenges,
                (None, _) => {
                    challenges.push(Self { scheme: word.to_ascii_lowercase(), parameters: Vec::new() });
                    rest = after;
                }
            }
        }
    }
}

/// The token (RFC 9110 section 5.6.2) at the front, and what follows it.
fn split_token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let end = text.find(|c| !is_token(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// The token or quoted string at the front, unquoted, and what follows it; `None` when a quote stays open.
fn split_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, rest) = split_token(text);
        return Some((token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((place, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(place + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn docker_hub_s_challenge_is_read() {
        let header = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/a:pull,push""#;
        let challenges = Challenge::parse_all(header);
        assert_eq!(challenges.len(), 1);
        assert!(challenges[0].is("bearer"));
        assert_eq!(challenges[0].parameter("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(challenges[0].parameter("service"), Some("registry.docker.io"));
        assert_eq!(challenges[0].parameter("scope"), Some("repository:library/a:pull,push"));
    }

    #[test]
    fn several_challenges_stand_in_one_header() {
        let challenges = Challenge::parse_all(r#"Negotiate, Basic Realm = "a \"b\", c" , BEARER realm=x"#);
        let schemes: Vec<_> = challenges.iter().map(|c| (c.scheme.as_str(), c.parameter("realm"))).collect();
        assert_eq!(schemes, [("negotiate", None), ("basic", Some("a \"b\", c")), ("bearer", Some("x"))]);
    }

    #[test]
    fn what_cannot_be_read_ends_the_list() {
        for (header, count) in [("", 0), ("=x", 0), ("Bearer realm=\"open", 1), ("Basic realm=\"a\\", 1), ("é", 0)] {
            assert_eq!(Challenge::parse_all(header).len(), count, "{header:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_header_is_read_to_its_end_in_5_000_cases(header in prop_oneof![any::<String>(), "[Bb ,=\"\\\\a-c]{0,40}"]) {
            for challenge in Challenge::parse_all(&header) {
                prop_assert!(!challenge.scheme.is_empty());
            }
        }
    }
}
