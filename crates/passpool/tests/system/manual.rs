//! A section of the operator's manual, and machines on which its commands are run as they stand there.

use std::{collections::VecDeque, path::Path, process::Command};

use crate::{
    cluster::bin,
    process::{Ended, Process},
};

const OPERATING: &str = include_str!("../../../../docs/operating.md");

/// What is fenced in a section, from its beginning to its end.
pub(crate) struct Manual(VecDeque<Block>);

struct Block {
    /// The last heading before it.
    heading: String,
    /// What stands behind the fence: a language, a machine, and `runs` if it does not end by itself.
    kind: String,
    text: String,
}

impl Manual {
    pub(crate) fn section(title: &str) -> Self {
        let mut blocks = VecDeque::new();
        let mut heading = title;
        let mut lines = OPERATING.lines().skip_while(|line| line.strip_prefix("## ") != Some(title)).skip(1);
        while let Some(line) = lines.next() {
            if line.starts_with("## ") {
                break;
            }
            if let Some(below) = line.strip_prefix("### ") {
                heading = below;
            }
            let Some(kind) = line.strip_prefix("```") else { continue };
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push_back(Block { heading: heading.to_owned(), kind: kind.to_owned(), text: text.join("\n") });
        }
        assert!(!blocks.is_empty(), "there is nothing to run in a section {title}");
        Self(blocks)
    }

    /// The next block, which has to be of this kind and below this heading, and to say on which machine it is typed.
    pub(crate) fn next(&mut self, heading: &str, kind: &str) -> String {
        let block = self.0.pop_front().unwrap_or_else(|| panic!("there is no block {kind} below {heading}"));
        assert_eq!((&*block.heading, &*block.kind), (heading, kind), "{}", block.text);
        if let Some(machine) = kind.split(' ').nth(1).filter(|machine| *machine != "variables") {
            let place = block.text.lines().next().and_then(|first| first.strip_prefix("# on "));
            assert!(place.is_some_and(|place| place.contains(machine)), "where is this typed? {}", block.text);
        }
        block.text
    }

    /// Fails if something was left out.
    pub(crate) fn end(self) {
        let left = self.0.front().map(|block| (&block.heading, &block.text));
        assert_eq!(left, None, "nobody has run this");
    }
}

/// The variables that a block sets.
pub(crate) fn exported(block: &str) -> Vec<&str> {
    let exports = block.lines().filter_map(|line| line.strip_prefix("export "));
    let words = exports.flat_map(|line| line.split_once(" #").map_or(line, |(before, _)| before).split_whitespace());
    words.filter_map(|word| word.split_once('=')).map(|(name, _)| name).collect()
}

pub(crate) fn shell() -> Command {
    Command::new("sh")
}

/// The directories of the programs, and before them this one.
pub(crate) fn path(first: Option<&Path>) -> String {
    let first = first.map_or(String::new(), |first| format!("{}:", first.display()));
    format!("{first}{}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", bin().display())
}

/// Somewhere to run commands, with nothing of the tester's environment.
pub(crate) struct Machine {
    /// Makes what runs the shell.
    shell: fn() -> Command,
    folder: String,
    variables: Vec<(&'static str, String)>,
}

impl Machine {
    pub(crate) fn new(shell: fn() -> Command, folder: &Path, variables: &[(&'static str, String)]) -> Self {
        Self { shell, folder: folder.display().to_string(), variables: variables.to_vec() }
    }

    /// The same machine with one more variable, or another value of one.
    pub(crate) fn with(&self, name: &'static str, value: impl Into<String>) -> Self {
        let mut variables = self.variables.clone();
        variables.retain(|(known, _)| *known != name);
        variables.push((name, value.into()));
        Self { shell: self.shell, folder: self.folder.clone(), variables }
    }

    pub(crate) fn variable(&self, name: &str) -> &str {
        let known = self.variables.iter().find(|(known, _)| *known == name);
        &known.unwrap_or_else(|| panic!("{name} is not set")).1
    }

    /// Runs commands that have to succeed, and gives what they printed.
    pub(crate) fn run(&self, text: &str) -> String {
        let ended = self.try_run(text);
        assert_eq!(ended.code, Some(0), "{text}\n{}{}", ended.stdout, ended.stderr);
        ended.stdout
    }

    pub(crate) fn try_run(&self, text: &str) -> Ended {
        self.start(text).end()
    }

    /// Begins commands that stay.
    pub(crate) fn start(&self, text: &str) -> Process {
        Process::spawn(&mut self.command(text))
    }

    /// What would run them.
    pub(crate) fn command(&self, text: &str) -> Command {
        let mut command = (self.shell)();
        command.args(["-euc", text]).env_clear().envs(self.variables.iter().cloned()).current_dir(&self.folder);
        command
    }
}
