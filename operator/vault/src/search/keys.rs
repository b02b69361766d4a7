//! What the index holds of a text: hashes of its words, and of what is found as a whole.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::words::{NUMBER, each_address, each_number, each_word};

/// Seed of the hash of a word.
const WORD: u64 = 0;
/// Seed of the hash of two neighbours of an unspaced script.
const PAIR: u64 = 1;
/// Seed of the hash of an e-mail address.
const ADDRESS: u64 = 2;
/// Seed of the hash of the last digits of a number.
const TAIL: u64 = 3;
/// Seed of the hash of the first fifteen characters of a record's Id.
const ID: u64 = 4;

/// Key of a folded word.
pub(crate) fn word(word: &str) -> u64 {
    xxh3_64_with_seed(word.as_bytes(), WORD)
}

/// Key of two words, one after the other, both characters of unspaced scripts.
pub(crate) fn pair(first: &str, second: &str) -> u64 {
    xxh3_64_with_seed([first, second].concat().as_bytes(), PAIR)
}

/// Key of a folded e-mail address.
pub(crate) fn address(address: &str) -> u64 {
    xxh3_64_with_seed(address.as_bytes(), ADDRESS)
}

/// Key of a number of at least seven digits.
pub(crate) fn number(digits: &str) -> u64 {
    xxh3_64_with_seed(&digits.as_bytes()[digits.len().saturating_sub(NUMBER)..], TAIL)
}

/// Key of a record's Id.
pub(crate) fn id(id: &[u8]) -> u64 {
    xxh3_64_with_seed(&id[..id.len().min(15)], ID)
}

/// Room that is used again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    word: String,
    before: String,
}

/// Calls `each` with every key of a text.
pub(crate) fn each_key(text: &str, scratch: &mut Scratch, mut each: impl FnMut(u64)) {
    let Scratch { word: room, before } = scratch;
    before.clear();
    each_word(text, room, |found: &str, _: Range<usize>, unspaced| {
        each(word(found));
        if unspaced && !before.is_empty() {
            each(pair(before, found));
        }
        before.clear();
        if unspaced {
            before.push_str(found);
        }
    });
    let bytes = text.as_bytes();
    if memchr::memchr(b'@', bytes).is_some() {
        each_address(text, |found, _| each(address(found)));
    }
    if bytes.len() >= NUMBER && has_digits(bytes) {
        each_number(text, room, |found| each(number(found.digits)));
    }
}

/// Whether there are digits enough for a number.
fn has_digits(bytes: &[u8]) -> bool {
    bytes.iter().filter(|byte| byte.is_ascii_digit()).count() >= NUMBER
}
