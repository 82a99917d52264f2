use alloc::{borrow::Cow, format, string::String, vec::Vec};

use super::{
    DEEPEST,
    reader::{NotJson, Reader, unescaped},
};

/// A JSON value that was read whole: schemes, options, and what an engine's host passes on.
///
/// ```
/// use hookproof::json::Value;
/// let value = Value::read(r#"{ "name": "a\u00e9", "sizes": [1, 2.5], "none": null }"#).unwrap();
/// assert_eq!(value.get("name").and_then(Value::text), Some("aé"));
/// let sizes: Vec<_> = value.get("sizes").unwrap().list().iter().map(Value::number).collect();
/// assert_eq!(sizes, [Some(1.0), Some(2.5)]);
/// assert_eq!(Value::read("{ \"a\":\n1,\n}").unwrap_err(), "line 3, column 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'t> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number, as it was written.
    Number(&'t str),
    /// A text.
    Text(Cow<'t, str>),
    /// An array.
    List(Vec<Value<'t>>),
    /// An object, in the order of the text; of a name that stands twice, the last counts.
    Table(Vec<(Cow<'t, str>, Value<'t>)>),
}

impl<'t> Value<'t> {
    /// The value of a whole text.
    ///
    /// # Errors
    /// The place of what is no JSON, or nested deeper than a parser should follow: `line 3, column 1`.
    pub fn read(text: &'t str) -> Result<Self, String> {
        let mut reader = Reader::new(text);
        let value = value(&mut reader, DEEPEST).and_then(|value| reader.end().map(|()| value));
        value.map_err(|NotJson| {
            let read = text.get(..reader.place()).unwrap_or(text);
            let line = read.rsplit('\n').next().unwrap_or_default();
            format!("line {}, column {}", read.matches('\n').count().saturating_add(1), line.len().saturating_add(1))
        })
    }

    /// The entry of a table.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.table()?.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The entries of a table.
    pub(crate) fn table(&self) -> Option<&[(Cow<'t, str>, Self)]> {
        if let Self::Table(entries) = self { Some(entries) } else { None }
    }

    /// The items of a list; what is none has none.
    pub fn list(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    /// The text, of a text.
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The truth value, of one.
    pub(crate) fn flag(&self) -> Option<bool> {
        if let Self::Flag(flag) = self { Some(*flag) } else { None }
    }

    /// A number that is written as a whole one.
    pub fn whole(&self) -> Option<i64> {
        if let Self::Number(text) = self { text.parse().ok() } else { None }
    }

    /// Any number: exact up to 15 digits, which is more than any option has. The library's own way of reading a float
    /// would bring more tables into the WebAssembly than all schemes together.
    pub fn number(&self) -> Option<f64> {
        let Self::Number(text) = self else { return None };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let mut exponent: i32 = exponent.parse().unwrap_or(if exponent.starts_with('-') { -9999 } else { 9999 });
        let (mut digits, mut behind_point) = (0.0, false);
        for byte in mantissa.bytes() {
            match byte {
                b'0'..=b'9' => {
                    digits = digits * 10.0 + f64::from(byte & 15);
                    exponent = exponent.saturating_sub(i32::from(behind_point));
                }
                b'.' => behind_point = true,
                _ => {}
            }
        }
        let scale = (0..exponent.unsigned_abs().min(400)).fold(1.0, |scale, _| scale * 10.0);
        let size = if exponent < 0 { digits / scale } else { digits * scale };
        Some(if text.starts_with('-') { -size } else { size })
    }
}

fn value<'t>(reader: &mut Reader<'t>, depth: usize) -> Result<Value<'t>, NotJson> {
    let inside = || depth.checked_sub(1).ok_or(NotJson);
    match reader.peek() {
        Some(b'[') => {
            let (mut items, inside) = (Vec::new(), inside()?);
            let mut more = reader.open(b'[', b']')?;
            while more {
                items.push(value(reader, inside)?);
                more = reader.more(b']')?;
            }
            Ok(Value::List(items))
        }
        Some(b'{') => {
            let (mut entries, inside) = (Vec::new(), inside()?);
            let mut more = reader.open(b'{', b'}')?;
            while more {
                let name = unescaped(reader.key()?).ok_or(NotJson)?;
                entries.push((name, value(reader, inside)?));
                more = reader.more(b'}')?;
            }
            Ok(Value::Table(entries))
        }
        Some(b'"') => unescaped(reader.string()?).map(Value::Text).ok_or(NotJson),
        _ => Ok(match reader.scalar()? {
            "null" => Value::Null,
            "true" => Value::Flag(true),
            "false" => Value::Flag(false),
            number => Value::Number(number),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whether another parser reads the same.
    fn is_same(ours: &Value<'_>, theirs: &serde_json::Value) -> bool {
        match (ours, theirs) {
            (Value::Null, serde_json::Value::Null) => true,
            (Value::Flag(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
            (Value::Number(text), serde_json::Value::Number(theirs)) => {
                let (number, theirs) = (ours.number().unwrap(), theirs.as_f64().unwrap());
                (number - theirs).abs() <= theirs.abs() * 1e-14 && (ours.whole() == text.parse().ok())
            }
            (Value::Text(ours), serde_json::Value::String(theirs)) => ours == theirs,
            (Value::List(ours), serde_json::Value::Array(theirs)) => {
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
            }
            (Value::Table(entries), serde_json::Value::Object(theirs)) => {
                entries.iter().all(|(name, _)| is_same(ours.get(name).unwrap(), &theirs[&**name]))
            }
            _ => false,
        }
    }

    fn agrees(text: &str) {
        let theirs = serde_json::from_str::<serde_json::Value>(text);
        match (Value::read(text), theirs) {
            (Ok(ours), Ok(theirs)) => assert!(is_same(&ours, &theirs), "{text}: {ours:?}"),
            // It knows no number beyond a float's range.
            (Ok(_), Err(error)) => assert!(error.to_string().starts_with("number out of range"), "{text}: {error}"),
            (Err(place), theirs) => assert!(theirs.is_err(), "{text}: {place}"),
        }
    }

    #[test]
    fn numbers_are_what_was_written() {
        for (text, number, whole) in [
            ("0.1", 0.1, None),
            ("2.5", 2.5, None),
            ("-0", 0.0, Some(0)),
            ("1e3", 1000.0, None),
            ("123456789012345", 123_456_789_012_345.0, Some(123_456_789_012_345)),
            ("-1.5E-2", -0.015, None),
            ("1e999999999999", f64::INFINITY, None),
            ("1e-999999999999", 0.0, None),
        ] {
            let value = Value::read(text).unwrap();
            assert_eq!((value.number(), value.whole()), (Some(number), whole), "{text}");
        }
    }

    #[test]
    fn the_depth_is_bounded() {
        for (depth, read) in [(127, true), (128, false), (100_000, false)] {
            let text = "[".repeat(depth) + &"]".repeat(depth);
            assert_eq!(Value::read(&text).is_ok(), read, "{depth}");
        }
    }

    proptest! {
        #[test]
        fn others_read_the_same(text in r#"([\[\]{}:, \n]|"[ab]"|"\\[ubn"/\\x]"|"\\u(d83d\\ude00|00e9|d800|dc00\\ud800)"|-?[0-9]{1,3}(\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?|null|true|fals){0,9}"#) {
            agrees(&text);
        }

        #[test]
        fn what_others_write_is_read(depth in 0usize..4, seed in any::<u64>(), text in any::<String>(), number in -1e15..1e15) {
            let mut value = serde_json::json!([text, number, seed, seed as i64, null, true]);
            for level in 0..depth {
                value = serde_json::json!({ text.clone(): value, "level": level, "again": [[], {}] });
            }
            agrees(&value.to_string());
            agrees(&serde_json::to_string_pretty(&value).unwrap());
        }
    }
}
