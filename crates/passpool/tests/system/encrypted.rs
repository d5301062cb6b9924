//! TLS to PostgreSQL, as the URL's `sslmode` says.

use std::{path::Path, process::Command};

use crate::{
    cluster::{Cluster, done},
    process::Ended,
    shop::Shop,
};

/// Makes an authority, and a certificate of its for these names.
fn certify(folder: &Path, names: &str) {
    let openssl = |line: &str| done(Command::new("openssl").args(line.split(' ')).current_dir(folder));
    std::fs::write(folder.join("names"), format!("subjectAltName={names}")).unwrap();
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
    );
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=postgres -keyout server.key -out server.csr",
    );
    openssl("x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -out server.pem");
}

/// A cluster that speaks TLS with a certificate for these names, and logs how it is spoken to.
fn encrypted(names: &str) -> Cluster {
    let settings = ["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key", "log_connections=on"];
    Cluster::start_after(&settings, |folder| certify(folder, names))
}

/// Looks at the pool by way of this query of the URL's.
fn look(cluster: &Cluster, query: &str) -> Ended {
    Shop::at(format!("{}{query}", cluster.url("shop"))).run(&["pool"])
}

fn connects(cluster: &Cluster, query: &str, is_encrypted: bool) {
    let before = cluster.log().len();
    let ended = look(cluster, query);
    assert_eq!(ended.code, Some(0), "{query}: {}", ended.stderr);
    let log = cluster.log().split_off(before);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("connection authorized")).collect();
    assert!(!lines.is_empty(), "{query}: {log}");
    assert!(lines.iter().all(|line| line.contains("SSL enabled") == is_encrypted), "{query}: {lines:?}");
}

fn refused(cluster: &Cluster, query: &str, named: &str) {
    let ended = look(cluster, query);
    assert_eq!(ended.code, Some(1), "{query}: {ended:?}");
    assert!(ended.stderr.contains(named), "{query} names no {named}: {}", ended.stderr);
}

#[test]
fn the_wire_is_encrypted_and_the_certificate_looked_at_as_the_url_says() {
    let right = encrypted("IP:127.0.0.1,DNS:localhost");
    let elsewhere = encrypted("DNS:elsewhere.example");
    let plain = Cluster::start_with(&["log_connections=on"]);
    for cluster in [&right, &elsewhere, &plain] {
        cluster.shop("shop").create(1, "vip");
    }
    let root = |cluster: &Cluster| format!("&sslrootcert={}", cluster.folder().join("ca.pem").display());

    connects(&right, "", true);
    connects(&right, "?sslmode=disable", false);
    connects(&right, "?sslmode=prefer", true);
    connects(&right, "?sslmode=require", true);
    connects(&right, &format!("?sslmode=verify-ca{}", root(&right)), true);
    connects(&right, &format!("?sslmode=verify-full{}", root(&right)), true);
    // Another's authority, the operating system's, and a file that is none.
    for mode in ["verify-ca", "verify-full"] {
        refused(&right, &format!("?sslmode={mode}{}", root(&elsewhere)), "certificate");
        refused(&right, &format!("?sslmode={mode}"), "certificate");
        refused(&right, &format!("?sslmode={mode}&sslrootcert=/nowhere.pem"), "/nowhere.pem");
    }
    // The right authority, and another host's certificate.
    connects(&elsewhere, "?sslmode=require", true);
    connects(&elsewhere, &format!("?sslmode=verify-ca{}", root(&elsewhere)), true);
    refused(&elsewhere, &format!("?sslmode=verify-full{}", root(&elsewhere)), "certificate");
    // Who has no TLS.
    connects(&plain, "", false);
    connects(&plain, "?sslmode=prefer", false);
    for mode in ["require", "verify-ca", "verify-full"] {
        refused(&plain, &format!("?sslmode={mode}{}", root(&right)), "TLS");
    }
}
