-- Records of repeatable calls stand in the order of their making, for to append a row costs little. In an index by digest
-- every record has a page of its own to go to, so the index follows thousands of records later, in its own order.
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
    last  INTEGER NOT NULL
) STRICT;

-- The index of an era: the first eight bytes of a digest, and the record's seq.
CREATE TABLE repeat_place (
    era  INTEGER NOT NULL,
    head BLOB NOT NULL,
    seq  INTEGER NOT NULL,
    PRIMARY KEY (era, head, seq)
) STRICT, WITHOUT ROWID;

INSERT INTO repeat_era SELECT 1, ifnull(min(seq), 1), ifnull(max(seq), 0) FROM repeat;
INSERT INTO repeat_place SELECT 1, substr(record, 1, 8) AS head, seq FROM repeat ORDER BY head, seq;
