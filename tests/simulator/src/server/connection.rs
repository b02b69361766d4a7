//! Connections: accepted until the end is asked for, and then served to the end of the request in flight.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::route;
use super::state::State;

/// How long requests in flight may go on after the end was asked for.
const GRACE: Duration = Duration::from_secs(10);
/// How long a client may take for its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long a connection may wait for the next request; longer than clients keep theirs.
const IDLE: Duration = Duration::from_mins(2);

/// Accepts connections until the end is asked for.
pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
            Some(_) = open.join_next() => continue,
        };
        let Ok((stream, _)) = accepted else {
            // out of file descriptors, most likely: some will be closed
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (state, stopped, tls) = (state.clone(), stopped.clone(), tls.clone());
        open.spawn(async move {
            match tls {
                None => serve(stream, state, false, stopped).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                        serve(stream, state, true, stopped).await;
                    }
                }
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, async { while open.join_next().await.is_some() {} }).await;
}

async fn serve<S>(stream: S, state: Arc<State>, tls: bool, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let state = state.clone();
        async move { route::answer(state, request, tls).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // as recorded: `Content-Type`; clients are known that look for just that (airbyte's source-salesforce)
        .title_case_headers(true)
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        // a connection that breaks is the client's affair
        _ = connection.as_mut() => true,
        () = async { drop(stopped.wait_for(|stop| *stop).await) } => false,
    };
    if !ended {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
