//! What can be wrong with rows on their way in or with a part on its way out.

use arrow_schema::ArrowError;
use orgkeep_core::id::IdError;
use parquet::errors::ParquetError;

/// A fault of a Bulk CSV page, with the place where it was met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CSV row {row}, byte {offset}: {fault}")]
pub struct CsvError {
    /// Row of the page: 0 is the header, 1 the first record.
    pub row: u64,
    /// Byte of the page at which the fault was noticed.
    pub offset: u64,
    /// What is wrong.
    pub fault: CsvFault,
}

/// What is wrong with a CSV page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvFault {
    /// Something other than a comma, a line end or a second quote follows a closing quote.
    #[error("byte 0x{0:02x} after a closing quote")]
    AfterQuote(u8),
    /// A quote in a cell that did not begin with one.
    #[error("a quote within an unquoted cell")]
    StrayQuote,
    /// A carriage return without a line feed outside quotes.
    #[error("a carriage return without a line feed outside quotes")]
    LoneCarriageReturn,
    /// A row has more or fewer cells than the header.
    #[error("{found} cells where the header has {expected}")]
    Cells {
        /// Cells of the header.
        expected: usize,
        /// Cells of the row.
        found: usize,
    },
    /// The page ends within a row: every row of a whole page ends with a line end.
    #[error("the page ends within a row")]
    Truncated,
    /// The page has no header.
    #[error("the page is empty: not even a header")]
    Empty,
    /// A cell is not UTF-8.
    #[error("a cell is not UTF-8")]
    Utf8,
    /// The header lacks a column that was asked for.
    #[error("the header lacks the column {0}")]
    MissingColumn(String),
    /// The header has a column that was not asked for, or has it twice.
    #[error("the header has the column {0:?}, which was not asked for")]
    UnexpectedColumn(String),
    /// The Id of a row is none.
    #[error("the Id is not valid: {0}")]
    Id(IdError),
    /// A row is too large to hold.
    #[error("a row of more than 1 GiB")]
    TooLarge,
}

/// Why rows could not be made a part, or a part not be read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// A page of CSV is not well formed.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A row handed over cell by cell has the wrong number of cells.
    #[error("row {row}: {found} cells where the object has {expected} columns")]
    Cells {
        /// Row, from 1.
        row: u64,
        /// Columns of the object.
        expected: usize,
        /// Cells of the row.
        found: usize,
    },
    /// A row handed over cell by cell has no valid Id.
    #[error("row {row}: the Id is not valid: {source}")]
    Id {
        /// Row, from 1.
        row: u64,
        /// Why.
        source: IdError,
    },
    /// A row is too large to hold.
    #[error("row {row}: more than 1 GiB")]
    TooLarge {
        /// Row, from 1.
        row: u64,
    },
    /// Rows were handed over while a page of CSV was not at its end, or a deletion for an object without an Id.
    #[error("{0}")]
    Misuse(&'static str),
    /// Parquet could not be written or read; a wrong key shows here, too.
    #[error("Parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// Bytes of the part could not be read where they are stored.
    #[error("{0}")]
    Read(std::io::Error),
    /// What a parent holds could not be looked up.
    #[error("the parent could not be read: {0}")]
    Parent(Box<dyn std::error::Error + Send + Sync>),
    /// Columns could not be made or read.
    #[error("Arrow: {0}")]
    Arrow(#[from] ArrowError),
    /// A part holds something that this format does not have.
    #[error("the part is not of this format: {0}")]
    Format(String),
    /// A row is not what was hashed when it was written.
    #[error("row {row} of the part does not match its hash")]
    Hash {
        /// Row of the part, from 0.
        row: u64,
    },
    /// Rows of a part are not in the order of their Ids.
    #[error("row {row} of the part is out of order")]
    Order {
        /// Row of the part, from 0.
        row: u64,
    },
}
