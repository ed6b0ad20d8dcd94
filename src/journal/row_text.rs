//! A row's line in the form that we write, read into a row that was read before.
//!
//! Nearly every line of a journal is such a row, and neighbours differ in a few numbers. So what a row says in the words
//! of the one before it is not read again, and nothing is made anew that can stay. Whatever is not exactly in that form (another order of keys, white space, an escape, telemetry, a failure) is not read
//! here but by serde, which takes the same and more, and knows what to say of the rest.

use std::collections::BTreeMap;

use super::Row;
use crate::terms::{self, CellId, Digest, Outcome, SignalValue, StopReason};

/// How a row begins.
pub(super) const BEGINS: &[u8] = br#"{"type":"row","#;

const DIGEST_BYTES: usize = "sha256:".len() + 64;

const CELL_BYTES: usize = "/".len() + 8;

/// Reads rows one after the other.
#[derive(Debug, Default)]
pub(super) struct Reader {
    beginning: Beginning,
    evidence: Evidence,
}

/// How the last row began, up to its cell, and what that says.
#[derive(Debug, Default)]
struct Beginning {
    text: Vec<u8>,
    says: Option<(Digest, String, u32)>,
}

/// The last evidence, with its closing brace, and what it says.
#[derive(Debug, Default)]
struct Evidence {
    text: Vec<u8>,
    says: terms::Evidence,
}

impl Reader {
    /// Reads the fields that stand between [`BEGINS`] and the closing brace. Where it gives nothing, `row` holds a
    /// mixture.
    pub(super) fn read(&mut self, fields: &[u8], row: &mut Row) -> Option<()> {
        let mut text = Text { rest: fields };
        self.beginning.read(&mut text, row)?;
        row.cell = CellId::from_bytes(text.fixed(CELL_BYTES)?)?;
        text.literal(b",\"rep\":")?;
        row.rep = text.number()?;
        text.literal(b",\"attempt\":")?;
        row.attempt = text.number()?;
        row.launch = text.optional(b",\"launch\":", Text::number)?;
        text.literal(b",\"outcome\":")?;
        let outcome = text.plain()?;
        row.outcome = *Outcome::ALL.iter().find(|known| known.name().as_bytes() == outcome)?;
        row.unlocked = text.literal(b",\"unlocked\":true").is_some();
        row.wall_ns = text.optional(b",\"wall_ns\":", Text::number)?;
        row.outside_ns = text.optional(b",\"outside_ns\":", Text::number)?;
        row.tokens.clear();
        if text.literal(b",\"tokens\":[").is_some() {
            text.numbers(&mut row.tokens)?;
        }
        row.output_sha256 =
            text.optional(b",\"output_sha256\":", |text| Digest::from_bytes(text.fixed(DIGEST_BYTES)?))?;
        row.stop = text.optional(b",\"stop\":", |text| match text.plain()? {
            b"length" => Some(StopReason::Length),
            b"eos" => Some(StopReason::Eos),
            _ => None,
        })?;
        if text.literal(b",\"evidence\":{").is_some() {
            self.evidence.read(&mut text, &mut row.evidence)?;
        } else {
            row.evidence = terms::Evidence::default();
        }
        // What was sampled of GPUs is left to serde, as is a failure.
        row.telemetry.clear();
        row.failure = None;
        text.rest.is_empty().then_some(())
    }
}

impl Beginning {
    /// Plan, lane and block, and the key of the cell.
    fn read(&mut self, text: &mut Text<'_>, row: &mut Row) -> Option<()> {
        let Some((plan, lane, block)) = self.says.as_ref().filter(|_| text.literal(&self.text).is_some()) else {
            return self.read_anew(text, row);
        };
        (row.plan, row.block) = (*plan, *block);
        if row.lane != *lane {
            row.lane.clone_from(lane);
        }
        Some(())
    }

    fn read_anew(&mut self, text: &mut Text<'_>, row: &mut Row) -> Option<()> {
        let start = text.rest;
        text.literal(b"\"plan\":")?;
        row.plan = Digest::from_bytes(text.fixed(DIGEST_BYTES)?)?;
        text.literal(b",\"lane\":")?;
        std::str::from_utf8(text.plain()?).ok()?.clone_into(&mut row.lane);
        text.literal(b",\"block\":")?;
        row.block = text.number()?;
        text.literal(b",\"cell\":")?;
        self.text.clear();
        self.text.extend_from_slice(start.get(..start.len() - text.rest.len())?);
        self.says = Some((row.plan, row.lane.clone(), row.block));
        Some(())
    }
}

impl Evidence {
    fn read(&mut self, text: &mut Text<'_>, into: &mut terms::Evidence) -> Option<()> {
        if self.text.is_empty() || text.literal(&self.text).is_none() {
            let start = text.rest;
            // What is left of an attempt that came to nothing is no text of what stands there.
            self.text.clear();
            self.says = text.evidence()?.into();
            self.text.extend_from_slice(start.get(..start.len() - text.rest.len())?);
        }
        if !into.is_copy_of(&self.says) {
            into.clone_from(&self.says);
        }
        Some(())
    }
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

    /// A whole number without a sign, of as many digits as always fit. What follows it is for the caller to see, so no other
    /// kind of number passes.
    fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        const MOST_DIGITS: usize = 19;
        let mut value = 0_u64;
        let mut digits = 0;
        while let Some(digit) = self.rest.get(digits).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
            digits += 1;
        }
        let leading_zero = digits > 1 && self.rest.first() == Some(&b'0');
        self.rest = self.rest.get(digits..)?;
        if digits == 0 || digits > MOST_DIGITS || leading_zero { None } else { value.try_into().ok() }
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
    fn plain(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.strip_prefix(b"\"")?;
        let plain = |byte: &u8| (b' '..=b'~').contains(byte) && *byte != b'"' && *byte != b'\\';
        let length = text.iter().position(|byte| !plain(byte))?;
        let (text, rest) = text.split_at_checked(length)?;
        self.rest = rest;
        self.literal(b"\"")?;
        Some(text)
    }

    /// A string of that many bytes, whatever they are: who parses it refuses everything that needs an escape.
    fn fixed(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (text, rest) = self.rest.strip_prefix(b"\"")?.split_at_checked(bytes)?;
        self.rest = rest;
        self.literal(b"\"")?;
        Some(text)
    }

    /// A string of printable ASCII that needs no escape, as text.
    fn plain_text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.plain()?).ok()
    }

    /// Key and value.
    fn pair(&mut self) -> Option<(&'a str, Plain<'a>)> {
        let key = self.plain_text()?;
        self.literal(b":")?;
        let value = match self.rest.first()? {
            b'"' => Plain::Text(self.plain_text()?),
            b't' => self.literal(b"true").map(|()| Plain::Bool(true))?,
            b'f' => self.literal(b"false").map(|()| Plain::Bool(false))?,
            _ => Plain::Int(self.number()?),
        };
        Some((key, value))
    }

    /// Pairs up to the closing brace, at least one, in ascending order of keys.
    fn evidence(&mut self) -> Option<BTreeMap<String, SignalValue>> {
        let mut into = BTreeMap::<String, SignalValue>::new();
        loop {
            let (key, value) = self.pair()?;
            if into.last_key_value().is_some_and(|(last, _)| last.as_str() >= key) {
                return None;
            }
            into.insert(key.to_owned(), value.into());
            if self.literal(b",").is_none() {
                return self.literal(b"}").map(|()| into);
            }
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
                evidence: evidence.into(),
                failure: failure.then(|| crate::terms::Failure::new(crate::terms::FailureClass::Died, "it died")),
                ..good
            }
        }
    }

    #[test]
    fn a_row_as_we_write_it_is_read_and_one_with_a_failure_is_left_to_serde() {
        let (mut found, mut reader) = (good(), Reader::default());
        let plain = Row { evidence: [("a".to_owned(), SignalValue::Int(3))].into(), failure: None, ..good() };
        assert_eq!(reader.read(&fields(&plain), &mut found), Some(()));
        assert_eq!(found, plain);
        let failure = Some(crate::terms::Failure::new(crate::terms::FailureClass::Died, "it died"));
        assert_eq!(reader.read(&fields(&Row { failure, ..plain }), &mut found), None);
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_reads_whatever_was_read_before(rows in prop::collection::vec(any_row(), 1..6)) {
            let (mut found, mut reader) = (good(), Reader::default());
            for row in rows.iter().flat_map(|row| [row, row]) {
                if reader.read(&fields(row), &mut found).is_some() {
                    prop_assert_eq!(&found, row);
                }
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
            let (mut found, mut reader) = (one.clone(), Reader::default());
            // Once by itself, and once after the line that was changed.
            for before in [&text, &fields(&one)] {
                let _ = reader.read(before, &mut found);
                if reader.read(&text, &mut found).is_some() {
                    prop_assert_eq!(Some(found.clone()), by_serde(&text));
                }
            }
        }
    }

    #[test]
    fn an_entry_that_stands_twice_or_out_of_order_is_left_to_serde() {
        let head = |evidence: &str| {
            let row = Row { evidence: terms::Evidence::default(), failure: None, ..good() };
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
            let (mut found, mut reader) = (good(), Reader::default());
            for _ in 0..2 {
                assert_eq!(reader.read(&head(evidence), &mut found).is_some(), taken, "{evidence}");
            }
        }
    }
}
