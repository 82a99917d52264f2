//! Answers in JSON, written as they go: the trees and number tables of a whole library would make up a quarter of the
//! WebAssembly.

use core::fmt::Write as _;

/// A value in an answer.
pub(crate) enum Json<'a> {
    Null,
    Flag(bool),
    Number(i64),
    Text(&'a str),
    /// JSON already, such as another answer.
    Written(String),
}

impl From<u64> for Json<'_> {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for Json<'_> {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}

impl<'a, T: AsRef<str> + ?Sized> From<&'a T> for Json<'a> {
    fn from(text: &'a T) -> Self {
        Self::Text(text.as_ref())
    }
}

impl<'a> Json<'a> {
    /// A text, or `null`.
    pub(crate) fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    /// A list of texts.
    pub(crate) fn texts<T: AsRef<str> + 'a>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut list = List::default();
        for text in texts {
            list.push(&Json::Text(text.as_ref()));
        }
        list.end()
    }

    /// A list of pairs of texts.
    pub(crate) fn pairs(pairs: &[(String, String)]) -> Self {
        let mut list = List::default();
        for (name, text) in pairs {
            list.push(&Json::texts([name, text]));
        }
        list.end()
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Number(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Text(text) => quote(text, out),
            Self::Written(json) => out.push_str(json),
        }
    }
}

/// A text as RFC 8259 wants it.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            ..' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// An object of these fields.
pub(crate) fn object(fields: &[(&str, Json<'_>)]) -> String {
    let mut out = String::from("{");
    for (place, (name, value)) in fields.iter().enumerate() {
        out.push_str(if place == 0 { "\"" } else { ",\"" });
        out.push_str(name);
        out.push_str("\":");
        value.write(&mut out);
    }
    out.push('}');
    out
}

/// A list, written item by item.
#[derive(Default)]
pub(crate) struct List(String);

impl List {
    pub(crate) fn push(&mut self, item: &Json<'_>) {
        self.0.push(if self.0.is_empty() { '[' } else { ',' });
        item.write(&mut self.0);
    }

    pub(crate) fn end<'a>(self) -> Json<'a> {
        Json::Written(self.text())
    }

    pub(crate) fn text(mut self) -> String {
        self.0.push_str(if self.0.is_empty() { "[]" } else { "]" });
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_it_was_meant() {
        let text = "a \"b\" \\ \u{0}\u{1f}\n\u{7f}ü\u{2028}🦀";
        let written = object(&[
            ("text", text.into()),
            ("none", Json::maybe(None)),
            ("flag", Json::Flag(true)),
            ("number", Json::Number(-7)),
            ("most", u64::MAX.into()),
            ("texts", Json::texts(["a", text])),
            ("pairs", Json::pairs(&[("n".into(), "v".into())])),
            ("empty", Json::texts([""; 0])),
            ("object", Json::Written(object(&[]))),
        ]);
        let expected = serde_json::json!({
            "text": text, "none": null, "flag": true, "number": -7, "most": i64::MAX, "texts": ["a", text],
            "pairs": [["n", "v"]], "empty": [], "object": {},
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).expect("it is JSON"), expected);
    }
}
