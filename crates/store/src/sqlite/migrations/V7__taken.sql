-- What commits of many tags have taken out of the pool: the pool is the table of that name without these. Each commit adds one
-- row here in place of changing a row of the pool for nearly each of its passports; those follow, some at each commit, and
-- then the rows go that they have caught up with.
CREATE TABLE taken (
    seq       INTEGER PRIMARY KEY,
    -- The tag, and the passport's seq, of each that was taken out: zigzag varints of the distances.
    tags      BLOB NOT NULL,
    passports BLOB NOT NULL
) STRICT;
