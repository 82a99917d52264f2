use alloc::{borrow::Cow, vec::Vec};

/// The fields of an `application/x-www-form-urlencoded` body, or of a query, decoded, in order.
pub(crate) fn fields(text: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    text.split(|byte| *byte == b'&').filter(|field| !field.is_empty()).map(|field| {
        let (name, value) = match field.iter().position(|byte| *byte == b'=') {
            Some(at) => (field.get(..at), field.get(at.saturating_add(1)..)),
            None => (Some(field), None),
        };
        (percent_decode(name.unwrap_or_default(), true), percent_decode(value.unwrap_or_default(), true))
    })
}

/// The value of the first field with this name.
pub(crate) fn value<'a>(text: &'a [u8], name: &str) -> Option<Cow<'a, [u8]>> {
    fields(text).find(|(field, _)| field.as_ref() == name.as_bytes()).map(|(_, value)| value)
}

/// Every field as name and value, sorted by name: how Twilio and its kin sign a form.
pub(crate) fn sorted(body: &[u8], unique: bool) -> Vec<u8> {
    let mut fields: Vec<_> = fields(body).collect();
    if unique {
        fields.sort();
        fields.dedup();
    } else {
        fields.sort_by(|(left, _), (right, _)| left.cmp(right));
    }
    let mut text = Vec::with_capacity(body.len());
    for (name, value) in fields {
        text.extend_from_slice(&name);
        text.extend_from_slice(&value);
    }
    text
}

/// Undoes percent-encoding; what is not valid stays as it stands, as in the URL standard.
pub(crate) fn percent_decode(text: &[u8], plus_is_space: bool) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        let digit = |at: usize| tail.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match byte {
            b'+' if plus_is_space => decoded.push(b' '),
            b'%' => match (digit(0), digit(1)) {
                (Some(high), Some(low)) => {
                    decoded.push(u8::try_from(high << 4 | low).unwrap_or_default());
                    rest = tail.get(2..).unwrap_or_default();
                }
                _ => decoded.push(b'%'),
            },
            byte => decoded.push(*byte),
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded() {
        let decoded: Vec<_> =
            fields(b"a=1&b=%2B1+x&&c&=d&e=%zz").map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        let expected: [(&[u8], &[u8]); 5] = [(b"a", b"1"), (b"b", b"+1 x"), (b"c", b""), (b"", b"d"), (b"e", b"%zz")];
        assert_eq!(decoded, expected.map(|(n, v)| (n.to_vec(), v.to_vec())));
    }

    #[test]
    fn sorting_keeps_or_merges_equal_names() {
        assert_eq!(sorted(b"b=2&a=2&a=1&a=2", false), b"a2a1a2b2");
        assert_eq!(sorted(b"b=2&a=2&a=1&a=2", true), b"a1a2b2");
    }
}
