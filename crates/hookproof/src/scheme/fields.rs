use alloc::{format, string::String, vec::Vec};
use core::cell::RefCell;
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, error::shown};

/// What is wrong with a structure: the first thing counts, and whoever reads on gets defaults.
///
/// A reader of forty fields has one place where it fails, and not forty.
pub(crate) struct Problem {
    kind: ErrorKind,
    first: RefCell<Option<String>>,
}

impl Problem {
    pub(crate) const fn new(kind: ErrorKind) -> Self {
        Self { kind, first: RefCell::new(None) }
    }

    #[cold]
    pub(crate) fn say(&self, message: String) {
        self.first.borrow_mut().get_or_insert(message);
    }

    /// What was read, if nothing was wrong.
    pub(crate) fn or<T>(&self, read: T) -> Result<T, Error> {
        match self.first.take() {
            None => Ok(read),
            Some(message) => Err(Error::new(self.kind, message)),
        }
    }
}

/// A table of a scheme file or of options, read field by field: each problem names the field, the value
/// and what is allowed, and what was never asked for is an unknown field.
pub(crate) struct Fields<'v> {
    problem: &'v Problem,
    path: String,
    map: Option<&'v Map<String, Value>>,
    asked: Vec<&'static str>,
}

impl<'v> Fields<'v> {
    pub(crate) fn of(problem: &'v Problem, path: String, value: &'v Value) -> Self {
        let map = value.as_object();
        if map.is_none() {
            problem.say(format!("`{path}` is {}: a table is expected", described(value)));
        }
        Self { problem, path, map, asked: Vec::new() }
    }

    fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.into() } else { format!("{}.{field}", self.path) }
    }

    /// Says that a field is not what is expected of it.
    #[cold]
    pub(crate) fn wrong(&self, field: &str, allowed: &str) {
        let value = self.given(field).map_or_else(|| "missing".into(), described);
        self.problem.say(format!("`{}` is {value}: {allowed}", self.name(field)));
    }

    /// What was made of a field; `None` is a problem.
    pub(crate) fn expect<T>(&self, field: &str, made: Option<T>, allowed: &str) -> Option<T> {
        if made.is_none() {
            self.wrong(field, allowed);
        }
        made
    }

    /// Any value; `null` counts as given.
    fn value(&mut self, field: &'static str) -> Option<&'v Value> {
        self.asked.push(field);
        self.given(field)
    }

    fn given(&self, field: &str) -> Option<&'v Value> {
        self.map?.get(field)
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.given(field).is_some()
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Option<&'v str> {
        let value = self.value(field)?;
        self.expect(field, value.as_str(), "a text is expected")
    }

    pub(crate) fn required(&mut self, field: &'static str) -> &'v str {
        let text = self.value(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        self.expect(field, text, "a text is expected").unwrap_or_default()
    }

    /// A text or a list of them.
    pub(crate) fn texts(&mut self, field: &'static str) -> Vec<&'v str> {
        let mut texts = Vec::new();
        let list = match self.value(field) {
            None => &[],
            Some(Value::Array(list)) => list.as_slice(),
            Some(text) => core::slice::from_ref(text),
        };
        for text in list {
            texts.extend(self.expect(field, text.as_str(), "a text or a list of texts is expected"));
        }
        texts
    }

    /// The same, to be kept.
    pub(crate) fn words(&mut self, field: &'static str) -> Vec<String> {
        self.texts(field).into_iter().map(String::from).collect()
    }

    pub(crate) fn flag(&mut self, field: &'static str) -> Option<bool> {
        let value = self.value(field)?;
        self.expect(field, value.as_bool(), "true or false is expected")
    }

    pub(crate) fn number(&mut self, field: &'static str) -> Option<f64> {
        let value = self.value(field)?;
        self.expect(field, value.as_f64(), "a number is expected")
    }

    /// A whole number in the range; `1.0` is one, as a host language may not tell.
    pub(crate) fn whole(&mut self, field: &'static str, from: u64, to: u64) -> Option<u64> {
        let value = self.value(field)?;
        let exact =
            value.as_f64().filter(|number| (0.0..=9_007_199_254_740_992.0).contains(number) && *number % 1.0 == 0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2^53")]
        let number = value.as_u64().or(exact.map(|number| number as u64)).filter(|number| (from..=to).contains(number));
        if number.is_none() {
            self.wrong(field, &format!("a whole number from {from} to {to} is expected"));
        }
        number
    }

    /// One of a closed set of words.
    pub(crate) fn choice<T: Copy>(&mut self, field: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(field)?;
        self.pick(field, text, words)
    }

    pub(crate) fn pick<T: Copy>(&self, field: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            self.none_of(field, text, &mut words.iter().map(|(word, _)| *word));
        }
        found.map(|(_, value)| *value)
    }

    #[cold]
    fn none_of(&self, field: &str, text: &str, words: &mut dyn Iterator<Item = &str>) {
        let mut message = format!("`{}` is `{}`: allowed are ", self.name(field), shown(text));
        for (place, word) in words.enumerate() {
            message.push_str(if place == 0 { "`" } else { ", `" });
            message.push_str(word);
            message.push('`');
        }
        self.problem.say(message);
    }

    /// A duration such as `90s`, in milliseconds.
    pub(crate) fn duration(&mut self, field: &'static str) -> Option<u64> {
        let text = self.text(field)?;
        self.expect(field, duration(text), "a duration such as `500ms`, `30s`, `5m`, `2h` or `7d` is expected")
    }

    /// A size in bytes, as a number or such as `25MiB`.
    pub(crate) fn size(&mut self, field: &'static str) -> Option<usize> {
        let value = self.value(field)?;
        let bytes = value.as_str().map_or_else(|| value.as_u64(), size).filter(|bytes| *bytes > 0);
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        self.expect(field, bytes, "a number of bytes, or such as `25MiB`, is expected")
    }

    pub(crate) fn table(&mut self, field: &'static str) -> Option<Fields<'v>> {
        let value = self.value(field)?;
        Some(Fields::of(self.problem, self.name(field), value))
    }

    /// A table, or an array of tables.
    pub(crate) fn tables(&mut self, field: &'static str) -> Vec<Fields<'v>> {
        let path = self.name(field);
        match self.value(field) {
            None => Vec::new(),
            Some(Value::Array(tables)) => {
                let tables = tables.iter().enumerate();
                tables.map(|(index, table)| Fields::of(self.problem, format!("{path}[{index}]"), table)).collect()
            }
            Some(table) => Vec::from([Fields::of(self.problem, path, table)]),
        }
    }

    /// Names and texts, such as `when` and `config`.
    pub(crate) fn pairs(&mut self, field: &'static str) -> Vec<(&'v str, &'v str)> {
        let mut pairs = Vec::new();
        let Some(value) = self.value(field) else { return pairs };
        let allowed = "a table of texts is expected";
        for (name, value) in self.expect(field, value.as_object(), allowed).into_iter().flatten() {
            pairs.extend(self.expect(field, value.as_str(), allowed).map(|text| (name.as_str(), text)));
        }
        pairs
    }

    /// Refuses what was never asked for.
    pub(crate) fn end(self) {
        for field in self.map.into_iter().flat_map(Map::keys) {
            if !self.asked.contains(&field.as_str()) {
                let hint = match closest(field, &mut self.asked.iter().copied()) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => format!("allowed are {}", self.asked.join(", ")),
                };
                self.problem.say(format!("`{}` is unknown: {hint}", self.name(&shown(field))));
            }
        }
    }
}

/// A value for a message: short, and a text in backticks.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::String(text) => format!("`{}`", shown(text)),
        Value::Bool(flag) => format!("`{flag}`"),
        Value::Number(number) => format!("`{}`", decimal(number.as_f64().unwrap_or_default())),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a table".into(),
    }
}

/// A number as a person wrote it, with up to six places. The library's own way of writing any `f64` would bring more
/// tables into the WebAssembly than all schemes together.
#[expect(clippy::cast_possible_truncation, reason = "saturates: it is text for a message")]
fn decimal(number: f64) -> String {
    let millionths = (number * 1e6) as i64;
    let (sign, millionths) = (if millionths < 0 { "-" } else { "" }, millionths.unsigned_abs());
    let text = format!("{sign}{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').into()
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit))
}

pub(crate) fn duration(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    // A year is more than any sender waits, and keeps every sum of durations far from overflow.
    number.checked_mul(milliseconds).filter(|total| *total <= 366 * 86_400_000)
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let bytes: u64 = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.checked_mul(bytes)
}

/// The word that was probably meant: at most a third of it is wrong.
pub(crate) fn closest<'w>(word: &str, words: &mut dyn Iterator<Item = &'w str>) -> Option<&'w str> {
    let mut closest = None;
    let mut most = word.len().min(64) / 3 + 1;
    for candidate in words {
        let distance = distance(word, candidate);
        if distance < most || (closest.is_none() && distance == most) {
            (closest, most) = (Some(candidate), distance);
        }
    }
    closest
}

/// Edits (with neighbours swapped as one) between two words.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows are one longer than the word, which has at most 64 letters"
)]
fn distance(left: &str, right: &str) -> usize {
    let letters = |word: &str| word.chars().take(64).collect::<Vec<_>>();
    let (left, right) = (letters(left), letters(right));
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut line = Vec::from([row + 1]);
        for (column, &b) in right.iter().enumerate() {
            let mut cost = (above[column] + usize::from(a != b)).min(above[column + 1] + 1).min(line[column] + 1);
            if row > 0 && column > 0 && a == right[column - 1] && left[row - 1] == b {
                let before: &Vec<usize> = &before;
                cost = cost.min(before[column - 1] + 1);
            }
            line.push(cost);
        }
        before = core::mem::replace(&mut above, line);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_found() {
        let words = ["stripe", "slack", "svix", "standard-webhooks"];
        assert_eq!(closest("strpie", &mut words.into_iter()), Some("stripe"));
        assert_eq!(closest("standardwebhooks", &mut words.into_iter()), Some("standard-webhooks"));
        assert_eq!(closest("zzzzzz", &mut words.into_iter()), None);
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("90s"), Some(90_000));
        assert_eq!(duration("7d"), Some(604_800_000));
        for text in ["90", "s", "-1s", "1.5s", "99999999999999999999s", "400d", "1 s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
