//! What shows which path did the work of a repetition.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::SignalValue;

/// Evidence by name. Repetitions of a cell show the same again and again, so copies of it are one until one is changed.
#[derive(Debug, Clone, Default)]
pub struct Evidence(Arc<BTreeMap<String, SignalValue>>);

impl Evidence {
    /// Whether both are copies of one, and so equal without a look at what they hold.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether nothing is shown.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Evidence {
    fn eq(&self, other: &Self) -> bool {
        self.is_copy_of(other) || self.0 == other.0
    }
}

impl Deref for Evidence {
    type Target = BTreeMap<String, SignalValue>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Evidence {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl From<BTreeMap<String, SignalValue>> for Evidence {
    fn from(shown: BTreeMap<String, SignalValue>) -> Self {
        Self(Arc::new(shown))
    }
}

impl<const N: usize> From<[(String, SignalValue); N]> for Evidence {
    fn from(shown: [(String, SignalValue); N]) -> Self {
        BTreeMap::from(shown).into()
    }
}

impl FromIterator<(String, SignalValue)> for Evidence {
    fn from_iter<I: IntoIterator<Item = (String, SignalValue)>>(shown: I) -> Self {
        BTreeMap::from_iter(shown).into()
    }
}

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Evidence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}

impl schemars::JsonSchema for Evidence {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Evidence".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        BTreeMap::<String, SignalValue>::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_one_with_its_original_until_it_is_changed() {
        let shown = Evidence::from([("cache".to_owned(), SignalValue::from("dynamic"))]);
        let mut copy = shown.clone();
        assert!(copy.is_copy_of(&shown) && copy == shown);
        copy.insert("threads".to_owned(), SignalValue::from(1));
        assert!(!copy.is_copy_of(&shown) && copy != shown);
        assert_eq!((shown.len(), copy.len()), (1, 2));
        copy.remove("threads");
        assert!(!copy.is_copy_of(&shown) && copy == shown);
    }
}
