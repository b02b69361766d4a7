//! Which keys a run may have written already: a Bloom filter, so that its memory does not grow with the changes.
//!
//! A key that is taken for written and was not costs a row that says nothing new; the other way round there is no
//! error.

/// 4 MiB: of a million keys, 2 in 1,000 are taken for known; of ten million every fifth.
const WORDS: usize = 1 << 19;
/// Bits of a key.
const BITS: u32 = 4;

/// Keys that may have been seen.
pub(super) struct Seen(Vec<u64>);

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seen { .. }")
    }
}

impl Default for Seen {
    fn default() -> Self {
        Self(vec![0; WORDS])
    }
}

impl Seen {
    fn places(key: u128) -> impl Iterator<Item = (usize, u64)> {
        let hash = xxhash_rust::xxh3::xxh3_128(&key.to_le_bytes());
        (0..BITS).map(move |bit| {
            let part = (hash >> (bit * 32)) as u32;
            ((part >> 6) as usize % WORDS, 1 << (part & 63))
        })
    }

    pub(super) fn holds(&self, key: u128) -> bool {
        Self::places(key).all(|(word, bit)| self.0[word] & bit != 0)
    }

    pub(super) fn note(&mut self, key: u128) {
        for (word, bit) in Self::places(key) {
            self.0[word] |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_little_else() {
        let mut seen = Seen::default();
        for key in 0..200_000 {
            seen.note(key * 7919);
        }
        assert!((0..200_000).all(|key| seen.holds(key * 7919)));
        let wrong = (0..100_000).filter(|key| seen.holds(key * 7919 + 1)).count();
        assert!(wrong < 100, "{wrong}");
    }
}
