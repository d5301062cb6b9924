//! One story, every backend: what a store promises, told once and run on each.

mod holds;
mod imports;
mod repeats;
mod reserving;
mod resetting;
mod shop;
mod users;
