//! Decimal numbers, exactly: `12.50`, `3.5E8` and `1.23456789012345678E17` are the same to Bulk and REST.

/// A decimal number as `mantissa × 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// Digits with sign.
    pub mantissa: i128,
    /// Power of ten.
    pub exponent: i32,
}

/// Powers of ten that an `i128` holds.
const POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut at = 1;
    while at < 39 {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// Times 5 it is 1 modulo 2^64.
const INVERSE_OF_5: u64 = 0xcccc_cccc_cccc_cccd;

/// Ten to the power, where it fits.
pub fn power_of_ten(exponent: u32) -> Option<i128> {
    POWERS.get(exponent as usize).copied()
}

impl Decimal {
    /// Reads a number in plain or scientific form; `None` for anything else, and beyond 38 digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let (mut low, mut behind, mut any, mut point, mut exponent) = (0_u64, 0_i32, false, false, 0_i32);
        for (at, byte) in digits.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    if low >= 100_000_000_000_000_000 {
                        return Self::parse_wide(negative, digits);
                    }
                    low = low * 10 + u64::from(byte - b'0');
                    any = true;
                    behind += i32::from(point);
                }
                b'.' if !point => point = true,
                b'e' | b'E' if any => {
                    exponent = parse_exponent(&digits[at + 1..])?;
                    break;
                }
                _ => return None,
            }
        }
        let mantissa = i128::from(low);
        any.then_some(Self {
            mantissa: if negative { -mantissa } else { mantissa },
            exponent: exponent - behind,
        })
    }

    /// As [`Decimal::parse`] for more than 18 digits.
    fn parse_wide(negative: bool, digits: &[u8]) -> Option<Self> {
        let (mut mantissa, mut behind, mut point, mut exponent) = (0_i128, 0_i32, false, 0_i32);
        for (at, byte) in digits.iter().enumerate() {
            match byte {
                b'0'..=b'9' => {
                    mantissa = mantissa.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
                    behind += i32::from(point);
                }
                b'.' if !point => point = true,
                b'e' | b'E' => {
                    exponent = parse_exponent(&digits[at + 1..])?;
                    break;
                }
                _ => return None,
            }
        }
        Some(Self { mantissa: if negative { -mantissa } else { mantissa }, exponent: exponent - behind })
    }

    /// The whole number of `10^-scale`, unless digits would be lost.
    pub fn at_scale(self, scale: u32) -> Option<i128> {
        if self.mantissa == 0 {
            return Some(0);
        }
        let shift = self.exponent + scale as i32;
        let power = power_of_ten(shift.unsigned_abs())?;
        // Nearly all numbers have 64 bits, for which division is an instruction and not a call.
        if let (Ok(small), Ok(power)) = (i64::try_from(self.mantissa), i64::try_from(power)) {
            return if shift >= 0 {
                Some(i128::from(small) * i128::from(power))
            } else {
                (small % power == 0).then(|| i128::from(small / power))
            };
        }
        if shift >= 0 {
            self.mantissa.checked_mul(power)
        } else {
            (self.mantissa % power == 0).then(|| self.mantissa / power)
        }
    }

    /// The same number without zeros at the end of the mantissa; zero has exponent 0.
    pub fn normal(self) -> Self {
        if self.mantissa == 0 {
            return Self { mantissa: 0, exponent: 0 };
        }
        if let Ok(small) = i64::try_from(self.mantissa) {
            let (mut digits, mut exponent) = (small.unsigned_abs(), self.exponent);
            // One multiplication both divides by ten and tells whether it goes: times the inverse of 5 modulo 2^64,
            // and the bit that is left of dividing by 2 goes to the top, where it makes the quotient too large.
            loop {
                let tenth = digits.wrapping_mul(INVERSE_OF_5).rotate_right(1);
                if tenth > u64::MAX / 10 {
                    break;
                }
                (digits, exponent) = (tenth, exponent + 1);
            }
            let mantissa = i128::from(digits);
            return Self { mantissa: if small < 0 { -mantissa } else { mantissa }, exponent };
        }
        let Self { mut mantissa, mut exponent } = self;
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    /// Writes the number without exponent and without zeros behind the last digit that counts.
    pub fn write(self, out: &mut Vec<u8>) {
        let Self { mantissa, exponent } = self.normal();
        if mantissa < 0 {
            out.push(b'-');
        }
        let digits = mantissa.unsigned_abs().to_string();
        let digits = digits.as_bytes();
        if exponent >= 0 {
            out.extend_from_slice(digits);
            out.resize(out.len() + exponent as usize, b'0');
            return;
        }
        let behind = exponent.unsigned_abs() as usize;
        if digits.len() > behind {
            let (whole, fraction) = digits.split_at(digits.len() - behind);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        } else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + behind - digits.len(), b'0');
            out.extend_from_slice(digits);
        }
    }
}

fn parse_exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || digits.len() > 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let exponent = digits.iter().fold(0, |sum, byte| sum * 10 + i32::from(byte - b'0'));
    Some(if negative { -exponent } else { exponent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plain(text: &str) -> Option<String> {
        let mut out = Vec::new();
        Decimal::parse(text.as_bytes())?.write(&mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn forms_of_bulk_and_rest_are_one_number() {
        for (text, expected) in [
            ("3.5E8", "350000000"),
            ("1.23456789012345678E17", "123456789012345678"),
            ("10000.0", "10000"),
            ("-0.50", "-0.5"),
            ("1e-7", "0.0000001"),
            ("1.0E-7", "0.0000001"),
            ("0.0", "0"),
            ("-0", "0"),
            ("99999999999999999999999999999999999999", "99999999999999999999999999999999999999"),
        ] {
            assert_eq!(plain(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "-", ".", "NaN", "Infinity", "1,5", "1 ", "0x10", "1E", "1E99999", "--1"] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn digits_are_never_lost() {
        let at = |text: &str, scale| Decimal::parse(text.as_bytes()).unwrap().at_scale(scale);
        assert_eq!(at("12.5", 2), Some(1250));
        assert_eq!(at("12.50", 1), Some(125));
        assert_eq!(at("12.55", 1), None);
        assert_eq!(at("1E-7", 2), None);
        assert_eq!(at("1E40", 2), None);
        assert_eq!(at("0E-99", 2), Some(0));
    }

    proptest! {
        #[test]
        fn zeros_at_the_end_go_and_nothing_else(digits in any::<i64>(), zeros in 0_u32..19) {
            let mantissa = i128::from(digits / 10_i64.pow(zeros)) * i128::from(10_i64.pow(zeros));
            let normal = Decimal { mantissa, exponent: -4 }.normal();
            if mantissa == 0 {
                prop_assert_eq!(normal, Decimal { mantissa: 0, exponent: 0 });
            } else {
                prop_assert_ne!(normal.mantissa % 10, 0);
                let back = power_of_ten((normal.exponent + 4) as u32).map(|power| normal.mantissa * power);
                prop_assert_eq!(back, Some(mantissa));
            }
        }

        #[test]
        fn plain_numbers_come_back(mantissa in any::<i64>(), scale in 0_u32..19) {
            let mut text = Vec::new();
            Decimal { mantissa: i128::from(mantissa), exponent: -(scale as i32) }.write(&mut text);
            prop_assert_eq!(Decimal::parse(&text).unwrap().at_scale(scale), Some(i128::from(mantissa)));
        }
    }
}
