//! The one binary: reads the arguments, runs the command, says how it went.

use std::process::ExitCode;

use passpool::{cli::Arguments, output::Output};

fn main() -> ExitCode {
    let mut output = Output::standard();
    let outcome = Arguments::read().and_then(|arguments| arguments.run(&mut output));
    output.finish(outcome)
}
