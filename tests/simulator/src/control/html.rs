//! Pages put together: text that is safe to show, numbers that can be read, the frame around it all.

use std::fmt::Write as _;

use http::StatusCode;

use crate::web::Answer;

const STYLE: &str = include_str!("style.css");

/// A page: its title, the way to it (name and address of each step), and what is in it.
pub(super) fn page(status: StatusCode, title: &str, way: &[(String, String)], body: &str) -> Answer {
    let mut nav = "<a href=\"/_simulator\"><b>Orgkeep simulator</b></a>".to_owned();
    for (name, address) in way {
        let _ = write!(nav, "<span>/</span><a href=\"{}\">{}</a>", escape(address), escape(name));
    }
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{} – Orgkeep simulator</title><style>{STYLE}</style></head>\n\
         <body><header><nav>{nav}</nav></header>\n<main>\n{body}</main></body></html>\n",
        escape(title)
    );
    // no script runs and nothing is fetched, whatever a record's text may say
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'";
    Answer::bytes(status, "text/html;charset=UTF-8", html)
        .with("content-security-policy", policy)
        .with("cache-control", "no-store")
}

/// Text that stands for itself in HTML, in attributes as well.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A number with its thousands apart: `1,234,567`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut apart = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// A number of bytes: `12.4 MB`.
pub(super) fn bytes(count: u64) -> String {
    let mut rest = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if rest < 1_000.0 {
            return if unit == "B" { format!("{count} B") } else { format!("{rest:.1} {unit}") };
        }
        rest /= 1_000.0;
    }
    format!("{rest:.1} TB")
}

/// A word with its number: `1 record`, `2 records`.
pub(super) fn counted(count: u64, word: &str) -> String {
    format!("{} {word}{}", number(count), if count == 1 { "" } else { "s" })
}

/// A value in the query part of an address.
pub(super) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers() {
        assert_eq!(escape("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(12_345_678), "12.3 MB");
        assert_eq!(counted(1, "record"), "1 record");
    }
}
