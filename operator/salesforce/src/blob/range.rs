//! How the server answered a call for the rest of a content.

use http::{HeaderMap, StatusCode, header};

/// Where an answer's body begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// At the first byte; what came before is read anew.
    Anew,
    /// Where it was asked to.
    Resumed,
    /// Somewhere else.
    Elsewhere,
}

/// Reads an answer's head; ranges are not promised for every kind of content, so either answer is right.
pub(super) fn begins(status: StatusCode, headers: &HeaderMap, asked: u64) -> Begins {
    if status != StatusCode::PARTIAL_CONTENT {
        return Begins::Anew;
    }
    match content_range(headers) {
        Some((first, _)) if first == asked => Begins::Resumed,
        _ => Begins::Elsewhere,
    }
}

/// The length of the whole content as the head tells it: `Content-Range`'s total, else `Content-Length`.
pub(super) fn told_length(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    if status == StatusCode::PARTIAL_CONTENT {
        return content_range(headers)?.1;
    }
    // Of a packed body it tells the packed length.
    if headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// `Content-Range: bytes FIRST-LAST/TOTAL`, where the total may be `*`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, _) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(entries: &[(&'static str, &str)]) -> HeaderMap {
        entries
            .iter()
            .map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn where_an_answer_begins() {
        let part =
            |range: &str| begins(StatusCode::PARTIAL_CONTENT, &headers(&[("content-range", range)]), 5);
        assert_eq!(part("bytes 5-9/10"), Begins::Resumed);
        assert_eq!(part("bytes 5-9/*"), Begins::Resumed);
        assert_eq!(part("bytes 0-9/10"), Begins::Elsewhere);
        assert_eq!(part("lines 5-9/10"), Begins::Elsewhere);
        assert_eq!(begins(StatusCode::PARTIAL_CONTENT, &HeaderMap::new(), 5), Begins::Elsewhere);
        assert_eq!(begins(StatusCode::OK, &HeaderMap::new(), 5), Begins::Anew);
    }

    #[test]
    fn the_length_of_the_whole() {
        let ok = |entries: &[(&'static str, &str)]| told_length(StatusCode::OK, &headers(entries));
        assert_eq!(ok(&[("content-length", "7")]), Some(7));
        assert_eq!(ok(&[("content-length", "7"), ("content-encoding", "gzip")]), None);
        assert_eq!(ok(&[]), None);
        let part = [("content-range", "bytes 5-9/10"), ("content-length", "5")];
        assert_eq!(told_length(StatusCode::PARTIAL_CONTENT, &headers(&part)), Some(10));
    }
}
