use alloc::{borrow::Cow, string::String, vec::Vec};

/// The text is not JSON (RFC 8259).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

type Result<T> = core::result::Result<T, NotJson>;

/// Reads JSON where it stands: each value is a piece of the text, and nothing is built.
///
/// Neither time nor memory grows faster than the text: what is skipped is skipped without recursion.
#[derive(Debug)]
pub(crate) struct Reader<'t> {
    text: &'t str,
    rest: &'t [u8],
}

impl<'t> Reader<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, rest: text.as_bytes() }
    }

    /// How many bytes were read.
    pub(crate) const fn place(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    fn step(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// What the next value, or whatever else comes next, begins with.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        while let [byte, rest @ ..] = self.rest {
            if !matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
                return Some(*byte);
            }
            self.rest = rest;
        }
        None
    }

    fn next(&mut self) -> Result<u8> {
        let [byte, rest @ ..] = self.rest else { return Err(NotJson) };
        self.rest = rest;
        Ok(*byte)
    }

    fn mark(&mut self, mark: u8) -> Result<()> {
        self.peek();
        self.word(&[mark])
    }

    fn word(&mut self, word: &[u8]) -> Result<()> {
        self.rest = self.rest.strip_prefix(word).ok_or(NotJson)?;
        Ok(())
    }

    /// That nothing follows.
    pub(crate) fn end(&mut self) -> Result<()> {
        if self.peek().is_none() { Ok(()) } else { Err(NotJson) }
    }

    /// Goes into a list or a table; `false`: nothing is in it, and it is read.
    pub(crate) fn open(&mut self, open: u8, close: u8) -> Result<bool> {
        self.mark(open)?;
        let filled = self.peek() != Some(close);
        self.step(usize::from(!filled));
        Ok(filled)
    }

    /// Goes on behind an item: `true` to the next one, `false` out of the list or table.
    #[inline]
    pub(crate) fn more(&mut self, close: u8) -> Result<bool> {
        self.peek();
        let (more, rest) = match self.rest {
            [b',', rest @ ..] => (true, rest),
            [byte, rest @ ..] if *byte == close => (false, rest),
            _ => return Err(NotJson),
        };
        self.rest = rest;
        Ok(more)
    }

    /// The key of an entry, as it stands there: see [`unescaped`].
    pub(crate) fn key(&mut self) -> Result<&'t str> {
        let key = self.string()?;
        self.mark(b':')?;
        Ok(key)
    }

    /// What stands between the quotes.
    pub(crate) fn string(&mut self) -> Result<&'t str> {
        self.mark(b'"')?;
        let start = self.place();
        self.quoted()?;
        Ok(self.text.get(start..self.place().saturating_sub(1)).unwrap_or_default())
    }

    /// The rest of a string, behind its first quote.
    fn quoted(&mut self) -> Result<()> {
        loop {
            self.rest = plain(self.rest);
            match self.next()? {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                // A control character stands in a string only escaped.
                _ => return Err(NotJson),
            }
        }
    }

    fn escape(&mut self) -> Result<()> {
        match (self.next()?, self.rest) {
            (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', _) => Ok(()),
            (b'u', [a, b, c, d, rest @ ..]) if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(NotJson),
        }
    }

    fn digits(&mut self) -> Result<()> {
        let [b'0'..=b'9', ..] = self.rest else { return Err(NotJson) };
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        if let [b'-', rest @ ..] = self.rest {
            self.rest = rest;
        }
        match self.rest {
            [b'0', rest @ ..] => self.rest = rest,
            _ => self.digits()?,
        }
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        if let [b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        Ok(())
    }

    /// A value that is neither a list nor a table, as it stands there.
    pub(crate) fn scalar(&mut self) -> Result<&'t str> {
        self.peek();
        let start = self.place();
        self.single()?;
        Ok(self.text.get(start..self.place()).unwrap_or_default())
    }

    fn single(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.mark(b'"').and_then(|()| self.quoted()),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.number(),
        }
    }

    /// Any value, as it stands there.
    pub(crate) fn skip(&mut self) -> Result<&'t str> {
        self.peek();
        let start = self.place();
        // What ends the list or table that is open, and those around it.
        let (mut close, mut around) = (None, Vec::new());
        loop {
            let end = match self.peek() {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                _ => None,
            };
            if end.is_some() {
                self.step(1);
            } else {
                self.single()?;
            }
            if end.is_some() && self.peek() != end {
                around.push(close);
                close = end;
            } else {
                self.step(usize::from(end.is_some()));
                loop {
                    let Some(byte) = close else {
                        return Ok(self.text.get(start..self.place()).unwrap_or_default());
                    };
                    if self.more(byte)? {
                        break;
                    }
                    close = around.pop().flatten();
                }
            }
            if close == Some(b'}') {
                self.mark(b'"')?;
                self.quoted()?;
                self.mark(b':')?;
            }
        }
    }
}

/// What follows the bytes of a string that stand for themselves.
fn plain(mut bytes: &[u8]) -> &[u8] {
    const ONES: u64 = u64::MAX / 255;
    while let Some((eight, after)) = bytes.split_first_chunk::<8>() {
        // The lowest byte that is below another one borrows first, so the first flag that is set is right.
        let word = u64::from_le_bytes(*eight);
        let below = |word: u64, limit: u64| word.wrapping_sub(ONES.wrapping_mul(limit)) & !word;
        let is = |letter: u8| below(word ^ ONES.wrapping_mul(letter.into()), 1);
        let special = (below(word, 0x20) | is(b'"') | is(b'\\')) & ONES.wrapping_mul(0x80);
        if special != 0 {
            return bytes.get((special.trailing_zeros() / 8) as usize..).unwrap_or_default();
        }
        bytes = after;
    }
    while let [byte, after @ ..] = bytes
        && !matches!(byte, ..0x20 | b'"' | b'\\')
    {
        bytes = after;
    }
    bytes
}

/// The text that stands between quotes; `None` where half a surrogate pair stands alone.
pub(crate) fn unescaped(quoted: &str) -> Option<Cow<'_, str>> {
    let Some((plain, mut rest)) = quoted.split_once('\\') else { return Some(Cow::Borrowed(quoted)) };
    let mut text = String::from(plain);
    loop {
        let (escape, after) = rest.split_at_checked(1)?;
        rest = after;
        match escape {
            "b" => text.push('\u{8}'),
            "f" => text.push('\u{c}'),
            "n" => text.push('\n'),
            "r" => text.push('\r'),
            "t" => text.push('\t'),
            "u" => {
                let first = unit(&mut rest)?;
                let pair = if (0xd800..0xdc00).contains(&first) {
                    rest = rest.strip_prefix("\\u")?;
                    let second = unit(&mut rest)?.checked_sub(0xdc00).filter(|second| *second < 0x400)?;
                    (first & 0x3ff) << 10 | second | 0x1_0000
                } else {
                    first
                };
                text.push(char::from_u32(pair)?);
            }
            itself => text.push_str(itself),
        }
        let Some((plain, after)) = rest.split_once('\\') else {
            text.push_str(rest);
            return Some(Cow::Owned(text));
        };
        text.push_str(plain);
        rest = after;
    }
}

/// Four hexadecimal digits.
fn unit(rest: &mut &str) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    u32::from_str_radix(digits, 16).ok()
}
