//! Settings: what is one value.

use passpool_core::{LinkBase, Network};

use super::{connection::Session, typed::typed};
use crate::{Fault, LinkSettings};

const LINK_BASE: &str = "link-base";
const NETWORK: &str = "network";

pub(super) async fn link_settings(db: &Session) -> Result<Option<LinkSettings>, Fault> {
    // Both in one statement: they belong together.
    let sql = "SELECT base.value, network.value FROM setting AS base \
               LEFT JOIN setting AS network ON network.name = $2 WHERE base.name = $1";
    let Some(row) = db.query_opt(sql, typed![LINK_BASE, NETWORK]).await? else { return Ok(None) };
    let base = LinkBase::parse(row.try_get(0)?).map_err(|error| Fault::Damaged(format!("the link base: {error}")))?;
    let network = row.try_get::<_, Option<&str>>(1)?.map(Network::parse).transpose();
    let network = network.map_err(|error| Fault::Damaged(format!("the network: {error}")))?;
    Ok(Some(LinkSettings { base, network }))
}

pub(super) async fn keep_link_settings(db: &Session, settings: &LinkSettings) -> Result<(), Fault> {
    write(db, LINK_BASE, Some(settings.base.as_str())).await?;
    write(db, NETWORK, settings.network.as_ref().map(Network::as_str)).await
}

async fn write(db: &Session, name: &str, value: Option<&str>) -> Result<(), Fault> {
    match value {
        Some(value) => {
            let sql = "INSERT INTO setting (name, value) VALUES ($1, $2) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            db.execute(sql, typed![name, value]).await
        }
        None => db.execute("DELETE FROM setting WHERE name = $1", typed![name]).await,
    }
    .map(drop)
}
