//! Exact decimal numbers: Salesforce keeps up to 18 digits, which a binary double cannot.

use std::cmp::Ordering;

/// `units` × 10^-`scale`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    units: i64,
    scale: u8,
}

/// Digits after the point that are kept at most; further ones are cut off.
const MAX_SCALE: u8 = 18;

impl Decimal {
    /// A number from its units and scale: `(12345, 2)` is 123.45.
    pub fn new(units: i64, scale: u8) -> Self {
        Self { units, scale: scale.min(MAX_SCALE) }
    }

    /// Reads plain (`-12.50`) and scientific (`1.25E7`) notation. `None` for anything else, or when the
    /// number has more digits than 64 bits hold.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut units: i64 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = i64::from(byte.checked_sub(b'0').filter(|d| *d < 10)?);
            units = units.checked_mul(10)?.checked_add(digit)?;
        }
        let mut scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        while scale < 0 && units != 0 {
            units = units.checked_mul(10)?;
            scale += 1;
        }
        while scale > i32::from(MAX_SCALE) && units != 0 {
            units /= 10;
            scale -= 1;
        }
        if units == 0 {
            scale = 0;
        }
        Some(Self { units: if negative { -units } else { units }, scale: u8::try_from(scale).ok()? })
    }

    /// Its units and scale.
    pub fn parts(self) -> (i64, u8) {
        (self.units, self.scale)
    }

    /// The nearest binary double.
    pub fn to_f64(self) -> f64 {
        self.units as f64 / 10f64.powi(i32::from(self.scale))
    }

    /// The number as an integer, if it is one.
    pub fn to_integer(self) -> Option<i64> {
        let divisor = 10i64.checked_pow(u32::from(self.scale))?;
        (self.units % divisor == 0).then_some(self.units / divisor)
    }

    /// Appends the number with at least one digit after the point and no needless zeros (`10000.0`, `12.5`),
    /// the way Salesforce prints doubles.
    pub fn write(self, out: &mut Vec<u8>) {
        if self.units < 0 {
            out.push(b'-');
        }
        let divisor = 10u64.pow(u32::from(self.scale));
        let magnitude = self.units.unsigned_abs();
        write_unsigned(magnitude / divisor, out);
        out.push(b'.');
        let mut fraction = magnitude % divisor;
        if fraction == 0 {
            out.push(b'0');
            return;
        }
        let mut unit = divisor / 10;
        while fraction > 0 {
            out.push(b'0' + (fraction / unit) as u8);
            fraction %= unit;
            unit /= 10;
        }
    }
}

/// Appends a whole number in decimal.
pub fn write_integer(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    write_unsigned(number.unsigned_abs(), out);
}

fn write_unsigned(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let widest = self.scale.max(other.scale);
        let scaled = |d: &Self| i128::from(d.units) * 10i128.pow(u32::from(widest - d.scale));
        scaled(self).cmp(&scaled(other))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = Vec::new();
        Decimal::parse(text).unwrap().write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn prints_like_salesforce() {
        for (given, printed) in [
            ("10000", "10000.0"),
            ("12.50", "12.5"),
            ("-0.07", "-0.07"),
            ("1.0E7", "10000000.0"),
            ("2.5e-3", "0.0025"),
            ("123456789012345678", "123456789012345678.0"),
        ] {
            assert_eq!(shown(given), printed);
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "-", ".", "1x", "1e", "--1", "99999999999999999999"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn compares_across_scales() {
        assert_eq!(Decimal::parse("1.50"), Decimal::parse("1.5"));
        assert!(Decimal::parse("1.49") < Decimal::parse("1.5"));
        assert_eq!(Decimal::parse("12.0").unwrap().to_integer(), Some(12));
        assert_eq!(Decimal::parse("12.5").unwrap().to_integer(), None);
    }
}
