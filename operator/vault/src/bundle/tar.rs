//! As much of the tar format (POSIX ustar, with pax for long paths) as a bundle needs: plain files with a path and a
//! size. Whatever else an archive could hold is refused: links, folders, owners, sparse files.

use std::io::{self, Read, Write};

use super::{BundleError, Result};

const BLOCK: usize = 512;
/// Greatest size that eleven octal digits tell.
const MOST: u64 = (1 << 33) - 1;
/// Longest path that is read.
const LONGEST_PATH: u64 = 4096;

/// Writes the header of a file.
pub(super) fn write_header(out: &mut impl Write, path: &str, size: u64) -> Result<()> {
    if size > MOST {
        return Err(BundleError::Internal(format!(
            "{path} has {size} bytes; a bundle holds files up to 8 GiB"
        )));
    }
    let (prefix, name) = match split(path) {
        Some(split) => split,
        None => {
            // The length counts its own digits.
            let rest = format!(" path={path}\n");
            let mut length = rest.len() + 1;
            while length != rest.len() + length.to_string().len() {
                length = rest.len() + length.to_string().len();
            }
            let record = format!("{length}{rest}");
            out.write_all(&header("", "pax", record.len() as u64, b'x'))?;
            out.write_all(record.as_bytes())?;
            pad(out, record.len() as u64)?;
            ("", "long")
        }
    };
    out.write_all(&header(prefix, name, size, b'0'))?;
    Ok(())
}

/// Fills the last block of a file of this size.
pub(super) fn pad(out: &mut impl Write, size: u64) -> Result<()> {
    out.write_all(&[0; BLOCK][..padding(size)])?;
    Ok(())
}

/// Ends the archive.
pub(super) fn end(out: &mut impl Write) -> Result<()> {
    out.write_all(&[0; 2 * BLOCK])?;
    out.flush()?;
    Ok(())
}

fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// Prefix and name of a path, if it can be cut so.
fn split(path: &str) -> Option<(&str, &str)> {
    if path.len() <= 100 {
        return Some(("", path));
    }
    let cuts = path.match_indices('/').map(|(at, _)| at);
    let at = cuts.filter(|at| *at <= 155 && path.len() - at - 1 <= 100).max()?;
    Some((&path[..at], &path[at + 1..]))
}

fn header(prefix: &str, name: &str, size: u64, kind: u8) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// Reads an archive from its beginning to its end.
pub(super) struct Archive<R> {
    input: R,
    /// Bytes of the file at hand that were not read, and what fills its last block.
    left: u64,
    padding: usize,
}

impl<R: Read> Archive<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0 }
    }

    /// Path and size of the next file; the one before must have been read.
    pub(super) fn next(&mut self) -> Result<Option<(String, u64)>> {
        let mut long = None;
        loop {
            self.skip_padding()?;
            let mut block = [0; BLOCK];
            self.exact(&mut block)?;
            if block.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let (path, size, kind) = parse(&block)
                .ok_or_else(|| BundleError::altered("a member", "its header is not one of a bundle"))?;
            self.left = size;
            self.padding = padding(size);
            match kind {
                b'0' | 0 => return Ok(Some((long.unwrap_or(path), size))),
                b'x' if long.is_none() && size <= LONGEST_PATH => {
                    let record = self.all()?;
                    long = Some(pax_path(&record).ok_or_else(|| {
                        BundleError::altered("a member", "its extended header holds more than a path")
                    })?);
                }
                other => {
                    let why =
                        format!("it is of kind {:?}, and a bundle holds plain files", char::from(other));
                    return Err(BundleError::altered(&path, why));
                }
            }
        }
    }

    /// More bytes of the file at hand; none at its end.
    pub(super) fn read(&mut self, most: usize) -> Result<Vec<u8>> {
        let many = usize::try_from(self.left).unwrap_or(usize::MAX).min(most);
        let mut bytes = vec![0; many];
        self.exact(&mut bytes)?;
        self.left -= many as u64;
        Ok(bytes)
    }

    /// The rest of the file at hand.
    pub(super) fn all(&mut self) -> Result<Vec<u8>> {
        self.read(usize::MAX)
    }

    fn skip_padding(&mut self) -> Result<()> {
        if self.left > 0 {
            return Err(BundleError::Internal("a member was not read to its end".to_owned()));
        }
        let mut filler = vec![0; std::mem::take(&mut self.padding)];
        self.exact(&mut filler)?;
        if filler.iter().any(|byte| *byte != 0) {
            return Err(BundleError::altered("the filling after a member", "it is not empty"));
        }
        Ok(())
    }

    fn exact(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BundleError::altered("the end", "the file is cut"),
            _ => error.into(),
        })
    }
}

fn parse(block: &[u8; BLOCK]) -> Option<(String, u64, u8)> {
    let octal = |from: usize, to: usize| {
        let text = std::str::from_utf8(&block[from..to]).ok()?;
        u64::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
    };
    let text = |from: usize, to: usize| {
        let bytes = &block[from..to];
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        std::str::from_utf8(&bytes[..end]).ok()
    };
    let mut summed = *block;
    summed[148..156].fill(b' ');
    let sum: u64 = summed.iter().map(|byte| u64::from(*byte)).sum();
    if octal(148, 156)? != sum || &block[257..262] != b"ustar" {
        return None;
    }
    let (name, prefix) = (text(0, 100)?, text(345, 500)?);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    Some((path, octal(124, 136)?, block[156]))
}

/// The path that a pax header names, if it names nothing else.
fn pax_path(record: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(record).ok()?;
    let (length, rest) = text.split_once(' ')?;
    if length.parse::<usize>().ok()? != record.len() {
        return None;
    }
    Some(rest.strip_prefix("path=")?.strip_suffix('\n')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_any_length_come_back() {
        let paths = ["a".to_owned(), format!("{}/{}", "p".repeat(120), "n".repeat(90)), "x".repeat(300)];
        let mut out = Vec::new();
        for (size, path) in paths.iter().enumerate() {
            write_header(&mut out, path, size as u64 * 300).unwrap();
            out.extend(vec![7; size * 300]);
            pad(&mut out, size as u64 * 300).unwrap();
        }
        end(&mut out).unwrap();
        assert_eq!(out.len() % BLOCK, 0);
        let mut archive = Archive::new(&*out);
        for (size, path) in paths.iter().enumerate() {
            assert_eq!(archive.next().unwrap(), Some((path.clone(), size as u64 * 300)));
            assert_eq!(archive.all().unwrap(), vec![7; size * 300]);
        }
        assert_eq!(archive.next().unwrap(), None);
        for cut in [0, 100, 600, out.len() - 1024] {
            let mut archive = Archive::new(&out[..cut]);
            let read = (0..4).try_for_each(|_| archive.next().and_then(|_| archive.all().map(drop)));
            assert!(read.is_err(), "{cut}");
        }
    }

    #[test]
    fn links_are_refused() {
        let mut link = header("", "lines/x", 0, b'2');
        assert!(Archive::new(&link[..]).next().unwrap_err().to_string().contains("plain files"));
        link[0] = b'm';
        assert!(Archive::new(&link[..]).next().unwrap_err().to_string().contains("header"));
    }
}
