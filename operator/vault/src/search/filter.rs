//! Sets of keys in little room: sorted numbers, the steps between them in Rice's code.
//!
//! A segment holds `m` keys as numbers below `m · 2^BITS`: about `BITS + 1.6` bits a key, and a key that is not in it
//! seems to be with a chance of 1 in 2^BITS. A key that is in it is always found.

use super::SearchError;

/// Bits of a number beyond those that tell the keys apart.
pub(crate) const BITS: u32 = 8;
/// Keys that a segment should hold.
pub(crate) const SEGMENT_KEYS: usize = 8192;
/// Keys of a section at which it is closed: what a builder holds in memory.
pub(crate) const SECTION_KEYS: usize = 1 << 19;
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The segment of a key, of so many.
pub(crate) fn segment_of(key: u64, segments: usize) -> usize {
    ((u128::from(key) * segments as u128) >> 64) as usize
}

/// A key in a row group (by its place in the section): splitmix64's finish over key and group.
fn place(key: u64, group: u32) -> u64 {
    let mut x = key.wrapping_add(GOLDEN.wrapping_mul(u64::from(group) + 1));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn number(place: u64, keys: u64) -> u64 {
    ((u128::from(place) * u128::from(keys << BITS)) >> 64) as u64
}

/// Writes a segment: `m` and the count of different numbers (4 bytes each, little-endian), then the steps.
pub(crate) fn encode(pairs: &[(u64, u32)], numbers: &mut Vec<u64>) -> Vec<u8> {
    let keys = pairs.len() as u64;
    numbers.clear();
    numbers.extend(pairs.iter().map(|(key, group)| number(place(*key, *group), keys)));
    numbers.sort_unstable();
    numbers.dedup();
    let mut out = Vec::with_capacity(8 + pairs.len() * (BITS as usize + 2) / 8);
    out.extend_from_slice(&(keys as u32).to_le_bytes());
    out.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    let mut bits = BitWriter { out, held: 0, many: 0 };
    let mut before = 0;
    for number in numbers.iter() {
        let step = number - before;
        before = *number;
        for _ in 0..step >> BITS {
            bits.push(1, 1);
        }
        // the zero that ends the ones, then the rest
        bits.push((step & ((1 << BITS) - 1)) << 1, BITS + 1);
    }
    bits.finish()
}

/// A decoded segment.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    keys: u64,
    numbers: Vec<u64>,
}

impl Segment {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, SearchError> {
        let wrong = || SearchError::Format("a segment that is none");
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        let [a, b, c, d, e, f, g, h] = *head;
        let (keys, many) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        // every number takes BITS + 1 bits at least
        if u64::from(many) * u64::from(BITS + 1) > rest.len() as u64 * 8 || many > keys {
            return Err(wrong());
        }
        let mut bits = BitReader { bytes: rest, at: 0 };
        let mut numbers = Vec::with_capacity(many as usize);
        let mut number = 0_u64;
        for _ in 0..many {
            let high = bits.ones().ok_or_else(wrong)?;
            let low = bits.take(BITS).ok_or_else(wrong)?;
            number = number.checked_add((high << BITS) | low).ok_or_else(wrong)?;
            numbers.push(number);
        }
        Ok(Self { keys: u64::from(keys), numbers })
    }

    /// Whether the group may have the key.
    pub(crate) fn may_have(&self, key: u64, group: u32) -> bool {
        self.numbers.binary_search(&number(place(key, group), self.keys)).is_ok()
    }
}

/// Bits from the lowest of each byte on.
struct BitWriter {
    out: Vec<u8>,
    held: u64,
    many: u32,
}

impl BitWriter {
    fn push(&mut self, bits: u64, many: u32) {
        self.held |= bits << self.many;
        self.many += many;
        while self.many >= 8 {
            self.out.push(self.held as u8);
            self.held >>= 8;
            self.many -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.many > 0 {
            self.out.push(self.held as u8);
        }
        self.out
    }
}

struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl BitReader<'_> {
    /// Ones up to the next zero, which is taken, too.
    fn ones(&mut self) -> Option<u64> {
        let mut many = 0;
        while self.take(1)? == 1 {
            many += 1;
        }
        Some(many)
    }

    fn take(&mut self, many: u32) -> Option<u64> {
        let mut value = 0;
        let mut got = 0;
        while got < many {
            let byte = u64::from(*self.bytes.get(self.at / 8)?);
            let offset = (self.at % 8) as u32;
            let now = (8 - offset).min(many - got);
            value |= ((byte >> offset) & ((1 << now) - 1)) << got;
            got += now;
            self.at += now as usize;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(n: u64) -> u64 {
        place(n, 0)
    }

    #[test]
    fn what_is_in_a_segment_is_found_and_little_else() {
        for many in [0_u64, 1, 2, 100, 8192] {
            let pairs: Vec<(u64, u32)> = (0..many).map(|n| (mix(n), (n % 5) as u32)).collect();
            let bytes = encode(&pairs, &mut Vec::new());
            let segment = Segment::decode(&bytes).unwrap();
            assert!(pairs.iter().all(|(key, group)| segment.may_have(*key, *group)));
            let wrong = (0..100_000_u64).filter(|n| segment.may_have(mix(n + (1 << 40)), 1)).count();
            assert!(wrong < 700, "{wrong} of 100000");
            assert!(many < 100 || bytes.len() as u64 * 8 < many * 98 / 10 + 64, "{} bytes", bytes.len());
        }
    }

    #[test]
    fn what_is_no_segment_is_refused() {
        let pairs: Vec<(u64, u32)> = (0..50).map(|n| (mix(n), 0)).collect();
        let bytes = encode(&pairs, &mut Vec::new());
        for cut in 0..bytes.len() - 1 {
            assert!(Segment::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(Segment::decode(&[0xff; 64]).is_err());
    }
}
