//! Callers of our own paths, and the right that each path needs.

use std::marker::PhantomData;

use axum::{extract::FromRequestParts, http::request::Parts};
use passpool_core::{Actor, Caller, Granter, Right};

use crate::{
    app::App,
    http::{caller::caller, problem::Problem},
};

/// A right that a path needs.
pub(super) trait Needed: Send {
    const RIGHT: Right;
}

macro_rules! needed {
    ($($right:ident),*) => {
        $(
            /// The right of this name.
            pub(super) struct $right;

            impl Needed for $right {
                const RIGHT: Right = Right::$right;
            }
        )*
    };
}

needed!(CertRead, CertCreate, CertRecover, CertDelete, AccountManage);

/// A caller with a good key and this right. It stands before all that reads parameters: whoever may not do a thing is
/// not told what is wrong with the way it was asked for.
pub(super) struct May<R> {
    pub caller: Caller,
    right: PhantomData<R>,
}

impl<R> May<R> {
    /// True for those who may see names, notes and links too.
    pub(super) fn may_create(&self) -> bool {
        self.caller.may(Right::CertCreate)
    }

    pub(super) fn granter(self) -> Granter {
        Granter::Caller(self.caller)
    }

    pub(super) fn actor(self) -> Actor {
        Actor::User(self.caller.name)
    }
}

impl<R: Needed> FromRequestParts<App> for May<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = caller(app, &parts.headers).await?.ok_or(Problem::NoKey)?;
        if !caller.may(R::RIGHT) {
            return Err(Problem::RightMissing(R::RIGHT));
        }
        Ok(Self { caller, right: PhantomData })
    }
}
