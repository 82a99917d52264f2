use alloc::{borrow::Cow, string::String, vec::Vec};
use core::fmt;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A path into JSON (RFC 6901), in which `*` stands for every element of an array.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pointer {
    text: String,
    steps: Vec<String>,
}

impl Pointer {
    /// `None` where the text is no pointer.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let steps = match text.strip_prefix('/') {
            Some(rest) => rest.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect(),
            None if text.is_empty() => Vec::new(),
            None => return None,
        };
        Some(Self { text: text.into(), steps })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The pointer to every element of the array here.
    pub(crate) fn each_element(&self) -> Self {
        let mut steps = self.steps.clone();
        steps.push("*".into());
        Self { text: alloc::format!("{}/*", self.text), steps }
    }

    pub(crate) fn each(&self) -> bool {
        self.steps.iter().any(|step| step == "*")
    }
}

/// Why a pointer cannot be followed in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// The body is not JSON: not UTF-8, not one value, or nested deeper than a parser should follow.
    NotJson,
    /// A key on the path stands twice, so that two readers could see two values.
    Repeated,
}

/// A value in a body: its text exactly as it stands there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found<'a>(&'a str);

impl<'a> Found<'a> {
    pub(crate) fn raw(self) -> &'a str {
        self.0
    }

    /// What a template or a source takes from it: a string's text, a number or truth value as written, nothing for `null`.
    pub(crate) fn scalar(self) -> Option<Cow<'a, str>> {
        match self.0.as_bytes().first()? {
            b'"' => {
                let inner = self.0.get(1..self.0.len().checked_sub(1)?)?;
                if inner.contains('\\') {
                    serde_json::from_str(self.0).ok().map(Cow::Owned)
                } else {
                    Some(Cow::Borrowed(inner))
                }
            }
            b'{' | b'[' => None,
            b'n' => Some(Cow::Borrowed("")),
            _ => Some(Cow::Borrowed(self.0)),
        }
    }

    /// The same, for an id or an event's name: only strings and numbers name something.
    pub(crate) fn name(self) -> Option<Cow<'a, str>> {
        match self.0.as_bytes().first()? {
            b'"' | b'-' | b'0'..=b'9' => self.scalar().filter(|text| !text.is_empty()),
            _ => None,
        }
    }
}

/// The value at the pointer, `None` where there is none.
pub(crate) fn find<'a>(body: &'a [u8], pointer: &Pointer) -> Result<Option<Found<'a>>, Unreadable> {
    Ok(find_each(body, pointer)?.into_iter().next().flatten())
}

/// For a pointer with `*`, what it finds in each element, in order; without, one entry.
pub(crate) fn find_each<'a>(body: &'a [u8], pointer: &Pointer) -> Result<Vec<Option<Found<'a>>>, Unreadable> {
    let text = core::str::from_utf8(body).map_err(|_| Unreadable::NotJson)?;
    let mut walk = Walk { steps: &pointer.steps, found: Vec::new(), repeated: false };
    let mut reader = serde_json::Deserializer::from_str(text);
    Step { walk: &mut walk, depth: 0 }.deserialize(&mut reader).map_err(|_| Unreadable::NotJson)?;
    reader.end().map_err(|_| Unreadable::NotJson)?;
    if walk.repeated { Err(Unreadable::Repeated) } else { Ok(walk.found) }
}

/// How deep a value may be nested, as `serde_json` counts it when it builds one.
const DEEPEST: usize = 127;

/// Whether this is JSON of a depth that every reader follows.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok() && depth(text) <= DEEPEST
}

/// How deep the arrays and objects of a JSON text are nested.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text.bytes() {
        if quoted {
            (quoted, escaped) = (escaped || byte != b'"', !escaped && byte == b'\\');
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

struct Walk<'p, 'a> {
    steps: &'p [String],
    found: Vec<Option<Found<'a>>>,
    repeated: bool,
}

struct Step<'w, 'p, 'a> {
    walk: &'w mut Walk<'p, 'a>,
    depth: usize,
}

impl<'a> DeserializeSeed<'a> for Step<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        if self.depth == self.walk.steps.len() {
            let raw = <&'a RawValue as serde::Deserialize>::deserialize(reader)?;
            self.walk.found.push(Some(Found(raw.get())));
            Ok(())
        } else {
            reader.deserialize_any(self)
        }
    }
}

macro_rules! nothing_there {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E>(self, _: $type) -> Result<(), E> {
            self.walk.found.push(None);
            Ok(())
        })*
    };
}

impl<'a> Visitor<'a> for Step<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let wanted = self.walk.steps.get(self.depth).map_or("", String::as_str);
        let mut seen = false;
        while let Some(key) = map.next_key::<Key<'a>>()? {
            if key.0 != wanted {
                map.next_value::<IgnoredAny>()?;
            } else if seen {
                self.walk.repeated = true;
                map.next_value::<IgnoredAny>()?;
            } else {
                seen = true;
                map.next_value_seed(Step { walk: self.walk, depth: self.depth.saturating_add(1) })?;
            }
        }
        if !seen {
            self.walk.found.push(None);
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut seq: S) -> Result<(), S::Error> {
        let wanted = self.walk.steps.get(self.depth).map_or("", String::as_str);
        let depth = self.depth.saturating_add(1);
        if wanted == "*" {
            while seq.next_element_seed(Step { walk: self.walk, depth })?.is_some() {}
            return Ok(());
        }
        let index = wanted.parse::<usize>().ok().filter(|_| wanted == "0" || !wanted.starts_with(['0', '+']));
        let mut seen = false;
        for place in 0usize.. {
            let more = if Some(place) == index {
                seen = true;
                seq.next_element_seed(Step { walk: self.walk, depth })?.is_some()
            } else {
                seq.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                seen = seen && index.is_some_and(|index| index < place);
                break;
            }
        }
        if !seen {
            self.walk.found.push(None);
        }
        Ok(())
    }

    nothing_there!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_unit<E>(self) -> Result<(), E> {
        self.walk.found.push(None);
        Ok(())
    }
}

/// A key of an object, unescaped, so that `"id"` and `"\u0069d"` are the same key.
struct Key<'a>(Cow<'a, str>);

impl<'a> serde::Deserialize<'a> for Key<'a> {
    fn deserialize<D: serde::Deserializer<'a>>(reader: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'a> Visitor<'a> for Text {
            type Value = Key<'a>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a key")
            }
            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Key<'a>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Key<'a>, E> {
                Ok(Key(Cow::Owned(text.into())))
            }
        }
        reader.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(body: &str, pointer: &str) -> Result<Vec<Option<String>>, Unreadable> {
        let found = find_each(body.as_bytes(), &Pointer::parse(pointer).unwrap())?;
        Ok(found.into_iter().map(|value| value.and_then(Found::scalar).map(Cow::into_owned)).collect())
    }

    #[test]
    fn a_pointer_finds_scalars_as_written() {
        assert_eq!(at(r#"{"a":{"b":1.50}}"#, "/a/b"), Ok([Some("1.50".into())].into()));
        assert_eq!(at(r#"{"a/b":"\u0041\n"}"#, "/a~1b"), Ok([Some("A\n".into())].into()));
        assert_eq!(at(r#"[1,[2,3]]"#, "/1/1"), Ok([Some("3".into())].into()));
        assert_eq!(at(r#"[1]"#, "/1"), Ok([None].into()));
        assert_eq!(at(r#"{"a":null}"#, "/a"), Ok([Some("".into())].into()));
        assert_eq!(at(r#"7"#, "/a"), Ok([None].into()));
    }

    #[test]
    fn the_depth_is_the_one_that_values_are_built_to() {
        for depth in [1, 126, 127, 128, 129, 5000] {
            for (open, close) in [("[", "]"), ("{\"[\\\"\":", "}")] {
                let text = alloc::format!("{}\"]{{\"{}", open.repeat(depth), close.repeat(depth));
                let built = serde_json::from_str::<serde_json::Value>(&text);
                assert_eq!(is_json(&text), built.is_ok(), "{depth} of {open}");
            }
        }
        assert!(!is_json("{"));
    }

    #[test]
    fn each_element_has_its_place() {
        assert_eq!(
            at(r#"{"i":[{"x":1},{},{"x":3}]}"#, "/i/*/x"),
            Ok([Some("1".into()), None, Some("3".into())].into())
        );
        assert_eq!(at(r#"{"i":[]}"#, "/i/*/x"), Ok([].into()));
    }

    #[test]
    fn a_key_that_stands_twice_on_the_path_is_told() {
        assert_eq!(at(r#"{"id":1,"id":2}"#, "/id"), Err(Unreadable::Repeated));
        assert_eq!(at(r#"{"id":1,"\u0069d":2}"#, "/id"), Err(Unreadable::Repeated));
        assert_eq!(at(r#"{"x":1,"x":2,"id":3}"#, "/id"), Ok([Some("3".into())].into()));
    }

    #[test]
    fn what_is_not_json_is_told() {
        for body in ["", "{", "{} {}", "{'a':1}", "\u{feff}{}", r#"{"a":"\ud800"}"#] {
            let result = at(body, "/a");
            assert!(result == Err(Unreadable::NotJson) || result == Ok([None].into()), "{body:?}: {result:?}");
        }
        assert_eq!(find(b"{\"a\":\"\xff\"}", &Pointer::parse("/a").unwrap()).err(), Some(Unreadable::NotJson));
        let deep = "[".repeat(100_000);
        assert_eq!(at(&deep, "/0/0").err(), Some(Unreadable::NotJson));
    }
}
