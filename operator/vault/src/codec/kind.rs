//! How a field becomes a column: its type in Parquet and whether its changes count.

use arrow_schema::{DataType, Field as ArrowField, TimeUnit};
use orgkeep_core::schema::{Field, FieldType};

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 as it came.
    Text,
    /// Number with so many digits, so many of them behind the point.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// 32-bit integer.
    Int,
    /// 64-bit integer.
    Long,
    /// True or false.
    Boolean,
    /// Day.
    Date,
    /// Instant in milliseconds.
    Instant,
}

/// Which hash of the row a field goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `_hash`: what users and automation change.
    Compared,
    /// `_hash_derived`: formulas and roll-ups, which move by themselves.
    Derived,
    /// Neither: moved by whoever looks at the record.
    Viewed,
}

/// Most digits of Decimal128.
const MOST_DIGITS: u32 = 38;

impl Kind {
    /// The type for a field; a type that is not known is text.
    pub fn of(field: &Field) -> Self {
        match field.field_type {
            FieldType::Double | FieldType::Currency | FieldType::Percent => {
                let scale = field.scale.min(MOST_DIGITS);
                // A describe without precision says nothing of size; all digits that there are lose nothing.
                let precision = match field.precision {
                    0 => MOST_DIGITS,
                    some => some.clamp(scale.max(1), MOST_DIGITS),
                };
                Self::Decimal { precision: precision as u8, scale: scale as u8 }
            }
            FieldType::Int => Self::Int,
            FieldType::Long => Self::Long,
            FieldType::Boolean => Self::Boolean,
            FieldType::Date => Self::Date,
            FieldType::DateTime => Self::Instant,
            _ => Self::Text,
        }
    }

    /// Its Arrow type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Decimal { precision, scale } => DataType::Decimal128(precision, scale as i8),
            Self::Int => DataType::Int32,
            Self::Long => DataType::Int64,
            Self::Boolean => DataType::Boolean,
            Self::Date => DataType::Date32,
            Self::Instant => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        }
    }
}

impl Role {
    /// The role of a field.
    pub fn of(name: &str, calculated: bool) -> Self {
        if calculated {
            Self::Derived
        } else if ["LastViewedDate", "LastReferencedDate"].contains(&name) {
            Self::Viewed
        } else {
            Self::Compared
        }
    }
}

/// One column of an object.
#[derive(Debug, Clone)]
pub struct Column {
    /// API name of the field.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Which hash it goes into.
    pub role: Role,
    /// Seed of its cells' hashes.
    pub seed: u64,
}

impl Column {
    /// The column for a field.
    pub fn of(field: &Field) -> Self {
        Self {
            name: field.name.clone(),
            kind: Kind::of(field),
            role: Role::of(&field.name, field.calculated),
            seed: super::hash::seed(&field.name),
        }
    }

    /// Its Arrow field: nullable, as every column is.
    pub fn arrow(&self) -> ArrowField {
        ArrowField::new(&self.name, self.kind.data_type(), true)
    }
}
