//! Rows as they came in, one after another in one buffer, until there are enough to sort and encode.
//!
//! A cell is the text between two ends; an empty cell is null, as in Bulk CSV (Salesforce stores no empty texts).

/// What a row does to the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The record is there with these values.
    Upsert,
    /// The record is gone.
    Delete,
}

impl Op {
    /// The value of the column `_op`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Delete => "delete",
        }
    }
}

/// A buffer of rows with a fixed number of cells each.
#[derive(Debug)]
pub struct Arena {
    width: usize,
    data: Vec<u8>,
    /// End of each cell in `data`, row after row.
    ends: Vec<u32>,
    ops: Vec<Op>,
}

/// Largest extent of the buffer; offsets have 32 bits, and Arrow's text offsets are signed.
const MOST: usize = 1 << 30;

impl Arena {
    /// An empty buffer for rows of `width` cells.
    pub fn new(width: usize) -> Self {
        Self { width, data: Vec::new(), ends: Vec::new(), ops: Vec::new() }
    }

    /// Makes room for so many bytes at once; growing by and by copies them, and holds them twice meanwhile.
    pub fn reserve(&mut self, bytes: usize) {
        self.data.reserve_exact(bytes.saturating_sub(self.data.len()));
    }

    /// Cells of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Complete rows.
    pub fn rows(&self) -> usize {
        self.ops.len()
    }

    /// Bytes that the buffer holds, bookkeeping and the index for sorting included.
    pub fn bytes(&self) -> usize {
        self.data.len() + 4 * self.ends.len() + 33 * self.ops.len()
    }

    /// Bytes of cells.
    pub fn data_bytes(&self) -> usize {
        self.data.len()
    }

    /// The cell of a complete row.
    #[inline]
    pub fn cell(&self, row: usize, column: usize) -> &[u8] {
        let (start, end) = self.span(row, column);
        &self.data[start..end]
    }

    /// Start and end of a cell in all that is held.
    #[inline]
    pub fn span(&self, row: usize, column: usize) -> (usize, usize) {
        let index = row * self.width + column;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        (start, self.ends[index] as usize)
    }

    /// Bytes of a complete row.
    pub fn row_bytes(&self, row: usize) -> usize {
        self.span(row, self.width - 1).1 - self.span(row, 0).0
    }

    /// What a row does.
    pub fn op(&self, row: usize) -> Op {
        self.ops[row]
    }

    /// Adds bytes to the cell that is open.
    #[inline]
    pub fn extend(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    /// Adds the first bytes of `from` to the cell that is open.
    #[inline]
    pub fn append(&mut self, from: &[u8], many: usize) {
        append(&mut self.data, from, many);
    }

    /// The bytes from the start of a cell on, to the end of all cells; and how many of them are the cell.
    #[inline]
    pub fn cell_and_on(&self, row: usize, column: usize) -> (&[u8], usize) {
        let (start, end) = self.span(row, column);
        (&self.data[start..], end - start)
    }

    /// Closes the open cell.
    #[inline]
    pub fn end_cell(&mut self) {
        self.ends.push(self.data.len() as u32);
    }

    /// Cells of the row that is open.
    pub fn open_cells(&self) -> usize {
        self.ends.len() - self.ops.len() * self.width
    }

    /// Whether the buffer has outgrown what its offsets can tell.
    pub fn too_large(&self) -> bool {
        self.data.len() > MOST
    }

    /// The cells of the row that is open, as one slice each.
    pub fn open_row(&self) -> impl Iterator<Item = &[u8]> {
        let first = self.ops.len() * self.width;
        let mut start = self.open_start();
        self.ends[first..].iter().map(move |end| {
            let cell = &self.data[start..*end as usize];
            start = *end as usize;
            cell
        })
    }

    /// Whether each cell of the open row is UTF-8.
    pub fn open_row_is_text(&self) -> bool {
        let start = self.open_start();
        let Ok(text) = std::str::from_utf8(&self.data[start..]) else { return false };
        text.is_ascii()
            || self.ends[self.ops.len() * self.width..]
                .iter()
                .all(|end| text.is_char_boundary(*end as usize - start))
    }

    /// Puts the cells of the open row in another order: the cell at `i` goes to `places[i]`.
    pub fn permute_open_row(&mut self, places: &[usize]) {
        let mut cells = vec![Vec::new(); places.len()];
        for (cell, place) in self.open_row().zip(places) {
            cells[*place] = cell.to_vec();
        }
        self.drop_open_row();
        for cell in cells {
            self.extend(&cell);
            self.end_cell();
        }
    }

    /// Closes the row; the caller has seen to it that it has its cells.
    pub fn end_row(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// Forgets the row that is open.
    pub fn drop_open_row(&mut self) {
        let start = self.open_start();
        self.data.truncate(start);
        self.ends.truncate(self.ops.len() * self.width);
    }

    /// Forgets all rows but keeps the room, and keeps the row that is open.
    pub fn clear(&mut self) {
        let start = self.open_start();
        let first = self.ops.len() * self.width;
        self.data.drain(..start);
        self.ends.drain(..first);
        for end in &mut self.ends {
            *end -= start as u32;
        }
        self.ops.clear();
    }

    fn open_start(&self) -> usize {
        match (self.ops.len() * self.width).checked_sub(1) {
            Some(last) => self.ends[last] as usize,
            None => 0,
        }
    }
}

/// Bytes that are copied without a look at how many of them count.
const SHORT: usize = 32;

/// Appends the first bytes of `from`. Most cells are short: copying as many bytes each time takes two instructions, where
/// copying so many takes a call.
#[inline]
pub(super) fn append(to: &mut Vec<u8>, from: &[u8], many: usize) {
    match from.first_chunk::<SHORT>() {
        Some(short) if many <= SHORT => {
            let end = to.len() + many;
            to.extend_from_slice(short);
            to.truncate(end);
        }
        _ => to.extend_from_slice(&from[..many]),
    }
}
