//! Platforms of images: `OS/ARCHITECTURE[/VARIANT]`, in the names that Go and therefore every registry uses.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// A platform in its normal form: `linux/arm64/v8` and `linux/arm64` are the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl Platform {
    /// A platform from its three parts, brought to its normal form as containerd's `platforms.Normalize` does.
    #[must_use]
    pub(super) fn new(os: &str, architecture: &str, variant: Option<&str>) -> Self {
        let variant = variant.filter(|variant| !variant.is_empty());
        let (architecture, variant) = match (architecture, variant) {
            ("x86_64" | "amd64", None | Some("v1")) => ("amd64", None),
            ("x86_64", variant) => ("amd64", variant),
            ("aarch64" | "arm64", None | Some("8" | "v8")) => ("arm64", None),
            ("aarch64", variant) => ("arm64", variant),
            ("arm", None | Some("7")) => ("arm", Some("v7")),
            ("i386", variant) => ("386", variant),
            other => other,
        };
        Self { os: os.to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    /// Whether an image whose configuration says `self` is one for `wanted`. Where an index chose it, the index has
    /// decided on the variant, which configurations often leave out.
    pub(super) fn is_for(&self, wanted: &Self, index_chose: bool) -> bool {
        let variant_fits = index_chose || self.variant.is_none() || self.variant == wanted.variant;
        self.os == wanted.os && self.architecture == wanted.architecture && variant_fits
    }

    /// The platform of containers on this host.
    #[must_use]
    pub fn host() -> Self {
        let architecture = if cfg!(target_arch = "x86_64") {
            "amd64"
        } else if cfg!(target_arch = "aarch64") {
            "arm64"
        } else if cfg!(target_arch = "riscv64") {
            "riscv64"
        } else if cfg!(target_arch = "s390x") {
            "s390x"
        } else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
            "ppc64le"
        } else if cfg!(target_arch = "loongarch64") {
            "loong64"
        } else if cfg!(target_arch = "x86") {
            "386"
        } else {
            "arm"
        };
        Self::new("linux", architecture, None)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        let word =
            |part: &&str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c));
        match parts.as_slice() {
            [os, architecture] if parts.iter().all(word) => Ok(Self::new(os, architecture, None)),
            [os, architecture, variant] if parts.iter().all(word) => Ok(Self::new(os, architecture, Some(variant))),
            _ => Err(Error::Platform { found: text.chars().take(100).collect() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_platform_has_one_form() {
        for (text, expected) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
        ] {
            let platform: Platform = text.parse().unwrap();
            assert_eq!(platform.to_string(), expected);
            assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
        }
    }

    #[test]
    fn a_configuration_without_a_variant_fits_every_one_and_an_index_decides_over_it() {
        let fits = |found: &str, wanted: &str, index_chose| {
            found.parse::<Platform>().unwrap().is_for(&wanted.parse().unwrap(), index_chose)
        };
        assert!(fits("linux/amd64", "linux/amd64/v3", false));
        assert!(!fits("linux/amd64/v3", "linux/amd64", false));
        assert!(fits("linux/arm/v7", "linux/arm/v6", true));
        assert!(!fits("linux/arm64", "linux/amd64", true));
        assert!(!fits("windows/amd64", "linux/amd64", true));
    }

    #[test]
    fn what_is_no_platform_is_refused() {
        for bad in ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/am d64", "linux/é"] {
            let error = bad.parse::<Platform>().expect_err(bad).to_string();
            assert!(error.contains("linux/amd64"), "{error}");
        }
    }

    #[test]
    fn the_host_s_platform_is_a_linux_one() {
        assert!(Platform::host().to_string().starts_with("linux/"));
    }
}
