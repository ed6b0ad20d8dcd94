//! A row's line in the form that we write, read into a row that was read before.
//!
//! Nearly every line of a journal is such a row, and neighbours differ in a few numbers. So nothing is made anew that can
//! stay. Whatever is not exactly in that form (another order of keys, white space, an escape, a failure) is not read
//! here but by serde, which takes the same and more, and knows what to say of the rest.

use std::collections::BTreeMap;

use super::Row;
use crate::terms::{Outcome, SignalValue, StopReason};

/// How a row begins.
pub(super) const BEGINS: &[u8] = br#"{"type":"row","#;

const DIGEST_BYTES: usize = "sha256:".len() + 64;

const CELL_BYTES: usize = "/".len() + 8;

/// Reads the fields that stand between [`BEGINS`] and the closing brace. Where it gives nothing, `row` holds a mixture.
pub(super) fn read(fields: &[u8], row: &mut Row) -> Option<()> {
    let mut text = Text { rest: fields };
    text.literal(b"\"plan\":")?;
    row.plan = text.fixed(DIGEST_BYTES)?.parse().ok()?;
    text.literal(b",\"lane\":")?;
    let lane = text.plain()?;
    if row.lane != lane {
        lane.clone_into(&mut row.lane);
    }
    text.literal(b",\"block\":")?;
    row.block = text.number()?;
    text.literal(b",\"cell\":")?;
    row.cell = text.fixed(CELL_BYTES)?.parse().ok()?;
    text.literal(b",\"rep\":")?;
    row.rep = text.number()?;
    text.literal(b",\"attempt\":")?;
    row.attempt = text.number()?;
    row.launch = text.optional(b",\"launch\":", Text::number)?;
    text.literal(b",\"outcome\":")?;
    let outcome = text.plain()?;
    row.outcome = *Outcome::ALL.iter().find(|known| known.name() == outcome)?;
    row.unlocked = text.literal(b",\"unlocked\":true").is_some();
    row.wall_ns = text.optional(b",\"wall_ns\":", Text::number)?;
    row.outside_ns = text.optional(b",\"outside_ns\":", Text::number)?;
    row.tokens.clear();
    if text.literal(b",\"tokens\":[").is_some() {
        text.numbers(&mut row.tokens)?;
    }
    row.output_sha256 = text.optional(b",\"output_sha256\":", |text| text.fixed(DIGEST_BYTES)?.parse().ok())?;
    row.stop = text.optional(b",\"stop\":", |text| match text.plain()? {
        "length" => Some(StopReason::Length),
        "eos" => Some(StopReason::Eos),
        _ => None,
    })?;
    if text.literal(b",\"evidence\":{").is_some() {
        text.evidence(&mut row.evidence)?;
    } else {
        row.evidence.clear();
    }
    row.failure = None;
    text.rest.is_empty().then_some(())
}

/// What is left of a line.
#[derive(Clone, Copy)]
struct Text<'a> {
    rest: &'a [u8],
}

/// A value of the evidence.
#[derive(Clone, Copy)]
enum Plain<'a> {
    Bool(bool),
    Int(i64),
    Text(&'a str),
}

impl<'a> Text<'a> {
    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    /// What `read` reads behind `key`; nothing where the key does not come next.
    fn optional<T>(&mut self, key: &[u8], read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.literal(key).is_none() {
            return Some(None);
        }
        read(self).map(Some)
    }

    /// A whole number without a sign. What follows it is for the caller to see, so no other kind of number passes.
    fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let mut value = 0_u64;
        let mut digits = 0;
        while let Some(digit) = self.rest.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
            digits += 1;
        }
        let leading_zero = digits > 1 && self.rest.first() == Some(&b'0');
        self.rest = self.rest.get(digits..)?;
        if digits == 0 || leading_zero { None } else { value.try_into().ok() }
    }

    /// Numbers up to the closing bracket, at least one: an empty list is not written.
    fn numbers(&mut self, into: &mut Vec<u32>) -> Option<()> {
        loop {
            into.push(self.number()?);
            if self.literal(b",").is_none() {
                return self.literal(b"]");
            }
        }
    }

    /// A string of printable ASCII that needs no escape.
    fn plain(&mut self) -> Option<&'a str> {
        let text = self.rest.strip_prefix(b"\"")?;
        let plain = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'"' && *byte != b'\\';
        let length = text.iter().position(|byte| !plain(byte))?;
        let (text, rest) = text.split_at_checked(length)?;
        self.rest = rest;
        self.literal(b"\"")?;
        std::str::from_utf8(text).ok()
    }

    /// A string of that many bytes, whatever they are: who parses it refuses everything that needs an escape.
    fn fixed(&mut self, bytes: usize) -> Option<&'a str> {
        let (text, rest) = self.rest.strip_prefix(b"\"")?.split_at_checked(bytes)?;
        self.rest = rest;
        self.literal(b"\"")?;
        std::str::from_utf8(text).ok()
    }

    /// Key and value.
    fn pair(&mut self) -> Option<(&'a str, Plain<'a>)> {
        let key = self.plain()?;
        self.literal(b":")?;
        let value = match self.rest.first()? {
            b'"' => Plain::Text(self.plain()?),
            b't' => self.literal(b"true").map(|()| Plain::Bool(true))?,
            b'f' => self.literal(b"false").map(|()| Plain::Bool(false))?,
            _ => Plain::Int(self.number()?),
        };
        Some((key, value))
    }

    /// Pairs up to the closing brace, at least one, in ascending order of keys: what `known` holds stays if it is that.
    fn evidence(&mut self, known: &mut BTreeMap<String, SignalValue>) -> Option<()> {
        let start = *self;
        let mut left = known.iter();
        loop {
            let (key, value) = self.pair()?;
            if !left.next().is_some_and(|(known_key, known)| known_key == key && value.is(known)) {
                break;
            }
            if self.literal(b",").is_none() {
                self.literal(b"}")?;
                if left.next().is_none() {
                    return Some(());
                }
                break;
            }
        }
        *self = start;
        known.clear();
        loop {
            let (key, value) = self.pair()?;
            if known.last_key_value().is_some_and(|(last, _)| last.as_str() >= key) {
                return None;
            }
            known.insert(key.to_owned(), value.into());
            if self.literal(b",").is_none() {
                return self.literal(b"}");
            }
        }
    }
}

impl Plain<'_> {
    fn is(self, known: &SignalValue) -> bool {
        match (self, known) {
            (Self::Bool(value), SignalValue::Bool(known)) => value == *known,
            (Self::Int(value), SignalValue::Int(known)) => value == *known,
            (Self::Text(value), SignalValue::Text(known)) => value == known,
            _ => false,
        }
    }
}

impl From<Plain<'_>> for SignalValue {
    fn from(value: Plain<'_>) -> Self {
        match value {
            Plain::Bool(value) => value.into(),
            Plain::Int(value) => value.into(),
            Plain::Text(value) => value.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Record;
    use super::super::fixture::{ROW_LINE, row};
    use super::*;

    fn good() -> Row {
        let Record::Row(row) = row(ROW_LINE, |_| ()) else { panic!("a row") };
        *row
    }

    /// The fields of a row's line.
    fn fields(row: &Row) -> Vec<u8> {
        let json = serde_json::to_vec(&Record::Row(Box::new(row.clone()))).unwrap();
        json.strip_prefix(BEGINS).unwrap().strip_suffix(b"}").unwrap().to_vec()
    }

    fn by_serde(fields: &[u8]) -> Option<Row> {
        serde_json::from_slice(&[b"{", fields, b"}"].concat()).ok()
    }

    fn value() -> impl Strategy<Value = SignalValue> {
        prop_oneof![
            any::<bool>().prop_map(SignalValue::Bool),
            any::<i64>().prop_map(SignalValue::Int),
            (0_u32..100).prop_map(|n| SignalValue::Float(f64::from(n) / 8.0)),
            "[ -~é\n]{0,6}".prop_map(SignalValue::Text),
            Just(SignalValue::List(vec!["a".to_owned()])),
        ]
    }

    prop_compose! {
        fn any_row()(
            lane in "[a-z\"\\\\ ]{0,4}",
            numbers in any::<(u32, u32, u32, Option<u32>)>(),
            times in any::<(Option<u64>, Option<u64>)>(),
            outcome in 0..Outcome::ALL.len(),
            unlocked in any::<bool>(),
            tokens in prop::collection::vec(any::<u32>(), 0..4),
            stop in prop::option::of(prop_oneof![Just(StopReason::Length), Just(StopReason::Eos)]),
            digest in any::<bool>(),
            evidence in prop::collection::btree_map("[a-c\"é]{0,2}", value(), 0..4),
            failure in any::<bool>(),
        ) -> Row {
            let good = good();
            Row {
                lane,
                block: numbers.0,
                rep: numbers.1,
                attempt: numbers.2,
                launch: numbers.3,
                outcome: Outcome::ALL[outcome],
                unlocked,
                wall_ns: times.0,
                outside_ns: times.1,
                tokens,
                output_sha256: digest.then_some(good.plan),
                stop,
                evidence,
                failure: failure.then(|| crate::terms::Failure::new(crate::terms::FailureClass::Died, "it died")),
                ..good
            }
        }
    }

    #[test]
    fn a_row_as_we_write_it_is_read_and_one_with_a_failure_is_left_to_serde() {
        let mut found = good();
        let plain = Row { evidence: [("a".to_owned(), SignalValue::Int(3))].into(), failure: None, ..good() };
        assert_eq!(read(&fields(&plain), &mut found), Some(()));
        assert_eq!(found, plain);
        let failure = Some(crate::terms::Failure::new(crate::terms::FailureClass::Died, "it died"));
        assert_eq!(read(&fields(&Row { failure, ..plain }), &mut found), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_reads_whatever_was_read_before(one in any_row(), other in any_row()) {
            let mut found = other;
            if read(&fields(&one), &mut found).is_some() {
                prop_assert_eq!(&found, &one);
                // The same text again, over what it left.
                prop_assert_eq!(read(&fields(&one), &mut found), Some(()));
                prop_assert_eq!(found, one);
            }
        }

        #[test]
        fn a_changed_line_is_read_as_serde_reads_it_or_not_at_all(
            one in any_row(),
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![any::<u8>(), Just(b'"'), Just(b'0'), Just(b','), Just(b'-'), Just(b'.')],
            insert in any::<bool>(),
        ) {
            let mut text = fields(&one);
            let at = at.index(text.len());
            if insert { text.insert(at, byte) } else { text[at] = byte }
            let mut found = one;
            if read(&text, &mut found).is_some() {
                prop_assert_eq!(Some(found), by_serde(&text));
            }
        }
    }

    #[test]
    fn an_entry_that_stands_twice_or_out_of_order_is_left_to_serde() {
        let head = |evidence: &str| {
            let row = Row { evidence: BTreeMap::new(), failure: None, ..good() };
            [&fields(&row)[..], format!(",\"evidence\":{{{evidence}}}").as_bytes()].concat()
        };
        for (evidence, taken) in [
            (r#""a":1,"b":"x""#, true),
            (r#""b":1,"a":"x""#, false),
            (r#""a":1,"a":1"#, false),
            (r#""a":01"#, false),
            (r#""a":1.0"#, false),
            (r#""a":1,"#, false),
            ("", false),
        ] {
            let mut found = good();
            assert_eq!(read(&head(evidence), &mut found).is_some(), taken, "{evidence}");
        }
    }
}
