//! Record ids in their real shape: 15 case-sensitive characters (3 of key prefix, 2 of pod, one reserved,
//! 9 of a base-62 serial), with 3 checksum characters appended for the 18-character form that the API gives.

use std::fmt;

/// The digits of an id, in the order in which ids sort.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The letters of the checksum.
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
/// Pod and reserved character of the ids that the simulator makes.
const POD: &[u8; 3] = b"5g0";
/// Where the serial begins.
const SERIAL_AT: usize = 6;

/// A record id. Ordering is the byte order of the 15 characters, which is the order of Salesforce.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id([u8; 15]);

impl serde::Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Id {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an id")))
    }
}

impl Id {
    /// The smallest text that can stand where an id stands; below every id.
    pub const LOWEST: Self = Self([0; 15]);

    /// The id with this key prefix and serial number (below 62^9).
    pub fn new(prefix: [u8; 3], serial: u64) -> Self {
        let mut chars = [b'0'; 15];
        chars[..3].copy_from_slice(&prefix);
        chars[3..SERIAL_AT].copy_from_slice(POD);
        let mut rest = serial;
        for at in (SERIAL_AT..15).rev() {
            chars[at] = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        Self(chars)
    }

    /// Reads an id of 15 characters, or of 18: there the checksum tells the case of every letter, so that
    /// programs that lose the case (spreadsheets do) are understood.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut id = Self(bytes.get(..15)?.try_into().ok()?);
        match bytes.len() {
            15 => Some(id),
            18 => id.restore_case(&bytes[15..]).then_some(id),
            _ => None,
        }
    }

    /// Gives the letters the case that the checksum tells; whether the two fit each other.
    fn restore_case(&mut self, checksum: &[u8]) -> bool {
        for (block, letter) in self.0.chunks_mut(5).zip(checksum) {
            let Some(upper) = CHECKSUM.iter().position(|known| *known == letter.to_ascii_uppercase()) else {
                return false;
            };
            for (bit, character) in block.iter_mut().enumerate() {
                let is_upper = upper >> bit & 1 == 1;
                if is_upper && !character.is_ascii_alphabetic() {
                    return false;
                }
                *character =
                    if is_upper { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() };
            }
        }
        true
    }

    /// The 18 characters.
    pub fn to_bytes(self) -> [u8; 18] {
        let mut out = [0u8; 18];
        out[..15].copy_from_slice(&self.0);
        for block in 0..3 {
            let mut letter = 0usize;
            for bit in 0..5 {
                letter |= usize::from(self.0[block * 5 + bit].is_ascii_uppercase()) << bit;
            }
            out[15 + block] = CHECKSUM[letter];
        }
        out
    }

    /// The first 15 characters.
    pub fn short(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The key prefix, which tells the object.
    pub fn prefix(self) -> [u8; 3] {
        [self.0[0], self.0[1], self.0[2]]
    }

    /// How many ids of the form `new(prefix, serial)` sort before this one, counted from serial 0; with
    /// `true` when this very id has that form.
    pub fn position(self, prefix: [u8; 3]) -> (u64, bool) {
        let head = [prefix[0], prefix[1], prefix[2], POD[0], POD[1], POD[2]];
        match self.0[..SERIAL_AT].cmp(&head) {
            std::cmp::Ordering::Less => return (0, false),
            std::cmp::Ordering::Greater => return (u64::MAX, false),
            std::cmp::Ordering::Equal => {}
        }
        let mut serial = 0u64;
        for byte in &self.0[SERIAL_AT..] {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                b'a'..=b'z' => byte - b'a' + 36,
                _ => return (0, false),
            };
            serial = serial * 62 + u64::from(digit);
        }
        (serial, true)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.to_bytes()).unwrap_or_default())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_checksums_hold() {
        // ids of recorded answers: a record type, the Master record type, an organization
        for id in ["01254000001upcKAAQ", "012000000000000AAA", "001E000000JuFHIA0"] {
            let full = Id::parse(&id[..15]).map(|i| i.to_string());
            if id.len() == 18 {
                assert_eq!(full.as_deref(), Some(id));
            }
        }
        assert_eq!(Id::parse("01254000001upcKAAR"), None);
        assert_eq!(Id::parse("01254000001UPCKaaq"), Id::parse("01254000001upcK"));
        assert_eq!(Id::parse("01254000001upc-"), None);
    }

    proptest! {
        #[test]
        fn serials_come_back_and_sort(a in 0u64..1 << 40, b in 0u64..1 << 40) {
            let (ida, idb) = (Id::new(*b"001", a), Id::new(*b"001", b));
            prop_assert_eq!(ida.position(*b"001"), (a, true));
            prop_assert_eq!(ida.cmp(&idb), a.cmp(&b));
            prop_assert_eq!(Id::parse(&ida.to_string()), Some(ida));
        }

        #[test]
        fn parse_never_panics(text in "\\PC{0,20}") {
            let _ = Id::parse(&text);
        }
    }
}
