//! Text as words, the same for the index and for a search. Version 1 of these rules; see docs/vault-format.md.
//!
//! A word is a run of letters, digits and their marks. Scripts that are written without spaces (Chinese, Japanese,
//! Thai, …) give a word per character. Words are folded: compatibility forms taken apart (NFKD), accents
//! (U+0300–U+036F) dropped, lower case, and a few letters that have no accent to drop (ß, æ, ø, ł, …) written out.
//! E-mail addresses and numbers of seven digits or more are found as wholes, besides.

use std::ops::Range;

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Version of the rules; an index of another version is not asked.
pub(crate) const VERSION: u32 = 1;
/// Digits that a number must have to be one, and the last of it by which the index knows it.
pub(crate) const NUMBER: usize = 7;
/// Digits of a number that count; longer runs are no telephone numbers.
const MOST_DIGITS: usize = 40;

/// Whether a character is of a script that is written without spaces.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF          // Thai, Lao, Burmese, Khmer
        | 0x3040..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9F        // kana
        | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x2_0000..=0x3_FFFF) // Han
}

/// Appends a character as it is compared.
pub(crate) fn fold_char(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
        return;
    }
    decompose_compatible(c, |part| {
        if matches!(u32::from(part), 0x0300..=0x036F) {
            return;
        }
        for lower in part.to_lowercase() {
            match lower {
                'ß' => out.push_str("ss"),
                'æ' => out.push_str("ae"),
                'œ' => out.push_str("oe"),
                'ø' => out.push('o'),
                'ł' => out.push('l'),
                'đ' | 'ð' => out.push('d'),
                'þ' => out.push_str("th"),
                'ı' => out.push('i'),
                'ς' => out.push('σ'),
                mark if matches!(u32::from(mark), 0x0300..=0x036F) => {}
                other => out.push(other),
            }
        }
    });
}

/// A whole text as it is compared, with all that is between its words.
pub(crate) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| fold_char(c, &mut out));
    out
}

/// Calls `each` with every word, folded, where it is in the text, and whether it is a character of an unspaced script.
pub(crate) fn each_word(text: &str, word: &mut String, mut each: impl FnMut(&str, Range<usize>, bool)) {
    if text.is_ascii() {
        return each_ascii(text, word, |folded, at| each(folded, at, false));
    }
    let mut start = None;
    let mut end = 0;
    let mut unspaced = false;
    word.clear();
    for (at, c) in text.char_indices() {
        let own = is_unspaced(c) && c.is_alphanumeric();
        let goes_on = if start.is_some() {
            (c.is_alphanumeric() && !own && !unspaced) || is_combining_mark(c)
        } else {
            c.is_alphanumeric()
        };
        if !goes_on && let Some(from) = start.take() {
            if !word.is_empty() {
                each(word, from..end, unspaced);
            }
            word.clear();
            if c.is_alphanumeric() {
                start = Some(at);
                unspaced = own;
                fold_char(c, word);
            }
        } else if goes_on {
            if start.is_none() {
                start = Some(at);
                unspaced = own;
            }
            fold_char(c, word);
        }
        end = at + c.len_utf8();
    }
    if let Some(from) = start.filter(|_| !word.is_empty()) {
        each(word, from..end, unspaced);
    }
}

fn each_ascii(text: &str, word: &mut String, mut each: impl FnMut(&str, Range<usize>)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        while at < bytes.len() && !bytes[at].is_ascii_alphanumeric() {
            at += 1;
        }
        let start = at;
        let mut lower = true;
        while at < bytes.len() && bytes[at].is_ascii_alphanumeric() {
            lower &= !bytes[at].is_ascii_uppercase();
            at += 1;
        }
        if start == at {
            break;
        }
        let found = &text[start..at];
        if lower {
            each(found, start..at);
        } else {
            word.clear();
            word.push_str(found);
            word.make_ascii_lowercase();
            each(word, start..at);
        }
    }
}

/// Calls `each` with every e-mail address, folded, and where it is.
pub(crate) fn each_address(text: &str, mut each: impl FnMut(&str, Range<usize>)) {
    let local = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'');
    let domain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
    for at in memchr::memchr_iter(b'@', text.as_bytes()) {
        let (before, after) = (&text[..at], &text[at + 1..]);
        let from = before.char_indices().rev().take_while(|(_, c)| local(*c)).last().map(|(from, _)| from);
        let many = after.char_indices().take_while(|(_, c)| domain(*c)).last();
        let (Some(from), Some((last, c))) = (from, many) else { continue };
        let host = after[..last + c.len_utf8()].trim_end_matches(['.', '-']);
        let from = from + before[from..].len() - before[from..].trim_start_matches(['.', '\'', '-']).len();
        if from < at && host.contains('.') {
            let range = from..at + 1 + host.len();
            each(&fold(&text[range.clone()]), range);
        }
    }
}

/// A number of a text: its digits, and whether something stands between them.
pub(crate) struct Number<'a> {
    pub(crate) digits: &'a str,
    pub(crate) spaced: bool,
    pub(crate) range: Range<usize>,
}

/// Calls `each` with every number of at least seven digits: digits with nothing but ` +()-./` between them, and
/// without `(0)`. Letters beside it make it something else.
pub(crate) fn each_number(text: &str, digits: &mut String, mut each: impl FnMut(&Number<'_>)) {
    let bytes = text.as_bytes();
    let of_number = |byte: u8| byte.is_ascii_digit() || b" +()-./".contains(&byte);
    let mut at = 0;
    while let Some(more) = bytes[at..].iter().position(u8::is_ascii_digit) {
        let start = at + more;
        let many = bytes[start..].iter().position(|byte| !of_number(*byte)).unwrap_or(bytes.len() - start);
        let end = start + many;
        // what touches a letter is a word of its own, and no part of the number
        let from = if text[..start].chars().next_back().is_some_and(char::is_alphanumeric) {
            bytes[start..end].iter().position(|b| !b.is_ascii_digit()).map_or(end, |skip| start + skip)
        } else {
            start
        };
        let to = if text[end..].chars().next().is_some_and(char::is_alphanumeric) {
            bytes[from..end].iter().rposition(|byte| !byte.is_ascii_digit()).map_or(from, |keep| from + keep)
        } else {
            end
        };
        let span = text.get(from..to).unwrap_or_default();
        let last = span.bytes().rposition(|byte| byte.is_ascii_digit());
        let first = span.bytes().position(|byte| byte.is_ascii_digit());
        if let (Some(first), Some(last)) = (first, last)
            && last - first + 1 >= NUMBER
        {
            let span = &span[first..=last];
            digits.clear();
            for piece in span.split("(0)") {
                digits.extend(piece.chars().filter(char::is_ascii_digit));
            }
            if (NUMBER..=MOST_DIGITS).contains(&digits.len()) {
                let range = from + first..from + last + 1;
                each(&Number { digits, spaced: digits.len() < span.len(), range });
            }
        }
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let (mut found, mut word) = (Vec::new(), String::new());
        each_word(text, &mut word, |word, range, _| {
            assert!(text.get(range).is_some());
            found.push(word.to_owned());
        });
        found
    }

    #[test]
    fn words_are_found_as_people_type_them() {
        assert_eq!(words("Anna.Meier@example.com"), ["anna", "meier", "example", "com"]);
        assert_eq!(words("MÜLLER, Straße 5; Łódź Ærø"), ["muller", "strasse", "5", "lodz", "aero"]);
        assert_eq!(words("Mu\u{308}ller"), ["muller"]);
        assert_eq!(words("ﬁnance ①"), ["finance", "1"]);
        assert_eq!(words("東京Tower"), ["東", "京", "tower"]);
        assert_eq!(words("a東b"), ["a", "東", "b"]);
        assert_eq!(words("हिन्दी भाषा").len(), 2);
        assert_eq!(words("001xx000003DGb0AAG"), ["001xx000003dgb0aag"]);
        assert!(words(" -- ✓ \u{301}").is_empty());
        assert_eq!(words("ΟΔΟΣ οδος"), ["οδοσ", "οδοσ"]);
    }

    #[test]
    fn ascii_goes_the_short_way_to_the_same() {
        for text in ["", "a", " A b--C9 ", "x@y.z", "END"] {
            let mut long = words(&format!("{text} é"));
            assert_eq!(long.pop().as_deref(), Some("e"));
            assert_eq!(words(text), long);
        }
    }

    #[test]
    fn addresses_are_wholes() {
        let found = |text: &str| {
            let mut all = Vec::new();
            each_address(text, |address, range| all.push((address.to_owned(), text[range].to_owned())));
            all
        };
        assert_eq!(
            found("to Anna.M@Ex-1.com."),
            [("anna.m@ex-1.com".to_owned(), "Anna.M@Ex-1.com".to_owned())]
        );
        assert_eq!(found("<a@b.co>,c@d.co").len(), 2);
        assert!(found("@home a@ b@c").is_empty());
    }

    #[test]
    fn numbers_are_wholes_however_they_are_spaced() {
        let found = |text: &str| {
            let (mut all, mut digits) = (Vec::new(), String::new());
            each_number(text, &mut digits, |number| {
                assert!(text.get(number.range.clone()).is_some());
                all.push(format!("{}{}", number.digits, if number.spaced { "~" } else { "" }));
            });
            all
        };
        assert_eq!(found("+49 (0)89 / 123-456"), ["4989123456~"]);
        assert_eq!(found("tel 0891234567."), ["0891234567"]);
        assert_eq!(found("A1234567 12345678X 2024-01-05"), ["20240105~"]);
        assert_eq!(found("A1234567 12345678"), ["12345678"]);
        assert!(found("12345 6x").is_empty());
        assert!(found("").is_empty());
        assert_eq!(found("é1234567 é 1234567"), ["1234567"]);
    }
}
