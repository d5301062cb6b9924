//! Configuration: every flag may also be given as `PASSPOOL_*` in the environment, or in a TOML file.
//!
//! A flag wins over the environment, the environment over the file. Both give a flag its *default*, so one rule does
//! for all flags, and the command line needs to know nothing of them. A variable that is empty counts as not set.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use clap::{
    Arg, ArgAction, Command,
    builder::BoolishValueParser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use figment::{
    Provider,
    providers::{Format, Toml},
    value::{Dict, Value},
};

pub(crate) const PREFIX: &str = "PASSPOOL_";
const CONFIG: &str = "config";

/// The values that the environment and the file give to flags, by the flags' long names.
#[derive(Debug, Default)]
pub(crate) struct Settings(BTreeMap<String, Setting>);

#[derive(Debug)]
struct Setting {
    /// As they would be written behind the flag; more than one only for a list.
    values: Vec<String>,
    origin: String,
}

/// Why there is no configuration. Each names the file, and the key if there is one.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{file}: {error}", file = file.display())]
    Unreadable { file: PathBuf, error: std::io::Error },
    #[error("{file}: {reason}", file = file.display())]
    NotToml { file: PathBuf, reason: String },
    #[error("{file}: there is no setting \"{key}\"", file = file.display())]
    UnknownKey { file: PathBuf, key: String },
    #[error("{file}: the setting \"{key}\" stands twice, with - and with _", file = file.display())]
    DoubledKey { file: PathBuf, key: String },
    #[error("{file}: \"{key}\" has to be a text, a whole number, true or false, or a list", file = file.display())]
    WrongType { file: PathBuf, key: String },
}

impl From<ConfigError> for clap::Error {
    fn from(error: ConfigError) -> Self {
        Self::raw(ErrorKind::Io, format!("{error}\n"))
    }
}

impl Settings {
    /// Reads the settings of all flags that the command and its subcommands have.
    pub(crate) fn read(
        command: &Command,
        arguments: &[OsString],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let environment = |flag: &str| environment(&variable(flag)).filter(|value| !value.is_empty());
        let flags = flags_of(command);
        let mut settings = BTreeMap::new();
        if let Some(file) = named_file(arguments).or_else(|| environment(CONFIG).map(PathBuf::from)) {
            settings = read_file(&file, &flags)?;
        }
        for flag in flags {
            if let Some(value) = environment(&flag) {
                let origin = variable(&flag);
                settings.insert(flag, Setting { values: vec![value], origin });
            }
        }
        Ok(Self(settings))
    }

    /// Makes the settings the defaults of the flags.
    pub(crate) fn apply(&self, command: Command) -> Command {
        command.mut_args(|argument| self.apply_to(argument)).mut_subcommands(|subcommand| self.apply(subcommand))
    }

    fn apply_to(&self, argument: Arg) -> Arg {
        let is_switch = matches!(argument.get_action(), ArgAction::SetTrue);
        let argument = if is_switch { argument.value_parser(BoolishValueParser::new()) } else { argument };
        let Some(Setting { values, .. }) = argument.get_long().and_then(|flag| self.0.get(flag)) else {
            return argument;
        };
        match argument.get_action() {
            ArgAction::SetTrue => argument.default_value(values.join(",")),
            // A value may hold a password, which no help may show.
            ArgAction::Append => argument.required(false).default_values(values).hide_default_value(true),
            _ => argument.required(false).default_value(values.join(",")).hide_default_value(true),
        }
    }

    /// Says where a refused value came from, unless it stood on the command line.
    pub(crate) fn explain(&self, error: clap::Error, arguments: &[OsString]) -> clap::Error {
        let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg) else { return error };
        let flag = argument.split([' ', '=']).next().unwrap_or_default();
        let given = arguments.iter().any(|given| spells(given, flag));
        match self.0.get(flag.trim_start_matches('-')).filter(|_| !given) {
            None => error,
            Some(Setting { origin, .. }) => {
                let text = error.render().to_string();
                let text = text.trim_start_matches("error: ").trim_end();
                clap::Error::raw(error.kind(), format!("{text}\n\nThe value comes from {origin}.\n"))
            }
        }
    }
}

/// The name under which the environment gives a flag.
fn variable(flag: &str) -> String {
    format!("{PREFIX}{}", flag.replace('-', "_").to_uppercase())
}

fn flags_of(command: &Command) -> Vec<String> {
    let own = command.get_arguments().filter_map(Arg::get_long).filter(|flag| *flag != CONFIG).map(str::to_owned);
    let mut flags: Vec<String> = own.chain(command.get_subcommands().flat_map(flags_of)).collect();
    flags.sort_unstable();
    flags.dedup();
    flags
}

/// The file that the command line names. It is looked for before the rest is read, since it decides what is missing; no
/// flag takes a value that begins with a dash, so nothing else can be spelt like this.
fn named_file(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--config") => return arguments.next().map(PathBuf::from),
            Some(text) => match text.strip_prefix("--config=") {
                Some(file) => return Some(file.into()),
                None => continue,
            },
            None => continue,
        }
    }
    None
}

fn spells(argument: &OsStr, flag: &str) -> bool {
    let rest = argument.to_str().and_then(|text| text.strip_prefix(flag));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

fn read_file(file: &Path, flags: &[String]) -> Result<BTreeMap<String, Setting>, ConfigError> {
    let text = fs::read_to_string(file).map_err(|error| ConfigError::Unreadable { file: file.to_owned(), error })?;
    let profiles = Toml::string(&text)
        .data()
        .map_err(|error| ConfigError::NotToml { file: file.to_owned(), reason: without_excerpt(&error.to_string()) })?;
    let keys: Dict = profiles.into_values().next().unwrap_or_default();
    let mut settings = BTreeMap::new();
    for (key, value) in keys {
        let flag = key.replace('_', "-");
        if !flags.contains(&flag) {
            return Err(ConfigError::UnknownKey { file: file.to_owned(), key });
        }
        let Some(values) = texts_of(&value) else { return Err(ConfigError::WrongType { file: file.to_owned(), key }) };
        let origin = format!("\"{key}\" in {}", file.display());
        if settings.insert(flag, Setting { values, origin }).is_some() {
            return Err(ConfigError::DoubledKey { file: file.to_owned(), key });
        }
    }
    Ok(settings)
}

/// The parser shows the line at fault behind a bar; that line may hold the database's password.
fn without_excerpt(message: &str) -> String {
    message.lines().filter(|line| !line.contains('|')).collect::<Vec<_>>().join("; ")
}

fn texts_of(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(_, values) => values.iter().map(text_of).collect(),
        value => text_of(value).map(|text| vec![text]),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Bool(_, switch) => Some(switch.to_string()),
        Value::Num(_, number) => {
            number.to_u128().map(|n| n.to_string()).or_else(|| number.to_i128().map(|n| n.to_string()))
        }
        Value::Array(..) | Value::Char(..) | Value::Dict(..) | Value::Empty(..) => None,
    }
}

#[cfg(test)]
mod tests;
