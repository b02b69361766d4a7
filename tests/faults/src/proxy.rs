//! The proxy between client and simulator: counts the calls, and spoils one of them.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::kind::{Asked, Kind};
use crate::spoil::{Around, Spoilt, refusal, spoil};
use crate::wire::{Head, Message};

/// Calls after which a run is taken for endless.
const ENDLESS: usize = 3_000;
/// Answers that a lasting fault spoils.
const LASTING: u32 = 5;
/// The pause between two pieces of a slow body; below the client's patience.
const PAUSE: Duration = Duration::from_secs(30);

/// A fault and when: at the first call it can befall from the n-th on, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Which.
    pub kind: Kind,
    /// From which call on.
    pub nth: usize,
}

/// What ends all sessions of the org.
pub type EndSessions = Arc<dyn Fn() + Send + Sync>;

struct State {
    upstream: SocketAddr,
    end_sessions: EndSessions,
    plan: Option<Plan>,
    fired: u32,
    calls: Vec<Asked>,
    /// The page that was answered last, with its path without the query.
    last: Option<(String, Message)>,
}

/// The running proxy; it stops when it is dropped.
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// Listens on a port of its own.
    pub async fn start(
        upstream: SocketAddr,
        end_sessions: EndSessions,
        plan: Option<Plan>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = State { upstream, end_sessions, plan, fired: 0, calls: Vec::new(), last: None };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                tokio::spawn(async move {
                    // a connection that breaks is what this is about
                    let _ = serve(stream, &state).await;
                });
            }
        });
        Ok(Self { address, state, accepting })
    }

    /// What was asked so far, in order.
    pub fn calls(&self) -> Vec<Asked> {
        lock(&self.state).calls.clone()
    }

    /// How many answers were spoilt.
    pub fn fired(&self) -> u32 {
        lock(&self.state).fired
    }

    /// Whether the client called without end.
    pub fn is_endless(&self) -> bool {
        lock(&self.state).calls.len() >= ENDLESS
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    while let Some(head) = Head::read(&mut reader).await? {
        let request = Message::read(head, &mut reader, false).await?;
        match exchange(&request, state).await? {
            Spoilt::Answer(answer) => writer.write_all(&answer.to_bytes()).await?,
            Spoilt::Cut(bytes) => {
                writer.write_all(&bytes).await?;
                return writer.shutdown().await;
            }
            Spoilt::Stall(bytes) => {
                writer.write_all(&bytes).await?;
                // until the client goes away
                let _ = reader.read_to_end(&mut Vec::new()).await;
                return Ok(());
            }
            Spoilt::Slow(pieces) => {
                for piece in pieces {
                    writer.write_all(&piece).await?;
                    tokio::time::sleep(PAUSE).await;
                }
            }
            Spoilt::Unfit => return Ok(()),
        }
    }
    Ok(())
}

/// One call: its answer, spoilt if it is its turn.
async fn exchange(request: &Message, state: &Mutex<State>) -> io::Result<Spoilt> {
    let mut words = request.head.first.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_owned());
    let asked = Asked::of(method, &path);
    let (upstream, armed, end_sessions) = {
        let mut state = lock(state);
        if state.calls.len() >= ENDLESS {
            return Ok(Spoilt::Cut(Vec::new()));
        }
        state.calls.push(asked);
        let armed = state.armed(asked);
        (state.upstream, armed, state.end_sessions.clone())
    };
    match armed {
        Some(Kind::ClosedUnheard) => {
            lock(state).fired += 1;
            return Ok(Spoilt::Cut(Vec::new()));
        }
        Some(Kind::NeverAnswers) => {
            lock(state).fired += 1;
            return Ok(Spoilt::Stall(Vec::new()));
        }
        Some(kind @ (Kind::SessionsEnd | Kind::AccessRevoked)) => {
            let mut state = lock(state);
            if asked == Asked::Token {
                state.fired += 1;
                return Ok(refusal(kind).unwrap_or(Spoilt::Unfit));
            }
            if state.fired == 0 {
                end_sessions();
                state.fired += 1;
            }
        }
        _ => {}
    }
    let answer = forward(upstream, request, None).await?;
    let key = path.split('?').next().unwrap_or_default().to_owned();
    let key = if asked == Asked::Results { key } else { "rest".to_owned() };
    let Some(kind) = armed.filter(|kind| !matches!(kind, Kind::SessionsEnd | Kind::AccessRevoked)) else {
        return Ok(unspoilt(state, asked, key, answer));
    };
    if kind == Kind::AnswerLost {
        lock(state).fired += 1;
        return Ok(Spoilt::Cut(Vec::new()));
    }
    let before = lock(state).last.clone().filter(|(known, _)| *known == key).map(|(_, page)| page);
    let after = match (kind, answer.head.get("sforce-locator")) {
        (Kind::PageSkipped, Some(locator)) if locator != "null" => {
            Some(forward(upstream, request, Some(locator)).await?)
        }
        _ => None,
    };
    let spoilt = spoil(kind, asked, answer.clone(), &Around { before, after, path });
    if matches!(spoilt, Spoilt::Unfit) {
        return Ok(unspoilt(state, asked, key, answer));
    }
    lock(state).fired += 1;
    Ok(spoilt)
}

/// The answer as it is; a page is kept, since the next one may be answered with it.
fn unspoilt(state: &Mutex<State>, asked: Asked, key: String, answer: Message) -> Spoilt {
    if matches!(asked, Asked::Results | Asked::Query | Asked::More) {
        lock(state).last = Some((key, answer.clone()));
    }
    Spoilt::Answer(answer)
}

impl State {
    /// The fault, if it is the call's turn.
    fn armed(&self, asked: Asked) -> Option<Kind> {
        let plan = self.plan?;
        let kind = plan.kind;
        let lasts = match kind {
            Kind::UnavailableLong | Kind::JobSlow => self.fired < LASTING,
            Kind::DownForEver | Kind::JobNeverEnds | Kind::AccessRevoked => true,
            _ => self.fired == 0,
        };
        let befalls =
            kind.befalls(asked) || (kind == Kind::AccessRevoked && asked == Asked::Token && self.fired > 0);
        (lasts && befalls && self.calls.len() >= plan.nth).then_some(kind)
    }
}

/// Asks the simulator; `locator` asks for another result page instead.
async fn forward(upstream: SocketAddr, request: &Message, locator: Option<&str>) -> io::Result<Message> {
    let mut request = request.clone();
    if let Some(locator) = locator {
        let locator: String = url::form_urlencoded::byte_serialize(locator.as_bytes()).collect();
        let path = request.head.first.split(' ').nth(1).unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let rest: Vec<&str> =
            query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("locator=")).collect();
        let separator = if rest.is_empty() { "" } else { "&" };
        request.head.first = format!("GET {path}?{}{separator}locator={locator} HTTP/1.1", rest.join("&"));
    }
    request.head.set("connection", "close");
    let mut stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&request.to_bytes()).await?;
    let mut reader = BufReader::new(stream);
    let head = Head::read(&mut reader).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let mut answer = Message::read(head, &mut reader, true).await?;
    answer.head.remove("connection");
    Ok(answer)
}
