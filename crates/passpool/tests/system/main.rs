//! The program as its users meet it: real processes, real HTTP, real files.
//!
//! Each module but the first nine is a chapter of stories. They run the program that Cargo built beside them and know
//! nothing of its inside, but for the few that damage the database by hand.

mod browser;
mod client;
mod cluster;
mod cutter;
mod load;
mod process;
mod schema;
mod shop;
mod watch;

mod accounts;
mod airdrop;
mod bad_input;
mod bench;
mod certificate;
mod claims;
mod commands;
mod copying;
mod copying_cut;
mod crash;
mod cut;
mod damage;
mod deferred;
mod demo;
mod encrypted;
mod frozen;
mod full_disk;
mod gateway;
mod holds;
mod idempotency;
mod import;
mod killed;
mod kiosks;
mod limits;
mod links;
mod live;
mod locked;
mod opening;
mod operating;
mod operators;
mod operators_accounts;
mod operators_bodies;
mod operators_imports;
mod operators_passports;
mod operators_repeats;
mod operators_resets;
mod parameters;
mod peers;
mod phone;
mod pooler;
mod racing;
mod reset;
mod restarted;
mod secrets;
mod serving;
mod silent;
mod speed;
mod together;
mod wire;
mod wire_cut;
