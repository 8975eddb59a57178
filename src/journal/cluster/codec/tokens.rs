//! Lines of tokens: words parted by spaces, the first ones known by their places, those behind them as `key=value`, in any
//! order.
//!
//! What is written into a token has `%XX` for each byte of it that is a space, a control character or `%`.

use std::borrow::Cow;

/// Appends a number in decimal digits.
pub(super) fn write_number(number: u64, out: &mut Vec<u8>) {
    const MAX_DIGITS: usize = 20;
    let (mut digits, mut start, mut rest) = ([0; MAX_DIGITS], MAX_DIGITS, number);
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return out.extend_from_slice(&digits[start..]);
        }
    }
}

/// Appends a text as one token.
pub(super) fn write_token(text: &str, out: &mut Vec<u8>) {
    let is_plain = |byte: u8| byte > b' ' && byte != b'%' && byte != 0x7F;
    if text.bytes().all(is_plain) {
        return out.extend_from_slice(text.as_bytes());
    }
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
}

/// Appends a space and a text under a key.
pub(super) fn write_field(key: &str, value: &str, out: &mut Vec<u8>) {
    write_key(key, out);
    write_token(value, out);
}

/// The same of a number.
pub(super) fn write_number_field(key: &str, value: u64, out: &mut Vec<u8>) {
    write_key(key, out);
    write_number(value, out);
}

fn write_key(key: &str, out: &mut Vec<u8>) {
    out.push(b' ');
    out.extend_from_slice(key.as_bytes());
    out.push(b'=');
}

/// What a token says; `None`, if it is none as they are written here.
pub(super) fn read_token(token: &str) -> Option<Cow<'_, str>> {
    if !token.as_bytes().contains(&b'%') {
        return Some(token.into());
    }
    let mut text = Vec::with_capacity(token.len());
    let mut parts = token.as_bytes().split(|byte| *byte == b'%');
    text.extend_from_slice(parts.next()?);
    for part in parts {
        let (&[high, low], rest) = part.split_first_chunk()?;
        let digit = |byte: u8| char::from(byte).to_digit(16);
        text.push((digit(high)? << 4 | digit(low)?) as u8);
        text.extend_from_slice(rest);
    }
    String::from_utf8(text).ok().map(Cow::Owned)
}

/// The tokens of a line, one by one.
pub(super) struct Tokens<'l>(&'l str);

impl<'l> Tokens<'l> {
    pub fn of(line: &'l str) -> Tokens<'l> {
        Tokens(line)
    }

    /// The next one as a number.
    pub fn number<N: TryFrom<u64>>(&mut self) -> Option<N> {
        read_number(self.next()?)
    }

    /// The next one as a text.
    pub fn text(&mut self) -> Option<Cow<'l, str>> {
        read_token(self.next()?)
    }

    /// Those that are left, each a key and a token. What has no key is ignored.
    pub fn fields(self) -> impl Iterator<Item = (&'l str, &'l str)> {
        self.filter_map(|field| field.split_once('='))
    }
}

impl<'l> Iterator for Tokens<'l> {
    type Item = &'l str;

    fn next(&mut self) -> Option<&'l str> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.bytes().position(|byte| byte == b' ').unwrap_or(self.0.len());
        let token = &self.0[..end];
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some(token)
    }
}

/// A number that is written in digits and nothing else.
pub(super) fn read_number<N: TryFrom<u64>>(token: &str) -> Option<N> {
    if token.is_empty() {
        return None;
    }
    let number = token.bytes().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    N::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_one_token(text in any::<String>(), number: u64) {
            let mut line = Vec::new();
            write_token(&text, &mut line);
            write_field("key", &text, &mut line);
            write_number_field("number", number, &mut line);
            let line = String::from_utf8(line).expect("text");
            prop_assert!(!line.contains('\n'));
            let mut tokens = Tokens::of(&line);
            if !text.is_empty() {
                let token = tokens.text();
                prop_assert_eq!(token.as_deref(), Some(&*text));
            }
            let fields: Vec<_> = tokens.fields().collect();
            prop_assert_eq!(fields[0].0, "key");
            let value = read_token(fields[0].1);
            prop_assert_eq!(value.as_deref(), Some(&*text));
            prop_assert_eq!(read_number(fields[1].1), Some(number));
        }

        #[test]
        fn any_line_is_read_without_panic(line in any::<String>()) {
            Tokens::of(&line).for_each(|token| drop((read_token(token), read_number::<u32>(token))));
        }
    }

    #[test]
    fn a_number_is_digits_that_it_has_room_for() {
        assert_eq!(read_number(&u64::MAX.to_string()), Some(u64::MAX));
        for token in ["", "-1", "+1", "1x", "18446744073709551616"] {
            assert_eq!(read_number::<u64>(token), None, "{token}");
        }
        assert_eq!(read_number::<u32>("4294967296"), None);
    }
}
