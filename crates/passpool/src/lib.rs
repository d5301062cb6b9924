//! Passpool: hands out digital passports from a pool, each exactly once.

pub mod clock;
