//! The next version of the program: the same sources with one more migration, built beside this one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{cluster::done, process::Process};

/// No story waits longer for the build.
const PATIENCE: Duration = Duration::from_secs(1_200);

const MIGRATIONS: &str = "crates/store/src/postgres/migrations";

/// What a later version may add while older servers run.
const MIGRATION: &str = "SET LOCAL lock_timeout = '3s';
ALTER TABLE passport ADD COLUMN novelty text NOT NULL DEFAULT 'none';
ALTER TABLE journal ADD COLUMN novelty text;
CREATE TABLE novelty (id bigint PRIMARY KEY);
CREATE INDEX passport_novelty ON passport (novelty) WHERE novelty <> 'none';
";

/// Its program must not take the place of the one that the stories run.
const NAME: &str = "passpool-next";

/// Builds it and gives the path of its program. What both versions depend on was built for this one already.
pub(crate) fn build() -> PathBuf {
    let this = Path::new(env!("CARGO_BIN_EXE_passpool"));
    let (profile, target) = (this.parent().unwrap(), this.parent().unwrap().parent().unwrap());
    let sources = target.join("next-version");
    copy_sources(&sources);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--offline", "--locked", "--package", "passpool", "--bin", NAME, "--test", "none"]);
    // Cargo calls the folder of the profile `dev` otherwise.
    if !profile.ends_with("debug") {
        cargo.arg("--profile").arg(profile.file_name().unwrap());
    }
    // Cargo tells the stories of their own package. A build script that asks for such words would be run once more.
    for (name, _) in std::env::vars_os() {
        if ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|of_package| name.to_string_lossy().starts_with(of_package)) {
            cargo.env_remove(name);
        }
    }
    let built = Process::spawn(cargo.arg("--target-dir").arg(target).current_dir(&sources)).end_within(PATIENCE);
    assert_eq!(built.code, Some(0), "{}", built.stderr);
    profile.join(NAME)
}

/// Everything keeps the time at which it was changed, so that nothing is built twice.
fn copy_sources(folder: &Path) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    fs::create_dir(folder).unwrap();
    let mut copy = Command::new("cp");
    copy.args(["--archive", "Cargo.toml", "Cargo.lock", "crates"]).arg(folder).current_dir(&workspace);
    done(&mut copy);
    // A test that is none has the libraries built as they were for the stories.
    let tests = folder.join("crates/passpool/tests");
    fs::remove_dir_all(&tests).unwrap();
    fs::create_dir(&tests).unwrap();
    // Cargo tells what it has built apart by name and version, and not by the folder.
    let (this, next) = (format!("version = \"{}\"", env!("CARGO_PKG_VERSION")), "version = \"9999.0.0\"");
    for (file, before) in [
        ("Cargo.toml", "[workspace.package]\n"),
        ("Cargo.lock", "name = \"passpool\"\n"),
        ("Cargo.lock", "name = \"passpool-core\"\n"),
        ("Cargo.lock", "name = \"passpool-store\"\n"),
    ] {
        let known = fs::read_to_string(folder.join(file)).unwrap();
        let (this, next) = (format!("{before}{this}"), format!("{before}{next}"));
        assert!(known.contains(&this), "{file} has no {this}");
        write_as_old_as(&workspace.join(file), &folder.join(file), &known.replacen(&this, &next, 1));
    }
    let (manifest, first) = ("crates/passpool/Cargo.toml", format!("{MIGRATIONS}/V1__first_passport.sql"));
    let known = fs::read_to_string(folder.join(manifest)).unwrap();
    let named = format!("{known}\n[[bin]]\nname = \"{NAME}\"\npath = \"src/main.rs\"\n");
    let named = named.replacen("[package]", "[package]\nautobins = false", 1);
    write_as_old_as(&workspace.join(manifest), &folder.join(manifest), &named);
    write_as_old_as(&workspace.join(&first), &tests.join("none.rs"), "//! Nothing.\n");
    let migration = folder.join(MIGRATIONS).join("V9999__of_the_next_version.sql");
    write_as_old_as(&workspace.join(&first), &migration, MIGRATION);
}

fn write_as_old_as(example: &Path, path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    let changed = fs::metadata(example).unwrap().modified().unwrap();
    fs::File::options().append(true).open(path).unwrap().set_modified(changed).unwrap();
}
