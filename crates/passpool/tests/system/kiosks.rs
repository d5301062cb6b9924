//! Kiosks over HTTP.
