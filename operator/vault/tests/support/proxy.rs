//! A proxy between a client and a server of HTTP that spoils the n-th exchange.
//!
//! A connection carries one exchange (`Connection: close` is said to the server, which says it to the client), so that
//! what a byte belongs to is known without keeping state.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test binary uses its part

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What becomes of the exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spoil {
    /// 503 with the code `SlowDown`; the server never sees the request.
    SlowDown,
    /// 500; the server never sees the request.
    Failed,
    /// 403; the server never sees the request.
    Denied,
    /// 507; the server never sees the request.
    Full,
    /// The connection ends before the server sees the request.
    Cut,
    /// The server did what was asked, and its answer is lost.
    Lost,
    /// The server did what was asked, and its answer ends in the middle.
    Half,
    /// A byte of what is sent is another when it arrives.
    FlippedIn,
    /// A byte of a file that is read is another when it arrives.
    FlippedOut,
}

pub const SPOILS: [Spoil; 9] = [
    Spoil::SlowDown,
    Spoil::Failed,
    Spoil::Denied,
    Spoil::Full,
    Spoil::Cut,
    Spoil::Lost,
    Spoil::Half,
    Spoil::FlippedIn,
    Spoil::FlippedOut,
];

/// A running proxy.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens: the server's URL with another port.
    pub endpoint: String,
    /// Exchanges until the one that is spoilt.
    pub left: Arc<AtomicI64>,
    /// Exchanges that were spoilt.
    pub spoilt: Arc<AtomicU64>,
    /// Whether all that follow are spoilt, too.
    pub lasts: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Begins one before a server, by its URL.
    pub async fn before(endpoint: &str, nth: i64, spoil: Spoil) -> Self {
        let rest = endpoint.strip_prefix("http://").expect("servers of tests speak http");
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (left, spoilt) = (Arc::new(AtomicI64::new(nth)), Arc::new(AtomicU64::new(0)));
        let lasts = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let slash = if path.is_empty() { "" } else { "/" };
        let work = (host.to_owned(), Arc::clone(&left), Arc::clone(&spoilt), Arc::clone(&lasts));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (host, left, spoilt, lasts) = work.clone();
                // What goes wrong on a connection, the client sees by its end.
                tokio::spawn(async move { exchange(client, &host, &left, &spoilt, &lasts, spoil).await });
            }
        });
        Self { endpoint: format!("http://127.0.0.1:{port}{slash}{path}"), left, spoilt, lasts, task }
    }
}

async fn exchange(
    mut client: TcpStream,
    host: &str,
    left: &AtomicI64,
    spoilt: &AtomicU64,
    lasts: &AtomicBool,
    spoil: Spoil,
) -> std::io::Result<()> {
    let Some((head, mut body)) = request(&mut client).await? else { return Ok(()) };
    let read = head.starts_with("GET ") && !head.lines().next().unwrap_or_default().contains('?')
        || head.starts_with("GET ") && head.contains("x-id=GetObject");
    let counts = match spoil {
        Spoil::FlippedIn => !body.is_empty(),
        Spoil::FlippedOut => read,
        _ => true,
    };
    let now = if counts { left.fetch_sub(1, Ordering::SeqCst) } else { i64::MAX };
    let hit = now == 1 || now < 1 && lasts.load(Ordering::SeqCst);
    if hit {
        spoilt.fetch_add(1, Ordering::SeqCst);
        let refusal = match spoil {
            Spoil::SlowDown => Some(("503 Slow Down", "SlowDown")),
            Spoil::Failed => Some(("500 Internal Server Error", "InternalError")),
            Spoil::Denied => Some(("403 Forbidden", "AccessDenied")),
            Spoil::Full => Some(("507 Insufficient Storage", "InsufficientStorage")),
            _ => None,
        };
        if let Some((status, code)) = refusal {
            let xml = format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>made so</Message></Error>"
            );
            let xml = if head.starts_with("HEAD ") { String::new() } else { xml };
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{xml}",
                xml.len()
            );
            client.write_all(answer.as_bytes()).await?;
            return client.shutdown().await;
        }
        if spoil == Spoil::Cut {
            return Ok(());
        }
        if spoil == Spoil::FlippedIn {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
    }
    let mut server = TcpStream::connect(host).await?;
    server.write_all(head.as_bytes()).await?;
    server.write_all(&body).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    if hit {
        match spoil {
            Spoil::Lost => return Ok(()),
            Spoil::Half => answer.truncate(answer.len() / 2),
            Spoil::FlippedOut => {
                let begins = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
                let middle = begins + (answer.len() - begins) / 2;
                if let Some(byte) = answer.get_mut(middle) {
                    *byte ^= 1;
                }
            }
            _ => {}
        }
    }
    client.write_all(&answer).await?;
    client.shutdown().await
}

/// A request's head, with `Connection: close`, and its body; `None` where there is none.
async fn request(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    let ends = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match client.read(&mut chunk).await? {
            0 => return Ok(None),
            many => bytes.extend_from_slice(&chunk[..many]),
        }
    };
    let mut body = bytes.split_off(ends);
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let (mut kept, mut length, mut chunked, mut waits) = (Vec::new(), 0usize, false, false);
    for line in head.trim_end().lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap_or(0),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            "expect" => {
                waits = true;
                continue;
            }
            "connection" => continue,
            _ => {}
        }
        kept.push(line);
    }
    if waits {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    while if chunked { !body.ends_with(b"0\r\n\r\n") } else { body.len() < length } {
        match client.read(&mut chunk).await? {
            0 => return Ok(None),
            many => body.extend_from_slice(&chunk[..many]),
        }
    }
    Ok(Some((format!("{}\r\nconnection: close\r\n\r\n", kept.join("\r\n")), body)))
}
