//! The operator's manual is true: the commands that move a shop to PostgreSQL and back are run as they stand there.

use std::{fs, path::Path};

use crate::{
    client::Given,
    cluster::Cluster,
    manual::{Machine, Manual, path, shell},
};

const HEADING: &str = "Moving to PostgreSQL, and back";

#[test]
fn a_shop_moves_to_postgresql_and_back_by_the_commands_of_the_manual() {
    let mut manual = Manual::section(HEADING);
    let (cluster, folder) = (Cluster::start(), tempfile::tempdir().unwrap());
    cluster.sql("postgres", "CREATE DATABASE shop");
    let program = Path::new(env!("CARGO_BIN_EXE_passpool")).parent();
    let address = ("PASSPOOL_PUBLIC_URL", "https://passports.brand.example".to_owned());
    let on_file = Machine::new(shell, folder.path(), &[("PATH", path(program)), address]);
    let on_file = on_file.with("PASSPOOL_DATABASE", "sqlite:passpool.db");
    let machine = on_file.with("PASSPOOL_DATABASE", cluster.url("shop")).with("PASSPOOL_SECRET_FILE", "the.secret");
    let back = on_file.with("PASSPOOL_DATABASE", "sqlite:back.db").with("PASSPOOL_SECRET_FILE", "the.secret");
    on_file.run("passpool create --count 100 --tag vip");
    let mut given = vec![reserved(&on_file)];

    machine.run(&manual.next(HEADING, "sh server"));
    is_closed(&on_file);
    given.push(reserved(&machine));

    machine.run(&manual.next(HEADING, "sh server"));
    manual.end();
    is_closed(&machine);
    given.push(reserved(&back));

    back.run("passpool check");
    back.run("passpool export given.csv --state reserved --with-passphrases");
    let known = fs::read_to_string(folder.path().join("given.csv")).unwrap();
    assert!(given.iter().all(|given| known.contains(&given.passphrase)), "a link was lost: {known}");
}

fn reserved(machine: &Machine) -> Given {
    Given::in_link(machine.run("passpool reserve --tags vip --count 1").trim_end())
}

fn is_closed(machine: &Machine) {
    let refused = machine.try_run("passpool reserve --tags vip --count 1");
    assert_eq!((refused.code, refused.stderr.contains("has moved to")), (Some(1), true), "{refused:?}");
}
