use core::convert::Infallible;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::receiver::Receiver;
use crate::reception::serve;

/// A layer that lets only verified deliveries to the handler, each of them once.
///
/// Put it on the handler (`post(handler).layer(receive(receiver))`), so that it is the last thing before it: a layer
/// between them would run for what the sender may not see.
///
/// A delivery that has been claimed is handled to its end and settled, also when the sender does not wait for it.
#[must_use]
pub fn receive(receiver: Receiver) -> Receive {
    Receive { receiver }
}

/// What [`receive`] gives.
#[derive(Debug, Clone)]
pub struct Receive {
    receiver: Receiver,
}

impl<S> Layer<S> for Receive {
    type Service = ReceiveService<S>;

    fn layer(&self, handler: S) -> ReceiveService<S> {
        ReceiveService { receiver: self.receiver.clone(), handler }
    }
}

/// The service of [`Receive`].
#[derive(Debug, Clone)]
pub struct ReceiveService<S> {
    receiver: Receiver,
    handler: S,
}

impl<S> Service<Request> for ReceiveService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.handler.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that was asked whether it is ready is the one that is called.
        let next = self.handler.clone();
        let handler = core::mem::replace(&mut self.handler, next);
        let parts = self.receiver.parts().clone();
        // A task of its own: when the client goes away, only the waiting for it is dropped.
        let task = tokio::spawn(serve(parts, request, handler).in_current_span());
        Box::pin(async move {
            Ok(task.await.unwrap_or_else(|error| {
                tracing::error!("the receiver failed: {error}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }))
        })
    }
}
