//! JSON as JavaScript prints it.
//!
//! The documents' own samples verify over `JSON.stringify(req.body)`. A body only survives that if it is already what
//! `JSON.stringify` would print: compact, numbers as JavaScript writes them, integer-like keys first and ascending.

use serde_json::{Map, Value};

/// The text that `JSON.stringify(JSON.parse(text))` gives for this value.
///
/// ```
/// let value = serde_json::from_str(r#"{ "b": 1.0, "10": 1e2, "2": "\u00e9/" }"#)?;
/// assert_eq!(hookproof_sender::json_text::print(&value), r#"{"2":"é/","10":100,"b":1}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn print(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => text.push_str(ryu_js::Buffer::new().format(number.as_f64().unwrap_or_default())),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => object(fields, text),
        // Strings, `null`, `true` and `false` are printed alike.
        simple => text.push_str(&simple.to_string()),
    }
}

fn object(fields: &Map<String, Value>, text: &mut String) {
    let mut indices: Vec<(u32, &String, &Value)> =
        fields.iter().filter_map(|(name, value)| Some((array_index(name)?, name, value))).collect();
    indices.sort_by_key(|(index, ..)| *index);
    let named = fields.iter().filter(|(name, _)| array_index(name).is_none());
    text.push('{');
    for (place, (name, value)) in indices.into_iter().map(|(_, name, value)| (name, value)).chain(named).enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(&Value::String(name.clone()).to_string());
        text.push(':');
        write(value, text);
    }
    text.push('}');
}

/// The keys that JavaScript sorts in front of all others: canonical decimals below 2^32 - 1.
fn array_index(name: &str) -> Option<u32> {
    let index: u32 = name.parse().ok()?;
    (index < u32::MAX && index.to_string() == name).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_json_stringify_does() {
        for (given, printed) in [
            ("1.0", "1"),
            ("1e2", "100"),
            ("-0", "0"),
            ("1e21", "1e+21"),
            ("1e-7", "1e-7"),
            ("0.000001", "0.000001"),
            ("18446744073709551616", "18446744073709552000"),
            ("9007199254740993", "9007199254740992"),
            (r#""\u2028\u007f\u0001\/\u00e9""#, "\"\u{2028}\u{7f}\\u0001/é\""),
            (
                r#"{"b":1,"01":2,"1":3,"0":4,"-1":5,"4294967295":6,"4294967294":7}"#,
                r#"{"0":4,"1":3,"4294967294":7,"b":1,"01":2,"-1":5,"4294967295":6}"#,
            ),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (" [ null , true , [ ] , { } ] ", "[null,true,[],{}]"),
        ] {
            assert_eq!(print(&serde_json::from_str(given).unwrap()), printed, "{given}");
        }
    }
}
