-- Records of repeatable calls stand in the order of their making. A row of the journal's kind costs little to append; the
-- index by digest is where every record goes to a page of its own, so it follows thousands of records later, in its order.
CREATE TABLE repeat_in_order (
    seq         INTEGER PRIMARY KEY,
    at          INTEGER NOT NULL,
    record      BLOB NOT NULL,
    parameters  BLOB NOT NULL,
    reservation BLOB NOT NULL
) STRICT;

INSERT INTO repeat_in_order SELECT seq, at, record, parameters, reservation FROM repeat ORDER BY seq;
DROP TABLE repeat;
ALTER TABLE repeat_in_order RENAME TO repeat;

-- Which records share an index: those from `first` to `last`, for as long as any of them is remembered. What is behind the
-- newest era's `last` is not indexed yet.
CREATE TABLE repeat_era (
    id    INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    -- While more go into the newest era's index: up to which record they do, and a digest's first eight bytes; those of
    -- them whose digest begins with less are there already.
    goal    INTEGER,
    reached BLOB
) STRICT;

-- The index of an era: the first eight bytes of a digest, and the record's seq.
CREATE TABLE repeat_place (
    era  INTEGER NOT NULL,
    head BLOB NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (era, head, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO repeat_era (id, first, last) SELECT 1, ifnull(min(seq), 1), ifnull(max(seq), 0) FROM repeat;
INSERT INTO repeat_place SELECT 1, substr(record, 1, 8) AS head, seq FROM repeat ORDER BY head, seq;
