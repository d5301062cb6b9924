//! A schema of a PostgreSQL, for shops whose database is not a file.

use std::process::Command;

use crate::process::Process;

/// The URL of the PostgreSQL that stories are told on.
pub(crate) fn postgres() -> String {
    let postgres = std::env::var("PASSPOOL_TEST_POSTGRES");
    postgres.expect("PASSPOOL_TEST_POSTGRES names a PostgreSQL; scripts/test.sh starts one")
}

/// Is dropped with all that it holds when it is dropped.
pub(crate) struct Schema {
    /// The URL of the whole.
    postgres: String,
    name: String,
}

impl Schema {
    /// One of its own if the stories are told on PostgreSQL.
    pub(crate) fn if_asked_for() -> Option<Self> {
        match std::env::var("PASSPOOL_TEST_STORE").as_deref() {
            Ok("postgres") => Some(Self::new()),
            Ok(other) => panic!("PASSPOOL_TEST_STORE names no store: {other}"),
            Err(_) => None,
        }
    }

    pub(crate) fn new() -> Self {
        let schema = Self::named();
        schema.sql(&format!("CREATE SCHEMA {}", schema.name));
        schema
    }

    /// A name that no other story has, nor any of another run.
    fn named() -> Self {
        let aside = tempfile::Builder::new().prefix("shop_").rand_bytes(12).tempdir().unwrap();
        let name = aside.path().file_name().unwrap().to_str().unwrap().to_lowercase();
        Self { postgres: postgres(), name }
    }

    /// The same again under another name.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::named();
        let mut dump = Command::new("pg_dump");
        let ended = Process::spawn(dump.args(["--schema", &self.name, "--dbname", &self.url()])).end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let mut psql = psql();
        let mut psql = Process::spawn(psql.args(["--single-transaction", "--file", "-"]).arg(copy.url()));
        psql.write(&ended.stdout.replace(&self.name, &copy.name));
        let ended = psql.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        copy
    }

    pub(crate) fn url(&self) -> String {
        let joint = if self.postgres.contains('?') { '&' } else { '?' };
        format!("{}{joint}options=-c%20search_path%3D{}", self.postgres, self.name)
    }

    pub(crate) fn sql(&self, statements: &str) -> String {
        let ended = Process::spawn(psql().args(["--quiet", "--command", statements]).arg(self.url())).end();
        assert_eq!(ended.code, Some(0), "{statements}: {}", ended.stderr);
        ended.stdout.trim_end().to_owned()
    }

    /// Damages what it holds, which no foreign key keeps from that. SQLite's word for so many zeros is known.
    pub(crate) fn damage(&self, statement: &str) {
        self.sql(
            "CREATE FUNCTION zeroblob(length integer) RETURNS bytea LANGUAGE sql
                RETURN decode(repeat('00', length), 'hex');
            DO $$ DECLARE key record; BEGIN
                FOR key IN SELECT conrelid::regclass AS place, conname FROM pg_constraint
                    WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
                LOOP
                    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.place, key.conname);
                END LOOP;
            END $$",
        );
        let ended = Process::spawn(psql().args(["--command", statement]).arg(self.url())).end();
        assert_eq!(ended.code, Some(0), "{statement}: {}", ended.stderr);
        let told = ended.stdout.trim_end();
        assert!(!told.ends_with(" 0"), "{statement} changed nothing: {told}");
    }

    /// All that the schema holds.
    pub(crate) fn dump(&self) -> String {
        let mut dump = Command::new("pg_dump");
        // The tally is folded now and then, whoever does what; what it adds up to is for `check`.
        let tally = format!("{}.tally*", self.name);
        let arguments = ["--schema", &self.name, "--exclude-table-data", &tally, "--dbname", &self.url()];
        let ended = Process::spawn(dump.args(arguments)).end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        // Each dump is locked by a word of its own, and numbers that were drawn in vain are gone for good.
        let is_said = |line: &&str| !line.contains("restrict ") && !line.contains("pg_catalog.setval");
        let lines = ended.stdout.lines().filter(is_said);
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        // A story that failed is told; what it left behind is not, and goes with the cluster.
        if !std::thread::panicking() {
            self.sql(&format!("SET client_min_messages = warning; DROP SCHEMA {} CASCADE", self.name));
        }
    }
}

/// psql that answers a row a line, and ends with the first error.
fn psql() -> Command {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]);
    psql
}
