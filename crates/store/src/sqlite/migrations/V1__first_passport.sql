-- Which secrets this database belongs to. The first row makes a file a database; the secrets themselves are in files.
CREATE TABLE secret (
    id          INTEGER PRIMARY KEY,
    fingerprint BLOB NOT NULL
) STRICT;

-- Where links lead, as the last `serve` said, and whatever else is one value.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE profile (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    -- Names between commas.
    rights TEXT NOT NULL
) STRICT;

CREATE TABLE user (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    profile INTEGER NOT NULL REFERENCES profile (id)
) STRICT;

CREATE TABLE api_key (
    -- SHA-256 of the key.
    digest  BLOB NOT NULL PRIMARY KEY,
    -- The first characters of the key, to tell it from others.
    head    TEXT NOT NULL,
    user    INTEGER NOT NULL REFERENCES user (id),
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX api_key_user ON api_key (user);

CREATE TABLE tag (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- Equal contents are stored once. A passport without one has the content {}.
CREATE TABLE content (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    json   TEXT NOT NULL
) STRICT;

-- The truth about each passport. Times are microseconds since 1970.
CREATE TABLE passport (
    -- The order of creation. Chunk `seq >> 12`, bit `seq & 4095` in the three tables of sets below.
    seq         INTEGER PRIMARY KEY,
    id          INTEGER NOT NULL UNIQUE,
    -- 0 available, 1 reserved, 2 scanned, 3 pending, 4 claimed, 5 recovered, 6 withdrawn.
    state       INTEGER NOT NULL,
    -- The journal's row about its last change: the guard of every change, and where its history begins.
    changed     INTEGER NOT NULL,
    -- Ids of tags: sorted, each as the varint of its distance from the one before.
    tags        BLOB NOT NULL,
    content     INTEGER REFERENCES content (id),
    -- What its link is made of: the secret, and a number or an imported passphrase sealed under that secret.
    secret      INTEGER REFERENCES secret (id),
    number      INTEGER,
    sealed      BLOB,
    -- 1 if the sealed passphrase is printed on something already, and the passport still available.
    printed     INTEGER,
    handed_at   INTEGER,
    until       INTEGER,
    reservation BLOB,
    owner       BLOB,
    settle_by   INTEGER
) STRICT;

-- Which holds end next.
CREATE INDEX passport_hold ON passport (until) WHERE until IS NOT NULL AND state IN (1, 2);

-- For each tag the passports that can be reserved by it: an index of `passport`, which is the truth. `bits` holds 4,096
-- consecutive seqs: fewer than 256 of them as sorted 16-bit numbers, more as 512 bytes, both little-endian.
CREATE TABLE pool (
    tag   INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    bits  BLOB NOT NULL,
    PRIMARY KEY (tag, chunk)
) STRICT, WITHOUT ROWID;

-- For each tag all passports that have it, whatever their state; tag 0 is every passport there is.
CREATE TABLE tagged (
    tag   INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    bits  BLOB NOT NULL,
    PRIMARY KEY (tag, chunk)
) STRICT, WITHOUT ROWID;

-- For each state but `available` the passports that are in it.
CREATE TABLE standing (
    state INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    bits  BLOB NOT NULL,
    PRIMARY KEY (state, chunk)
) STRICT, WITHOUT ROWID;

-- One row for each change of a passport, never changed. `detail` is a JSON object; its `after` is the row about the
-- passport's change before this one, so that each passport's history is a chain and a missing row is seen.
CREATE TABLE journal (
    seq      INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    passport INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    detail   TEXT
) STRICT;

-- Reservations that have a name.
CREATE TABLE reservation (
    id        BLOB NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    actor     TEXT NOT NULL,
    -- The seqs of its passports in the order in which they were handed out: zigzag varints of the distances.
    passports BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- What makes a call repeatable: digests of its key and its parameters, and the reservation it made. Never an answer.
CREATE TABLE repeat (
    seq         INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    record      BLOB NOT NULL UNIQUE,
    parameters  BLOB NOT NULL,
    reservation BLOB NOT NULL REFERENCES reservation (id)
) STRICT;

-- A running import, and the chunks that it fills. Nobody sees those before its publication takes the rows away.
CREATE TABLE import (
    id       INTEGER PRIMARY KEY,
    begun_at INTEGER NOT NULL
) STRICT;

CREATE TABLE hidden (
    chunk  INTEGER PRIMARY KEY,
    import INTEGER NOT NULL REFERENCES import (id)
) STRICT;
