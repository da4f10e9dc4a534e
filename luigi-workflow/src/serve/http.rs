//! `/metrics`, `/readyz` and `/healthz`, on a thread with a small runtime of its own.

use super::metrics::Shared;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

/// A server that runs as long as the process does: it only reads.
pub(super) struct Server {
    /// Where it listens: the port as the system chose it, if it was asked to.
    pub(super) address: SocketAddr,
}

impl Server {
    pub(super) fn start(address: SocketAddr, shared: Arc<Shared>) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("cannot listen at {address}: {error}");
        let listener = TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("cannot start a runtime for {address}: {error}"))?;
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/readyz", get(ready))
            .route("/healthz", get(alive))
            .with_state(shared);
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let served = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => axum::serve(listener, router).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = served {
                    tracing::error!(%address, "metrics and health are not told any more: {error}");
                }
            });
        });
        Ok(Self { address })
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.text())
}

/// Whether the daemon does its work.
async fn ready(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    match shared.unready() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// Whether the daemon should be left alone: one that only waits for a disk should.
async fn alive(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    match shared.dead() {
        None => (StatusCode::OK, "alive\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}
