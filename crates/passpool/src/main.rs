//! The one binary: reads the arguments, runs the command, says how it went.

use std::process::ExitCode;

use passpool::{cli::Arguments, output::Output};

/// Requests are allocated by one thread and freed by another, at which the C library's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut output = Output::standard();
    let outcome = Arguments::read().and_then(|arguments| arguments.run(&mut output));
    output.finish(outcome)
}
