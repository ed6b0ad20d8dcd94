//! JSON laid out for review: what fits on a line stands on one, so that a changed number is a changed line.
//!
//! It works on compact JSON text, because a parsed value may lose the order of its keys.

/// Longest line, in characters, unless a single leaf is longer: room for a lane's numbers in a cell.
const WIDTH: usize = 160;

enum Node<'a> {
    /// A scalar, or an empty list or object.
    Leaf(&'a str),
    Branch {
        open: char,
        close: char,
        items: Vec<Item<'a>>,
        width: usize,
    },
}

struct Item<'a> {
    /// The key with its quotes.
    key: Option<&'a str>,
    value: Node<'a>,
}

/// Lays out compact JSON, and ends it with a newline. A text that is no compact JSON comes back as it is.
pub(super) fn lay_out(compact: &str) -> String {
    let mut reader = Reader { rest: compact };
    let mut out = String::with_capacity(compact.len() * 2);
    match reader.node() {
        Some(root) if reader.rest.is_empty() => write(&root, 0, 0, &mut out),
        _ => out.push_str(compact),
    }
    out.push('\n');
    out
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a str> {
        let (head, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(head)
    }

    fn eat(&mut self, c: char) -> bool {
        self.rest.strip_prefix(c).inspect(|rest| self.rest = rest).is_some()
    }

    fn node(&mut self) -> Option<Node<'a>> {
        if self.rest.starts_with("[]") || self.rest.starts_with("{}") {
            return self.take(2).map(Node::Leaf);
        }
        match self.rest.chars().next()? {
            '{' => self.branch('{', '}'),
            '[' => self.branch('[', ']'),
            '"' => self.string().map(Node::Leaf),
            _ => {
                let end = self.rest.find([',', ']', '}']).unwrap_or(self.rest.len());
                self.take(end).filter(|leaf| !leaf.is_empty()).map(Node::Leaf)
            }
        }
    }

    fn branch(&mut self, open: char, close: char) -> Option<Node<'a>> {
        self.take(1)?;
        let mut items = Vec::new();
        let mut width = 2;
        loop {
            let key = if open == '{' {
                let key = self.string()?;
                self.eat(':').then_some(())?;
                width += key.chars().count() + 2;
                Some(key)
            } else {
                None
            };
            let value = self.node()?;
            width += value.width() + if items.is_empty() { 0 } else { 2 };
            items.push(Item { key, value });
            if self.eat(close) {
                return Some(Node::Branch { open, close, items, width });
            }
            self.eat(',').then_some(())?;
        }
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let mut escaped = false;
        for (index, c) in self.rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' if index > 0 => return self.take(index + 1),
                _ if index == 0 && c != '"' => return None,
                _ => {}
            }
        }
        None
    }
}

impl Node<'_> {
    fn width(&self) -> usize {
        match self {
            Self::Leaf(text) => text.chars().count(),
            Self::Branch { width, .. } => *width,
        }
    }
}

/// `column` is where the node begins; one more is kept free for a comma.
fn write(node: &Node<'_>, indent: usize, column: usize, out: &mut String) {
    let Node::Branch { open, close, items, width } = node else {
        if let Node::Leaf(text) = node {
            out.push_str(text);
        }
        return;
    };
    // The root always opens up; below it, what fits stands on one line.
    let inline = column > 0 && column + width < WIDTH;
    out.push(*open);
    for (i, Item { key, value }) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(if inline { ", " } else { "," });
        }
        if !inline {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
        }
        let mut column = if inline { column + 1 } else { indent + 2 };
        if let Some(key) = key {
            out.push_str(key);
            out.push_str(": ");
            column += key.chars().count() + 2;
        }
        // Inside a line that fits, everything fits.
        write(value, indent + 2, if inline { 1 } else { column }, out);
    }
    if !inline {
        out.push('\n');
        out.push_str(&" ".repeat(indent));
    }
    out.push(*close);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_fits_on_a_line_stands_on_one() {
        let long = "x".repeat(90);
        let compact =
            format!(r#"{{"a":[1,-2.5e3,null],"b":{{"text":"{long}","more":["{long}"]}},"c":{{}},"d":"\"]}},"}}"#);
        let expected = format!(
            "{{\n  \"a\": [1, -2.5e3, null],\n  \"b\": {{\n    \"text\": \"{long}\",\n    \"more\": [\"{long}\"]\n  }},\n  \
             \"c\": {{}},\n  \"d\": \"\\\"]}},\"\n}}\n"
        );
        assert_eq!(lay_out(&compact), expected);
    }

    #[test]
    fn what_is_no_json_comes_back_as_it_is() {
        for text in ["", "{", "[1,", "{\"a\" 1}", "{\"a\":1}}", "\"open"] {
            assert_eq!(lay_out(text), format!("{text}\n"));
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Eighths, because serde_json's quick reading of a float may miss the last bit of a longer one.
            any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
            ".{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,20}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn a_laid_out_value_is_the_same_value(value in json()) {
            let compact = value.to_string();
            let read: Value = serde_json::from_str(&lay_out(&compact)).unwrap();
            prop_assert_eq!(read.to_string(), compact);
        }
    }
}
