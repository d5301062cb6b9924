-- What operators need to know of a reservation: what was asked for, until when, and what was written to it. Null in those
-- that were made before. Times are microseconds since 1970.
ALTER TABLE reservation ADD COLUMN rule TEXT;
-- Tags between commas.
ALTER TABLE reservation ADD COLUMN tags TEXT;
ALTER TABLE reservation ADD COLUMN until INTEGER;
ALTER TABLE reservation ADD COLUMN note TEXT;
ALTER TABLE reservation ADD COLUMN count INTEGER;
-- For how many recipients it was made.
ALTER TABLE reservation ADD COLUMN recipients INTEGER NOT NULL DEFAULT 0;

-- Somebody for whom a passport was reserved. The row can be deleted at any time: nothing depends on it.
CREATE TABLE recipient (
    -- In the order of their making; those of one reservation in the order of its passports.
    id          BLOB NOT NULL PRIMARY KEY,
    reservation BLOB NOT NULL,
    -- The passport's seq.
    passport    INTEGER NOT NULL,
    name        TEXT,
    email       TEXT,
    reference   TEXT,
    -- When the passport left the shop: it was claimed, or is no longer the reservation's.
    left_at     INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX recipient_passport ON recipient (passport, reservation);
CREATE INDEX recipient_reference ON recipient (reference, passport) WHERE reference IS NOT NULL;
-- Who may be forgotten next.
CREATE INDEX recipient_left ON recipient (left_at) WHERE left_at IS NOT NULL;

-- What a reset would do, for 15 minutes.
CREATE TABLE preview (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Its passports, by chunks of 4,096: their seqs, and for each the journal's row about its last change that was seen.
CREATE TABLE preview_chunk (
    preview   BLOB NOT NULL REFERENCES preview (id),
    chunk     INTEGER NOT NULL,
    passports BLOB NOT NULL,
    versions  BLOB NOT NULL,
    PRIMARY KEY (preview, chunk)
) STRICT, WITHOUT ROWID;

-- A reset that can be undone, for 24 hours.
CREATE TABLE reset (
    id     BLOB NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL,
    actor  TEXT NOT NULL,
    -- When it was undone.
    undone INTEGER
) STRICT, WITHOUT ROWID;

-- What it took from each passport: the columns of `passport` and `visit` as they were. This is the one place where the
-- number of a dead link is kept.
CREATE TABLE reset_passport (
    reset       BLOB NOT NULL REFERENCES reset (id),
    -- The passport's seq.
    passport    INTEGER NOT NULL,
    -- The journal's row about the reset: nothing has happened since if it is the last one.
    changed     INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    secret      INTEGER,
    number      INTEGER,
    sealed      BLOB,
    handed_at   INTEGER,
    until       INTEGER,
    reservation BLOB,
    kiosk       INTEGER,
    visitor     BLOB,
    address     BLOB,
    PRIMARY KEY (reset, passport)
) STRICT, WITHOUT ROWID;

-- A key that was renewed dies at this moment.
ALTER TABLE api_key ADD COLUMN until INTEGER;
-- When it was used last, to the minute.
ALTER TABLE api_key ADD COLUMN used_at INTEGER;

-- 1 if the profile was made for one user, and goes when nobody has it. Until now all were.
ALTER TABLE profile ADD COLUMN is_own INTEGER NOT NULL DEFAULT 1;
