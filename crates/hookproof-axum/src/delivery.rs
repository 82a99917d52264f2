use core::fmt;
use core::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

/// A delivery that the layer has verified: an extractor, and a [`hookproof::Delivery`] to look into.
#[derive(Clone, Debug)]
pub struct Delivery(pub(crate) Arc<hookproof::Delivery<'static>>);

impl Deref for Delivery {
    type Target = hookproof::Delivery<'static>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A handler wants a [`Delivery`], and its route has no layer that verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotVerified;

impl fmt::Display for NotVerified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this route does not verify: add `.layer(hookproof_axum::receive(receiver))` to its handler")
    }
}

impl core::error::Error for NotVerified {}

impl IntoResponse for NotVerified {
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Delivery {
    type Rejection = NotVerified;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotVerified> {
        parts.extensions.get::<Self>().cloned().ok_or(NotVerified)
    }
}
