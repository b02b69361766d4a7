//! Files: streamed, resumed, begun anew, and never taken for whole when they are not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Answer, Org, Seen, answer, cut, refusal};
use md5::{Digest as _, Md5};
use orgkeep_core::problem::{Fault, Reaction};
use orgkeep_salesforce::{BlobReader, BlobSource, Error, Resource};

const PATH: &str = "/services/data/v64.0/sobjects/ContentVersion/068x/VersionData";

fn content() -> Vec<u8> {
    (0..50_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"))
}

fn source() -> BlobSource {
    let content = content();
    BlobSource::new("ContentVersion", "068x", "VersionData").length(content.len() as u64).md5(&md5(&content))
}

async fn read(blob: &mut BlobReader) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = blob.next_chunk().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The offset that a call asks for.
fn asked(seen: &Seen) -> usize {
    let Some(range) = seen.headers.get("range") else { return 0 };
    range.to_str().unwrap().strip_prefix("bytes=").unwrap().strip_suffix('-').unwrap().parse().unwrap()
}

/// The rest of the content as a server with ranges gives it, broken off after some bytes.
fn part(seen: &Seen, bytes: usize) -> Answer {
    let (content, from) = (content(), asked(seen));
    let (status, range) = match from {
        0 => (200, String::new()),
        _ => (206, format!("bytes {from}-{}/{}", content.len() - 1, content.len())),
    };
    let headers = [("content-range", range.as_str())];
    let headers = if from == 0 { &headers[..0] } else { &headers[..] };
    let rest = content[from..].to_vec();
    if rest.len() <= bytes {
        answer(status, headers, rest)
    } else {
        answer(status, headers, cut(rest[..bytes].to_vec()))
    }
}

#[tokio::test]
async fn a_file_comes_whole_and_is_proven_in_one_call() {
    let org = Org::start().await;
    org.on(PATH, |_| answer(200, &[("content-type", "application/octetstream")], content()));
    let client = org.connect().await;
    let mut blob = client.blob(source());
    assert_eq!(read(&mut blob).await.unwrap(), content());
    let summary = blob.summary().unwrap();
    assert_eq!((summary.length, summary.resumed), (200_000, 0));
    assert!(summary.length_proven && summary.md5_proven);
    assert_eq!(blob.next_chunk().await.unwrap(), None);
    assert_eq!(client.calls().by_resource[&Resource::Blob].calls, 1);
    assert_eq!(org.seen(PATH)[0].headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn what_breaks_off_is_resumed_where_the_server_gives_ranges() {
    let org = Org::start().await;
    org.on(PATH, |seen| part(seen, 60_000));
    let mut blob = org.connect().await.blob(source());
    assert_eq!(read(&mut blob).await.unwrap(), content());
    assert_eq!(blob.summary().unwrap().resumed, 3);
    let asked: Vec<_> = org.seen(PATH).iter().map(asked).collect();
    assert_eq!(asked, [0, 60_000, 120_000, 180_000]);
}

#[tokio::test]
async fn it_is_begun_anew_where_it_does_not_and_nothing_is_given_twice() {
    let org = Org::start().await;
    org.on(PATH, |seen| match seen.nth {
        0 => answer(200, &[], cut(content()[..70_000].to_vec())),
        1 => answer(200, &[], cut(content()[..120_000].to_vec())),
        _ => answer(200, &[], content()),
    });
    let mut blob = org.connect().await.blob(source());
    assert_eq!(read(&mut blob).await.unwrap(), content());
    assert_eq!(blob.summary().unwrap().resumed, 2);
}

#[tokio::test]
async fn another_content_behind_the_break_is_noticed() {
    let org = Org::start().await;
    org.on(PATH, |seen| {
        let mut other = content();
        other[5] ^= u8::from(seen.nth > 0);
        if seen.nth == 0 { answer(200, &[], cut(other[..70_000].to_vec())) } else { answer(200, &[], other) }
    });
    let error = read(&mut org.connect().await.blob(source())).await.unwrap_err();
    assert!(matches!(&error, Error::BlobWrong { offset: 70_000, .. }), "{error}");
    assert!(error.to_string().contains("ContentVersion 068x VersionData"), "{error}");
    assert_eq!(error.reaction(), Fault::BlobWrong.reaction());
}

#[tokio::test]
async fn a_wrong_byte_a_missing_one_and_one_too_many_are_noticed() {
    let org = Org::start().await;
    let client = org.connect().await;
    for (change, want) in [(0_isize, "its MD5 is"), (-1, "the answer has 199999 bytes"), (1, "200001 bytes")]
    {
        org.on(PATH, move |_| {
            let mut other = content();
            match change {
                0 => other[7] ^= 1,
                -1 => drop(other.pop()),
                _ => other.push(0),
            }
            answer(200, &[], other)
        });
        let error = read(&mut client.blob(source())).await.unwrap_err();
        assert!(matches!(&error, Error::BlobWrong { .. }), "{error}");
        assert!(error.to_string().contains(want), "{error}");
    }
    // The same without a length in the head.
    org.on(PATH, |_| answer(200, &[], chunked(content()[..100].to_vec())));
    let error = read(&mut client.blob(source())).await.unwrap_err();
    assert!(error.to_string().contains("it ended, the record says 200000 bytes"), "{error}");
    org.on(PATH, |_| answer(200, &[], chunked([content(), vec![1]].concat())));
    let error = read(&mut client.blob(source())).await.unwrap_err();
    assert!(error.to_string().contains("more came than the 200000 bytes"), "{error}");
}

fn chunked(bytes: Vec<u8>) -> axum::body::Body {
    axum::body::Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>(bytes)]))
}

#[tokio::test]
async fn a_nodes_page_is_no_file() {
    let html = |_: &Seen| answer(200, &[("content-type", "text/html")], "<html>maintenance</html>");
    let org = Org::start().await;
    let client = org.connect().await;
    // Its length gives it away, and the content comes at another try.
    org.on(PATH, move |seen| if seen.nth == 0 { html(seen) } else { answer(200, &[], content()) });
    assert_eq!(read(&mut client.blob(source())).await.unwrap(), content());
    // Without length and checksum its type does.
    org.on(PATH, html);
    let bare = BlobSource::new("ContentVersion", "068x", "VersionData");
    let error = read(&mut client.blob(bare)).await.unwrap_err();
    assert!(matches!(&error, Error::BodyUnreadable { passing: true, .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_never_goes_on_and_one_that_is_gone_end_with_an_error() {
    let org = Org::start().await;
    let client = org.connect().await;
    org.on(PATH, |seen| match asked(seen) {
        0 => answer(200, &[], cut(content()[..1_000].to_vec())),
        _ => answer(206, &[("content-range", "bytes 1000-199999/200000")], cut(&b""[..])),
    });
    let error = read(&mut client.blob(source())).await.unwrap_err();
    assert!(matches!(&error, Error::BlobCut { offset: 1_000, .. }), "{error}");
    org.on(PATH, |seen| match asked(seen) {
        0 => answer(200, &[], cut(content()[..1_000].to_vec())),
        _ => answer(206, &[("content-range", "bytes 0-9/200000")], "0123456789"),
    });
    let error = read(&mut client.blob(source())).await.unwrap_err();
    assert!(error.to_string().contains("another part"), "{error}");
    org.on(PATH, |_| refusal(404, "NOT_FOUND", "The requested resource does not exist"));
    let error = read(&mut client.blob(source())).await.unwrap_err();
    assert_eq!(error.reaction(), Reaction::GiveUpObject);
}
