//! Serving: the listener, the connections, and an end in good order.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use crate::{app::App, listening::allow_many_connections, shop::Shop, worker};

/// How long a client may take to send the head of a request, and how long an idle connection is kept.
const HEAD_WITHIN: Duration = Duration::from_secs(75);
/// How long requests that are being answered may take when the server is told to end. With the closing of the store
/// it is below the 10 s after which service managers kill.
const FINISH_WITHIN: Duration = Duration::from_secs(7);
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait when no connection can be taken, mostly since too many are open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// SIGTERM and SIGINT, which end a server in good order.
pub struct EndSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndSignals {
    /// From here on neither of them kills the process. Call it before anybody is told that there is a server.
    pub fn listen() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        Ok(Self { terminate, interrupt })
    }

    /// Waits for one of them.
    pub(crate) async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Serves until a signal, then finishes what was begun and closes the store: what was acknowledged stands, what was not
/// is not done.
///
/// `routes` is [`crate::http::router`], unless somebody measures.
pub async fn serve(
    listener: TcpListener,
    shop: Shop,
    mut signals: EndSignals,
    routes: fn(App) -> Router,
) -> anyhow::Result<()> {
    allow_many_connections();
    let app = App::new(shop);
    let (ending, workers) = (CancellationToken::new(), TaskTracker::new());
    worker::start(&app, &workers, &ending);
    let connections = GracefulShutdown::new();
    let router = routes(app.clone());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => answer(stream, peer, router.clone(), &connections),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            () = signals.received() => break,
        }
    }
    drop(listener);
    tracing::info!("ending: no more connections are taken");
    if tokio::time::timeout(FINISH_WITHIN, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
    ending.cancel();
    workers.close();
    let closed = async {
        workers.wait().await;
        if let Err(error) = app.store.keep_key_uses(app.callers.take_uses()).await {
            tracing::warn!(%error, "when keys were used last could not be written down");
        }
        app.store.close().await;
    };
    tokio::time::timeout(CLOSE_WITHIN, closed).await.context("the store did not close in time")
}

fn answer(stream: TcpStream, peer: SocketAddr, router: Router, connections: &GracefulShutdown) {
    // Answers are small and whole: waiting for more to send with them only delays them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().call(request) // A router is always ready.
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}
