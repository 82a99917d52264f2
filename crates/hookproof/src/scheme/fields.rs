use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, error::shown};

/// A table of a scheme file or of options, read field by field: each error names the field, the value
/// and what is allowed, and what was never asked for is an unknown field.
pub(crate) struct Fields<'v> {
    kind: ErrorKind,
    path: String,
    map: &'v Map<String, Value>,
    asked: Vec<&'static str>,
}

impl<'v> Fields<'v> {
    pub(crate) fn of(kind: ErrorKind, path: &str, value: &'v Value) -> Result<Self, Error> {
        match value {
            Value::Object(map) => Ok(Self { kind, path: path.into(), map, asked: Vec::new() }),
            other => Err(Error::new(kind, format!("`{path}` is {}: a table is expected", described(other)))),
        }
    }

    fn name(&self, field: &str) -> String {
        if self.path.is_empty() { field.into() } else { format!("{}.{field}", self.path) }
    }

    /// An error about a field that is there.
    pub(crate) fn invalid(&self, field: &str, allowed: &str) -> Error {
        let value = self.map.get(field).map_or_else(|| "missing".into(), described);
        Error::new(self.kind, format!("`{}` is {value}: {allowed}", self.name(field)))
    }

    /// Any value; `null` counts as given.
    pub(crate) fn value(&mut self, field: &'static str) -> Option<&'v Value> {
        self.asked.push(field);
        self.map.get(field)
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.map.contains_key(field)
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<Option<&'v str>, Error> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.invalid(field, "a text is expected")),
        }
    }

    pub(crate) fn required(&mut self, field: &'static str) -> Result<&'v str, Error> {
        match self.text(field)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.invalid(field, "a text is expected")),
        }
    }

    /// A text or a list of them.
    pub(crate) fn texts(&mut self, field: &'static str) -> Result<Vec<&'v str>, Error> {
        let list = match self.value(field) {
            None => return Ok(Vec::new()),
            Some(Value::String(text)) => return Ok(Vec::from([text.as_str()])),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(self.invalid(field, "a text or a list of texts is expected")),
        };
        let texts: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
        texts.ok_or_else(|| self.invalid(field, "a text or a list of texts is expected"))
    }

    pub(crate) fn flag(&mut self, field: &'static str) -> Result<Option<bool>, Error> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.invalid(field, "true or false is expected")),
        }
    }

    pub(crate) fn number(&mut self, field: &'static str) -> Result<Option<f64>, Error> {
        match self.value(field) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(_) => Err(self.invalid(field, "a number is expected")),
        }
    }

    /// A whole number in the range; `1.0` is one, as a host language may not tell.
    pub(crate) fn whole(&mut self, field: &'static str, from: u64, to: u64) -> Result<Option<u64>, Error> {
        let allowed = || format!("a whole number from {from} to {to} is expected");
        let Some(value) = self.value(field) else { return Ok(None) };
        let exact =
            value.as_f64().filter(|number| (0.0..=9_007_199_254_740_992.0).contains(number) && *number % 1.0 == 0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number below 2^53")]
        let number = value.as_u64().or(exact.map(|number| number as u64)).filter(|number| (from..=to).contains(number));
        number.map(Some).ok_or_else(|| self.invalid(field, &allowed()))
    }

    /// One of a closed set of words.
    pub(crate) fn choice<T: Copy>(&mut self, field: &'static str, words: &[(&str, T)]) -> Result<Option<T>, Error> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        self.pick(field, text, words).map(Some)
    }

    pub(crate) fn pick<T: Copy>(&self, field: &str, text: &str, words: &[(&str, T)]) -> Result<T, Error> {
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let allowed: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            Error::new(
                self.kind,
                format!("`{}` is `{}`: allowed are {}", self.name(field), shown(text), allowed.join(", ")),
            )
        })
    }

    /// A duration such as `90s`, in milliseconds.
    pub(crate) fn duration(&mut self, field: &'static str) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        let allowed = "a duration such as `500ms`, `30s`, `5m`, `2h` or `7d` is expected";
        duration(text).map(Some).ok_or_else(|| self.invalid(field, allowed))
    }

    /// A size in bytes, as a number or such as `25MiB`.
    pub(crate) fn size(&mut self, field: &'static str) -> Result<Option<usize>, Error> {
        let bytes = match self.value(field) {
            None => return Ok(None),
            Some(Value::String(text)) => size(text),
            Some(value) => value.as_u64().and_then(|bytes| usize::try_from(bytes).ok()),
        };
        bytes
            .filter(|bytes| *bytes > 0)
            .map(Some)
            .ok_or_else(|| self.invalid(field, "a number of bytes, or such as `25MiB`, is expected"))
    }

    pub(crate) fn table(&mut self, field: &'static str) -> Result<Option<Fields<'v>>, Error> {
        let path = self.name(field);
        self.value(field).map(|value| Fields::of(self.kind, &path, value)).transpose()
    }

    /// A table, or an array of tables.
    pub(crate) fn tables(&mut self, field: &'static str) -> Result<Vec<Fields<'v>>, Error> {
        let path = self.name(field);
        match self.value(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(tables)) => tables
                .iter()
                .enumerate()
                .map(|(index, table)| Fields::of(self.kind, &format!("{path}[{index}]"), table))
                .collect(),
            Some(table) => Ok(Vec::from([Fields::of(self.kind, &path, table)?])),
        }
    }

    /// Names and texts, such as `when` and `config`.
    pub(crate) fn pairs(&mut self, field: &'static str) -> Result<Vec<(&'v str, &'v str)>, Error> {
        let Some(value) = self.value(field) else { return Ok(Vec::new()) };
        let pairs = value
            .as_object()
            .and_then(|map| map.iter().map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect());
        pairs.ok_or_else(|| self.invalid(field, "a table of texts is expected"))
    }

    /// Refuses what was never asked for.
    pub(crate) fn end(self) -> Result<(), Error> {
        for field in self.map.keys() {
            if !self.asked.contains(&field.as_str()) {
                let close = closest(field, self.asked.iter().copied());
                let hint = close.map_or_else(
                    || format!("allowed are {}", self.asked.join(", ")),
                    |close| format!("did you mean `{close}`?"),
                );
                return Err(Error::new(self.kind, format!("`{}` is unknown: {hint}", self.name(&shown(field)))));
            }
        }
        Ok(())
    }
}

/// A value for a message: short, and a text in backticks.
fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::String(text) => format!("`{}`", shown(text)),
        Value::Bool(_) | Value::Number(_) => format!("`{value}`"),
        Value::Array(_) => "a list".to_string(),
        Value::Object(_) => "a table".to_string(),
    }
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

fn size(text: &str) -> Option<usize> {
    let (number, unit) = split_unit(text)?;
    let bytes: u64 = match unit {
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    usize::try_from(number.checked_mul(bytes)?).ok()
}

/// The word that was probably meant: at most a third of it is wrong.
pub(crate) fn closest<'w>(word: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let word: String = word.chars().take(64).collect();
    let (distance, closest) = words.map(|candidate| (distance(&word, candidate), candidate)).min()?;
    (distance <= 1 + word.len() / 3).then_some(closest)
}

/// Edits (with neighbours swapped as one) between two words.
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows are one longer than the word, which has at most 64 letters"
)]
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().take(64).collect());
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
        assert_eq!(closest("strpie", words.into_iter()), Some("stripe"));
        assert_eq!(closest("standardwebhooks", words.into_iter()), Some("standard-webhooks"));
        assert_eq!(closest("zzzzzz", words.into_iter()), None);
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
