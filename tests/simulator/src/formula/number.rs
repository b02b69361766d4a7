//! Numbers of formulas: decimals with up to 18 digits after the point.

use std::cmp::Ordering;

use crate::value::Decimal;

/// Digits after the point that are kept; further ones are rounded away.
const MOST: u32 = 18;

/// `units` × 10^-`scale`.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    units: i128,
    scale: u32,
}

impl Number {
    /// Zero.
    pub const ZERO: Self = Self { units: 0, scale: 0 };

    /// A whole number.
    pub fn whole(units: i64) -> Self {
        Self { units: i128::from(units), scale: 0 }
    }

    /// `units` × 10^-`scale`.
    pub fn new(units: i128, scale: u32) -> Self {
        Self { units, scale }.trimmed()
    }

    /// Reads plain and scientific notation.
    pub fn parse(text: &str) -> Option<Self> {
        Decimal::parse(text).map(Self::from)
    }

    /// The nearest number with 15 digits, which is what a double holds for certain.
    pub fn from_f64(number: f64) -> Option<Self> {
        number.is_finite().then(|| Self::parse(&format!("{number:.14e}")))?
    }

    /// The nearest double.
    pub fn to_f64(self) -> f64 {
        self.units as f64 / 10f64.powi(self.scale as i32)
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.units == 0
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.units < 0
    }

    /// As a field holds it, with so many digits after the point; none if it has too many before it.
    pub fn to_decimal(self, scale: u32) -> Option<Decimal> {
        let rounded = self.rounded(scale.min(MOST) as i32);
        Some(Decimal::new(i64::try_from(rounded.units).ok()?, u8::try_from(rounded.scale).ok()?))
    }

    /// As a whole number, what is after the point cut off; none if it is too large.
    pub fn to_i64(self) -> Option<i64> {
        i64::try_from(self.units / power(self.scale)?).ok()
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Option<Self> {
        let (left, right, scale) = self.aligned(other)?;
        Some(Self { units: left.checked_add(right)?, scale }.trimmed())
    }

    /// The difference.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(other.negative())
    }

    /// The product.
    pub fn times(self, other: Self) -> Option<Self> {
        let product = Self { units: self.units.checked_mul(other.units)?, scale: self.scale + other.scale };
        Some(if product.scale > MOST { product.rounded(MOST as i32) } else { product.trimmed() })
    }

    /// The quotient; none for a division by zero.
    pub fn over(self, other: Self) -> Option<Self> {
        if other.units == 0 {
            return None;
        }
        // as many digits as fit, 18 after the point at most
        for digits in (0..=MOST).rev() {
            let shift = i64::from(digits) + i64::from(other.scale) - i64::from(self.scale);
            let Ok(shift) = u32::try_from(shift) else { continue };
            let Some(units) = power(shift).and_then(|power| self.units.checked_mul(power)) else { continue };
            return Some(Self { units: divided(units, other.units), scale: digits }.trimmed());
        }
        Self::from_f64(self.to_f64() / other.to_f64())
    }

    /// Raised to a power.
    pub fn to_the(self, exponent: Self) -> Option<Self> {
        let whole = exponent.to_i64().filter(|whole| Self::whole(*whole) == exponent);
        if let Some(times) = whole.filter(|times| (0..=64).contains(times)) {
            let exact = (0..times).try_fold(Self::whole(1), |product, _| product.times(self));
            if exact.is_some() {
                return exact;
            }
        }
        Self::from_f64(self.to_f64().powf(exponent.to_f64()))
    }

    /// With the other sign.
    pub fn negative(self) -> Self {
        Self { units: -self.units, scale: self.scale }
    }

    /// Rounded half away from zero, to digits after the point (or, below zero, before it).
    pub fn rounded(self, digits: i32) -> Self {
        let drop = i64::from(self.scale) - i64::from(digits);
        let Ok(drop) = u32::try_from(drop) else { return self };
        if drop == 0 {
            return self;
        }
        let Some(divisor) = power(drop) else { return Self::ZERO };
        let units = divided(self.units, divisor);
        match u32::try_from(digits) {
            Ok(scale) => Self { units, scale }.trimmed(),
            Err(_) => {
                Self { units: units.saturating_mul(power(digits.unsigned_abs()).unwrap_or(1)), scale: 0 }
            }
        }
    }

    /// The nearest whole number that is not above (`up`: below) it.
    pub fn toward(self, up: bool) -> Self {
        let Some(divisor) = power(self.scale) else { return self };
        let floor = self.units.div_euclid(divisor);
        let exact = self.units.rem_euclid(divisor) == 0;
        Self { units: floor + i128::from(up && !exact), scale: 0 }
    }

    /// As formulas show it as a text: no needless zeros, no point without digits behind it.
    pub fn to_text(self) -> String {
        let number = self.trimmed();
        let digits = number.units.unsigned_abs().to_string();
        let sign = if number.units < 0 { "-" } else { "" };
        let scale = number.scale as usize;
        if scale == 0 {
            return format!("{sign}{digits}");
        }
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        format!("{sign}{whole}.{fraction}")
    }

    fn trimmed(mut self) -> Self {
        while self.scale > 0 && self.units % 10 == 0 {
            self.units /= 10;
            self.scale -= 1;
        }
        self
    }

    fn aligned(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        let scaled = |number: Self| number.units.checked_mul(power(scale - number.scale)?);
        Some((scaled(self)?, scaled(other)?, scale))
    }
}

fn power(digits: u32) -> Option<i128> {
    10i128.checked_pow(digits)
}

/// Divided, rounded half away from zero.
fn divided(units: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (units / divisor, units % divisor);
    let away = if (units < 0) == (divisor < 0) { 1 } else { -1 };
    if rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2) { quotient + away } else { quotient }
}

impl From<Decimal> for Number {
    fn from(decimal: Decimal) -> Self {
        let (units, scale) = decimal.parts();
        Self { units: i128::from(units), scale: u32::from(scale) }.trimmed()
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.aligned(*other) {
            Some((left, right, _)) => Some(left.cmp(&right)),
            None => self.to_f64().partial_cmp(&other.to_f64()),
        }
    }
}
