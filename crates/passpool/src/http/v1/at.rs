//! The one thing that a path names.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use passpool_core::{PassportId, PreviewId, ProfileName, RecipientId, ReservationId, ResetId, Tag, UserName};

use crate::{app::App, http::problem::Problem, imports::ImportJobId};

/// What a path can name.
pub(super) trait Named: Sized {
    /// How the path calls it.
    const PARAMETER: &str;

    fn read(text: &str) -> Result<Self, String>;
}

/// The one parameter of a path, read.
pub(super) struct At<T>(pub T);

impl<T: Named> FromRequestParts<App> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let wrong = |wrong: String| Problem::parameter(T::PARAMETER, wrong);
        let Path(text) =
            Path::<String>::from_request_parts(parts, app).await.map_err(|rejection| wrong(rejection.body_text()))?;
        T::read(&text).map(Self).map_err(wrong)
    }
}

macro_rules! named {
    ($($kind:ty = $parameter:literal),* $(,)?) => {
        $(
            impl Named for $kind {
                const PARAMETER: &str = $parameter;

                fn read(text: &str) -> Result<Self, String> {
                    Self::parse(text).map_err(|error| error.to_string())
                }
            }
        )*
    };
}

named!(
    ImportJobId = "id",
    PassportId = "id",
    PreviewId = "id",
    ProfileName = "name",
    RecipientId = "id",
    ReservationId = "id",
    ResetId = "id",
    Tag = "tag",
    UserName = "name",
);
