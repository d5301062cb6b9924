-- Where the shop is, if it was copied: a row in both databases of a copy. Without a row the shop is here.
CREATE TABLE whereabouts (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    -- 'arriving': everything was copied to here, and the other database is not closed yet. 'arrived': the shop is here.
    -- 'moved': the shop is in the other database.
    kind  TEXT NOT NULL,
    -- Names the copy, in both databases.
    copy  BLOB NOT NULL,
    -- The other database, without a password.
    place TEXT NOT NULL,
    at    INTEGER NOT NULL
) STRICT;
