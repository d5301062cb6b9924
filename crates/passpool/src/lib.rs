//! Passpool: hands out digital passports from a pool, each exactly once.

mod address;
mod app;
mod callers;
pub mod cli;
pub mod clock;
mod config;
mod database;
mod exchange;
mod filling;
mod handout;
mod handout_table;
pub mod http;
mod imports;
mod limits;
mod listening;
mod logs;
pub mod output;
pub mod serve;
pub mod shop;
mod worker;
