//! Which hosts count as one kind.
//!
//! Two machines of one class have comparable magnitudes: the same silicon (family and model number behind the
//! marketing name), as many logical processors, and the same GPUs. Clock speeds, stock-keeping numbers and the core
//! count of the whole socket are left out, because a cloud host shows them for one instance and masks them for the
//! next. They do move magnitudes by some percent, which is what a plan's band is for.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Error;
use crate::terms::{CpuFacts, Digest, HostFacts};

/// Longest class, in bytes. A longer one is cut and ends with a digest of the whole.
const LONGEST: usize = 96;
/// Words kept of a processor's or GPU's name.
const MOST_WORDS: usize = 5;
/// Words that name nothing.
const NOISE: &[&str] = &["processor", "processors", "cpu", "gpu", "gen", "r", "tm", "c", "version"];
/// Vendors as kernels spell them: x86's CPUID strings, ARM's implementer codes.
const VENDORS: &[(&str, &str)] = &[
    ("genuineintel", "intel"),
    ("authenticamd", "amd"),
    ("hygongenuine", "hygon"),
    ("centaurhauls", "centaur"),
    ("0x41", "arm"),
    ("0x4e", "nvidia"),
    ("0x51", "qualcomm"),
    ("0x61", "apple"),
    ("0xc0", "ampere"),
];

/// The name of a host class, for example `amd-epyc-fam25-mod17-2c` or
/// `intel-xeon-platinum-fam6-mod143-32c-nvidia-h200x8`. Also a file name: 1 to 96 bytes of `a-z`, `0-9`, `-` and `.`,
/// a letter or digit first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostClass(String);

/// The class of a host: `[ARCH-]VENDOR-WORDS-famF-modM-Nc[-GPUxCOUNT]...`.
///
/// - `ARCH` stands there unless it is `x86_64`.
/// - `VENDOR` is the maker's common name; an unknown one is kept as the kernel spells it.
/// - `WORDS` are the words of the model name before the first that holds a digit (`xeon platinum`, `epyc`, `core`).
///   Where the kernel gives no family number (ARM), the name alone tells silicon apart, so all its words stay
///   (`neoverse-n1`) and `famF-modM` is left out.
/// - `N` is the number of logical processors online.
/// - `GPU` is the GPU's name with memory size, because magnitudes follow it; equal GPUs are counted.
#[must_use]
pub fn host_class(host: &HostFacts) -> HostClass {
    let mut parts = processor(&host.cpu);
    parts.push(format!("{}c", host.cpu.cores));
    let mut gpus: BTreeMap<String, usize> = BTreeMap::new();
    for gpu in &host.gpus {
        let name = words(&gpu.name).into_iter().take(MOST_WORDS).collect::<Vec<_>>().join("-");
        *gpus.entry(if name.is_empty() { "gpu".to_owned() } else { name }).or_default() += 1;
    }
    parts.extend(gpus.iter().map(|(name, count)| format!("{name}x{count}")));
    HostClass(bounded(&parts.join("-")))
}

fn processor(cpu: &CpuFacts) -> Vec<String> {
    let mut parts = Vec::new();
    let arch = slug(&cpu.arch);
    if !arch.is_empty() && arch != "x86-64" {
        parts.push(arch);
    }
    let spelled = cpu.vendor.trim().to_lowercase();
    let vendor =
        VENDORS.iter().find(|(kernel, _)| *kernel == spelled).map_or_else(|| slug(&spelled), |(_, v)| (*v).into());
    let mut name = words(&cpu.model_name);
    if name.first() == Some(&vendor) {
        name.remove(0);
    }
    if cpu.family > 0 {
        name = name.into_iter().take_while(|word| !word.contains(|c: char| c.is_ascii_digit())).collect();
    }
    name.truncate(MOST_WORDS);
    if !vendor.is_empty() {
        parts.push(vendor);
    }
    parts.extend(name);
    if parts.is_empty() {
        parts.push("cpu".to_owned());
    }
    if cpu.family > 0 {
        parts.push(format!("fam{}", cpu.family));
        parts.push(format!("mod{}", cpu.model));
    }
    parts
}

/// The words of a marketing name that tell hardware apart, in lower case.
fn words(name: &str) -> Vec<String> {
    let lower = name.to_lowercase().replace("(r)", " ").replace("(tm)", " ").replace("(c)", " ");
    // After `@` stands a clock, after `with` or `w/` the graphics that share the package.
    let head = lower.split('@').next().unwrap_or_default();
    let head = head.split(" with ").next().unwrap_or_default().split(" w/").next().unwrap_or_default();
    let mut found = Vec::new();
    for word in head.split_whitespace() {
        let ordinal = word.strip_suffix("th").or_else(|| word.strip_suffix("rd")).or_else(|| word.strip_suffix("nd"));
        let is_ordinal = ordinal.is_some_and(|n| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()));
        let is_clock = ["ghz", "mhz"].iter().any(|unit| word.ends_with(unit));
        let is_count = word.ends_with("-core") || word.ends_with("-cores");
        let word = slug(word);
        if !(word.is_empty() || is_ordinal || is_clock || is_count || NOISE.contains(&word.as_str())) {
            found.push(word);
        }
    }
    found
}

/// Lower-case letters, digits and dots; everything else becomes one `-` between them.
fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            '.' if !slug.is_empty() => slug.push(c),
            _ if slug.is_empty() || slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_end_matches(['-', '.']).to_owned()
}

fn bounded(class: &str) -> String {
    if class.len() <= LONGEST {
        return class.to_owned();
    }
    let tail = Digest::of(class.as_bytes()).short();
    let head: String = class.chars().take(LONGEST - tail.len() - 1).collect();
    format!("{}-{tail}", head.trim_end_matches(['-', '.']))
}

impl HostClass {
    /// The class as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The class's first word: the maker, or the architecture where that is not `x86_64`.
    #[must_use]
    pub fn vendor(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }

    /// Whether hosts of the class have GPUs: behind the number of processors nothing else may stand.
    fn has_gpus(&self) -> bool {
        let last = self.0.rsplit('-').next().unwrap_or_default();
        let processors = last.strip_suffix('c').unwrap_or_default();
        processors.is_empty() || !processors.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The class of `others` to compare with when there is nothing for this one: with GPUs or without as this one, because
    /// that decides which lanes take part; then of the same vendor before any other, then first by name.
    #[must_use]
    pub fn nearest<'a>(&self, others: impl IntoIterator<Item = &'a HostClass>) -> Option<&'a HostClass> {
        let strangeness = |other: &HostClass| (other.has_gpus() != self.has_gpus(), other.vendor() != self.vendor());
        others.into_iter().min_by_key(|other| (strangeness(other), other.as_str()))
    }
}

impl fmt::Display for HostClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for HostClass {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let good = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.');
        let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if starts && text.len() <= LONGEST && text.chars().all(good) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::NoHostClass { found: text.chars().take(120).collect() })
        }
    }
}

impl Serialize for HostClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for HostClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for HostClass {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostClass".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[a-z0-9][a-z0-9.-]{0,95}$"})
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::snapshot::fixture;
    use crate::terms::GpuFacts;

    fn host(arch: &str, vendor: &str, name: &str, numbers: [u32; 3], gpus: &[&str]) -> HostFacts {
        let [family, model, cores] = numbers;
        let cpu = CpuFacts { arch: arch.into(), vendor: vendor.into(), model_name: name.into(), family, model, cores };
        let gpu = |name: &&str| GpuFacts {
            name: (*name).to_owned(),
            uuid: "GPU-0".into(),
            memory_bytes: 0,
            other_processes: 0,
        };
        HostFacts { cpu, gpus: gpus.iter().map(gpu).collect(), ..fixture::host() }
    }

    #[test]
    fn a_class_names_silicon_core_count_and_gpus() {
        let (amd, intel) = ("AuthenticAMD", "GenuineIntel");
        let xeon = "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz";
        let h200 = ["NVIDIA H200"; 8];
        let two = ["NVIDIA A100-SXM4-80GB", "NVIDIA GeForce RTX 4080 Laptop GPU", "NVIDIA A100-SXM4-80GB"];
        let cases: &[(HostFacts, &str)] = &[
            (host("x86_64", amd, "AMD EPYC", [25, 17, 2], &[]), "amd-epyc-fam25-mod17-2c"),
            (host("x86_64", amd, "AMD EPYC 9B14 96-Core Processor", [25, 17, 2], &[]), "amd-epyc-fam25-mod17-2c"),
            (
                host("x86_64", amd, "AMD Ryzen Threadripper PRO 5995WX 64-Cores", [25, 8, 128], &[]),
                "amd-ryzen-threadripper-pro-fam25-mod8-128c",
            ),
            (
                host("x86_64", amd, "AMD Ryzen 7 5700G with Radeon Graphics", [25, 80, 16], &[]),
                "amd-ryzen-fam25-mod80-16c",
            ),
            (host("x86_64", intel, xeon, [6, 143, 32], &[]), "intel-xeon-platinum-fam6-mod143-32c"),
            (
                host("x86_64", intel, xeon, [6, 143, 32], &h200[..1]),
                "intel-xeon-platinum-fam6-mod143-32c-nvidia-h200x1",
            ),
            (host("x86_64", intel, xeon, [6, 143, 32], &h200), "intel-xeon-platinum-fam6-mod143-32c-nvidia-h200x8"),
            (
                host("x86_64", intel, "12th Gen Intel(R) Core(TM) i7-1260P", [6, 154, 16], &[]),
                "intel-core-fam6-mod154-16c",
            ),
            (
                host("x86_64", intel, "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", [6, 45, 8], &two),
                "intel-xeon-fam6-mod45-8c-nvidia-a100-sxm4-80gbx2-nvidia-geforce-rtx-4080-laptopx1",
            ),
            (host("aarch64", "", "Neoverse-N1", [0, 0, 64], &[]), "aarch64-neoverse-n1-64c"),
            (
                host("aarch64", "0x41", "Neoverse-V2", [0, 0, 72], &["NVIDIA GH200 480GB"]),
                "aarch64-arm-neoverse-v2-72c-nvidia-gh200-480gbx1",
            ),
            (host("aarch64", "Apple", "Apple M2 Pro", [0, 0, 10], &[]), "aarch64-apple-m2-pro-10c"),
            (host("x86_64", "MysteryChips", "Riddle 9000", [3, 1, 4], &[""]), "mysterychips-riddle-fam3-mod1-4c-gpux1"),
            (host("", "", "", [0, 0, 0], &[]), "cpu-0c"),
        ];
        for (host, class) in cases {
            assert_eq!(host_class(host).as_str(), *class, "for {:?}", host.cpu.model_name);
        }
    }

    #[test]
    fn a_long_name_is_cut_and_still_tells_hosts_apart() {
        let gpus: Vec<String> = (0..12).map(|i| format!("Maker Long{i} Accelerator Card")).collect();
        let names: Vec<&str> = gpus.iter().map(String::as_str).collect();
        let all = host_class(&host("x86_64", "AuthenticAMD", "AMD EPYC", [25, 17, 2], &names));
        let fewer = host_class(&host("x86_64", "AuthenticAMD", "AMD EPYC", [25, 17, 2], &names[..11]));
        assert!(all.as_str().len() <= LONGEST && fewer.as_str().len() <= LONGEST);
        assert_ne!(all, fewer);
    }

    #[test]
    fn the_nearest_class_is_of_the_same_vendor_then_first_by_name() {
        let class = |text: &str| text.parse::<HostClass>().unwrap();
        let own = class("intel-xeon-fam6-mod143-32c");
        let others =
            [class("amd-epyc-fam25-mod17-2c"), class("intel-xeon-fam6-mod85-8c"), class("intel-core-fam6-mod9-4c")];
        assert_eq!(own.nearest(&others), Some(&others[2]));
        assert_eq!(own.nearest(&others[..1]), Some(&others[0]));
        assert_eq!(own.nearest(&[]), None);
    }

    #[test]
    fn a_host_without_gpus_is_held_against_one_without_whoever_made_its_processor() {
        let class = |text: &str| text.parse::<HostClass>().unwrap();
        let others = [class("amd-epyc-fam25-mod17-2c"), class("intel-xeon-fam6-mod207-16c-nvidia-h200x1")];
        assert_eq!(class("intel-xeon-fam6-mod167-2c").nearest(&others), Some(&others[0]));
        assert_eq!(class("amd-epyc-fam25-mod17-64c-nvidia-h200x8").nearest(&others), Some(&others[1]));
        assert_eq!(class("intel-xeon-fam6-mod167-2c").nearest(&others[1..]), Some(&others[1]));
    }

    #[test]
    fn what_could_leave_the_folder_is_no_class() {
        for bad in ["", "..", ".hidden", "-", "a/b", "A", "a b", "ä", &"a".repeat(97)] {
            assert!(bad.parse::<HostClass>().is_err(), "{bad:?} was taken for a host class");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn every_host_has_a_class_that_is_a_file_name(
            arch in ".{0,12}", vendor in ".{0,40}", name in ".{0,200}", gpu in ".{0,120}",
            family in any::<u32>(), cores in any::<u32>(),
        ) {
            let class = host_class(&host(&arch, &vendor, &name, [family, 1, cores], &[&gpu, &gpu]));
            prop_assert_eq!(class.as_str().parse::<HostClass>().ok(), Some(class));
        }
    }
}
