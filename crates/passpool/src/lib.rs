//! Passpool: hands out digital passports from a pool, each exactly once.

mod app;
mod callers;
pub mod clock;
pub mod http;
pub mod serve;
mod worker;
