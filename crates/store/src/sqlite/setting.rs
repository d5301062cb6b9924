//! Settings: what is one value.

use passpool_core::{LinkBase, Network};
use rusqlite::{Connection, OptionalExtension};

use crate::{Fault, LinkSettings};

const LINK_BASE: &str = "link-base";
const NETWORK: &str = "network";

pub(super) fn link_settings(db: &Connection) -> Result<Option<LinkSettings>, Fault> {
    let Some(base) = read(db, LINK_BASE)? else { return Ok(None) };
    let base = LinkBase::parse(&base).map_err(|error| Fault::Damaged(format!("the link base: {error}")))?;
    let network = read(db, NETWORK)?.map(|slug| Network::parse(&slug)).transpose();
    let network = network.map_err(|error| Fault::Damaged(format!("the network: {error}")))?;
    Ok(Some(LinkSettings { base, network }))
}

pub(super) fn keep_link_settings(db: &Connection, settings: &LinkSettings) -> Result<(), Fault> {
    write(db, LINK_BASE, Some(settings.base.as_str()))?;
    write(db, NETWORK, settings.network.as_ref().map(Network::as_str))
}

fn read(db: &Connection, name: &str) -> Result<Option<String>, Fault> {
    Ok(db.prepare_cached("SELECT value FROM setting WHERE name = ?")?.query_row([name], |row| row.get(0)).optional()?)
}

fn write(db: &Connection, name: &str, value: Option<&str>) -> Result<(), Fault> {
    match value {
        Some(value) => db.execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", [name, value])?,
        None => db.execute("DELETE FROM setting WHERE name = ?", [name])?,
    };
    Ok(())
}
