//! Which passports have a tag, whatever their state: a row of `tagged` for each 64 of them.
//!
//! The table is an index of what the passports say. Who hands out looks here where several tags have to meet, and not for
//! one tag.

/// How far the number of a passport is from the number of its block.
pub(super) const BLOCK: u32 = 6;

/// The part of a statement that makes the blocks of passports which no block knows yet: rows of `tag`, `block` and `bits`
/// in their order. What it reads has `seq` and `tags`.
pub(super) fn blocks_of(passports: &str) -> String {
    format!(
        "SELECT tag, seq >> {BLOCK} AS block, bit_or(1::bigint << (seq & 63)::integer) AS bits \
         FROM {passports} CROSS JOIN unnest(tags) AS tag GROUP BY tag, seq >> {BLOCK} ORDER BY tag, block"
    )
}

/// The part of a statement that lists the passports of blocks in their order, from a first one on. What it reads has
/// `block` and `bits`.
pub(super) fn seqs_of(blocks: &str, first: &str) -> String {
    format!(
        "SELECT (block << {BLOCK}) + bit AS seq FROM ({blocks}) AS held CROSS JOIN generate_series(0, 63) AS bit \
         WHERE bits >> bit & 1 = 1 AND (block << {BLOCK}) + bit >= {first} ORDER BY block, bit"
    )
}
