//! What becomes of a row that the org refuses to write: one table, as for calls. The first line that fits holds.

/// What to do about a refused row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Write it again, apart from the others: what stood in its way passes by itself.
    Again,
    /// Its like is there already: find that, and do not write a second.
    Present,
    /// What it points to is not there (yet): write that first, or map the reference.
    Reference,
    /// The row does not fit the org's schema or data: it stays out, and is named.
    Data,
    /// The writing user lacks a permission; every row of its kind will end so.
    Permission,
    /// An automation of the org (validation rule, trigger, flow, duplicate rule) refuses: a person decides.
    Automation,
    /// The org takes no more: storage or a limit of a day.
    Full,
}

/// A line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRule {
    /// With one of these status codes; any if empty.
    pub codes: &'static [&'static str],
    /// With one of these in the message; any message if empty.
    pub words: &'static [&'static str],
    /// What to do.
    pub then: Fate,
    /// What it means, and where that is known from: as in [`super::Row`].
    pub why: &'static str,
}

const fn rule(codes: &'static [&'static str], then: Fate, why: &'static str) -> RowRule {
    RowRule { codes, words: &[], then, why }
}

/// Everything that an org says of a row that it does not write.
pub const ROW_TABLE: &[RowRule] = &[
    RowRule {
        codes: &[],
        words: &["UNABLE_TO_LOCK_ROW", "TooManyLockFailure"],
        then: Fate::Again,
        why: "a trigger or flow met a lock, which the row's own code hides (K)",
    },
    rule(
        &["UNABLE_TO_LOCK_ROW", "TOO_MANY_LOCK_FAILURE"],
        Fate::Again,
        "another transaction holds the row or its parent; again apart, grouped by parent (D)",
    ),
    rule(
        &[
            "ALL_OR_NONE_OPERATION_ROLLED_BACK",
            "PROCESSING_HALTED",
            "TXN_SECURITY_METERING_ERROR",
            "REQUEST_RUNNING_TOO_LONG",
            "QUERY_TIMEOUT",
            "SERVER_UNAVAILABLE",
            "UNKNOWN_EXCEPTION",
        ],
        Fate::Again,
        "nothing is wrong with this row, or it took too long beside its neighbours (R collections, W)",
    ),
    rule(
        &["TOO_MANY_APEX_REQUESTS", "APEX_CPU_TIME_LIMIT_EXCEEDED"],
        Fate::Again,
        "automation ran out of its limits; fewer rows at a time may pass (W, K)",
    ),
    rule(
        &["DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID", "DUPLICATE_USERNAME", "DUPLICATE_DEVELOPER_NAME"],
        Fate::Present,
        "a unique field has that value on another record, which the message names (R, W)",
    ),
    rule(
        &["ENTITY_IS_DELETED", "DELETE_OPERATION_TOO_LARGE"],
        Fate::Reference,
        "the record, or one that it points to, is in the recycle bin (R)",
    ),
    rule(
        &[
            "INVALID_CROSS_REFERENCE_KEY",
            "INVALID_CROSS_REFERENCE_TYPE_FOR_FIELD",
            "CANNOT_CASCADE_PRODUCT_ACTIVE",
            "STANDARD_PRICE_NOT_DEFINED",
            "MISSING_RECORD",
            "NOT_FOUND",
        ],
        Fate::Reference,
        "it points to what is not there, or to a record of another object (R, W)",
    ),
    RowRule {
        codes: &["INVALID_FIELD"],
        words: &["Foreign key external ID"],
        then: Fate::Reference,
        why: "\"Foreign key external ID: x not found for field y in entity z\" (R)",
    },
    rule(
        &[
            "INSUFFICIENT_ACCESS",
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "INACTIVE_OWNER_OR_USER",
            "TRANSFER_REQUIRES_READ",
            "TXN_SECURITY_NO_ACCESS",
        ],
        Fate::Permission,
        "the object, a field, an audit field or an inactive owner needs a permission of the writing user (D system fields, W)",
    ),
    rule(
        &[
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "CANNOT_EXECUTE_FLOW_TRIGGER",
            "DUPLICATES_DETECTED",
            "FIELD_FILTER_VALIDATION_EXCEPTION",
            "DEPENDENCY_EXISTS",
            "CANNOT_DELETE_OWNER",
            "DELETE_FAILED",
        ],
        Fate::Automation,
        "a validation rule, trigger, flow, duplicate rule or lookup filter of the org says no (R, W)",
    ),
    rule(
        &[
            "STORAGE_LIMIT_EXCEEDED",
            "LIMIT_EXCEEDED",
            "MAXIMUM_SIZE_OF_ATTACHMENT",
            "NUM_HISTORY_FIELDS_BY_SOBJECT_EXCEEDED",
        ],
        Fate::Full,
        "the org's data or file storage is used up, or another limit (W)",
    ),
    rule(
        &[
            "REQUIRED_FIELD_MISSING",
            "STRING_TOO_LONG",
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "BAD_VALUE_FOR_RESTRICTED_PICKLIST",
            "INVALID_EMAIL_ADDRESS",
            "NUMBER_OUTSIDE_VALID_RANGE",
            "INVALID_TYPE_ON_FIELD_IN_RECORD",
            "JSON_PARSER_ERROR",
            "MALFORMED_ID",
            "FIELD_INTEGRITY_EXCEPTION",
            "INVALID_STATUS",
            "MIXED_DML_OPERATION",
            "INVALID_FIELD",
            "INVALID_ID_FIELD",
            "UNDELETE_FAILED",
        ],
        Fate::Data,
        "the row does not fit: a value, its type or length, or what must be set (R, W)",
    ),
    rule(&[], Fate::Data, "any other refusal of a row"),
];

/// Looks up a row's refusal.
pub fn fate(code: &str, message: &str) -> Fate {
    let code = code.rsplit_once(':').map_or(code, |(_, code)| code);
    let fits = |rule: &&RowRule| {
        (rule.codes.is_empty() || rule.codes.contains(&code))
            && (rule.words.is_empty() || rule.words.iter().any(|words| message.contains(words)))
    };
    ROW_TABLE.iter().find(fits).map_or(Fate::Data, |rule| rule.then)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_reached_and_the_last_takes_everything() {
        for (number, of) in ROW_TABLE.iter().enumerate() {
            let message = of.words.first().copied().unwrap_or_default();
            let codes = if of.codes.is_empty() { &["A_CODE_OF_TOMORROW"][..] } else { of.codes };
            for code in codes {
                assert_eq!(fate(code, message), of.then, "{code} of line {number}");
            }
            assert!(!of.why.is_empty());
        }
        let last = ROW_TABLE.last().unwrap();
        assert!(last.codes.is_empty() && last.words.is_empty());
    }

    #[test]
    fn locks_are_seen_through_the_words_of_a_trigger() {
        let hidden =
            "T: execution of AfterInsert caused by: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access";
        assert_eq!(fate("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", hidden), Fate::Again);
        assert_eq!(fate("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "T: no"), Fate::Automation);
        assert_eq!(fate("INVALID_FIELD", "Foreign key external ID: 1 not found"), Fate::Reference);
        assert_eq!(fate("INVALID_FIELD", "No such column"), Fate::Data);
    }
}
