//! What wins over what.

use std::io::Write;

use clap::{CommandFactory, FromArgMatches, Parser};

use super::*;

#[derive(Debug, PartialEq, Eq, Parser)]
struct Arguments {
    #[arg(long, global = true, default_value = "sqlite:passpool.db")]
    database: String,
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, PartialEq, Eq, clap::Subcommand)]
enum Verb {
    Create {
        #[arg(long)]
        count: u32,
        #[arg(long)]
        tag: Vec<String>,
        #[arg(long, default_value = "")]
        rights: String,
        #[arg(long)]
        dry_run: bool,
    },
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Reads a command line; `FILE` in it stands for the file with this text.
fn read(line: &str, environment: &[(&str, &str)], toml: &str) -> Result<Arguments, String> {
    let file = file(toml);
    let path = file.path().to_str().unwrap();
    let arguments: Vec<OsString> = line.split(' ').map(|word| word.replace("FILE", path).into()).collect();
    let variable = |name: &str| {
        let known = environment.iter().find(|(known, _)| *known == name);
        known.map(|(_, value)| value.replace("FILE", path))
    };
    let shown = |error: clap::Error| error.to_string().replace(path, "FILE");
    let settings = Settings::read(&Arguments::command(), &arguments, variable).map_err(|error| shown(error.into()))?;
    let matches = settings.apply(Arguments::command()).try_get_matches_from(&arguments);
    let matches = matches.map_err(|error| shown(settings.explain(error, &arguments)))?;
    Ok(Arguments::from_arg_matches(&matches).unwrap())
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let check = |line: &str, environment: &[(&str, &str)], toml: &str, expected: &str| {
        assert_eq!(read(line, environment, toml).unwrap().database, expected, "{line} {environment:?} {toml}");
    };
    let (environment, toml) = ([("PASSPOOL_DATABASE", "sqlite:e.db")], "database = 'sqlite:f.db'");
    let line = "passpool create --count 1";
    check(line, &[], "", "sqlite:passpool.db");
    check("passpool create --config FILE --count 1", &[], toml, "sqlite:f.db");
    check("passpool --config=FILE create --count 1", &[], toml, "sqlite:f.db");
    check(line, &[("PASSPOOL_CONFIG", "FILE")], toml, "sqlite:f.db");
    check("passpool create --config FILE --count 1", &environment, toml, "sqlite:e.db");
    check("passpool create --config FILE --count 1 --database sqlite:x.db", &environment, toml, "sqlite:x.db");
    check("passpool --database sqlite:x.db create --count 1", &environment, "", "sqlite:x.db");
    check(line, &[("PASSPOOL_DATABASE", "")], "", "sqlite:passpool.db");
}

#[test]
fn every_kind_of_flag_may_be_given_elsewhere() {
    let created = |count: u32, tag: &[&str], dry_run: bool| Verb::Create {
        count,
        rights: if tag.contains(&"b") { "x,y".into() } else { String::new() },
        tag: tag.iter().map(|tag| (*tag).to_owned()).collect(),
        dry_run,
    };
    let check = |line: &str, environment: &[(&str, &str)], toml: &str, expected: Verb| {
        assert_eq!(read(line, environment, toml).unwrap().command, expected, "{line} {environment:?} {toml}");
    };
    let config = "passpool create --config FILE";
    check(
        config,
        &[],
        "count = 5\ntag = ['a', 'b']\ndry-run = true\nrights = ['x', 'y']",
        created(5, &["a", "b"], true),
    );
    check(config, &[], "count = 5\ntag = 'a,c'\ndry_run = false", created(5, &["a,c"], false));
    check(config, &[("PASSPOOL_TAG", "007")], "count = 5\ntag = 'a'", created(5, &["007"], false));
    check(
        "passpool create --count 7 --tag x",
        &[("PASSPOOL_TAG", "y"), ("PASSPOOL_DRY_RUN", "1")],
        "",
        created(7, &["x"], true),
    );
}

#[test]
fn what_is_wrong_is_named() {
    let check = |line: &str, environment: &[(&str, &str)], toml: &str, expected: &str| {
        assert_eq!(read(line, environment, toml).unwrap_err().trim_end(), expected);
    };
    let config = "passpool create --config FILE";
    check(config, &[], "databse = 'x'", "error: FILE: there is no setting \"databse\"");
    check(config, &[], "config = 'x'", "error: FILE: there is no setting \"config\"");
    check(config, &[], "[create]\ncount = 1", "error: FILE: there is no setting \"create\"");
    check(
        config,
        &[],
        "dry-run = true\ndry_run = true",
        "error: FILE: the setting \"dry_run\" stands twice, with - and with _",
    );
    check(
        config,
        &[],
        "count = { n = 1 }",
        "error: FILE: \"count\" has to be a text, a whole number, true or false, or a list",
    );
    check(
        config,
        &[],
        "count = 'x'",
        "error: invalid value 'x' for '--count <COUNT>': invalid digit found in string\n\n\
         For more information, try '--help'.\n\nThe value comes from \"count\" in FILE.",
    );
    check(
        "passpool create",
        &[("PASSPOOL_COUNT", "x")],
        "",
        "error: invalid value 'x' for '--count <COUNT>': invalid digit found in string\n\n\
         For more information, try '--help'.\n\nThe value comes from PASSPOOL_COUNT.",
    );
}

#[test]
fn a_line_that_is_not_toml_is_not_shown() {
    let error = read("passpool create --config FILE", &[], "database = postgres://me:sesame@host/db").unwrap_err();
    assert!(error.contains("FILE: ") && error.contains("line 1"), "{error}");
    assert!(!error.contains("sesame"), "{error}");
}
