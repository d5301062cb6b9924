-- How many passports are in which state, of tags so large that counting takes a while: kept from the first time that
-- somebody asks until many passports come at once. Tag 0 is every passport.
CREATE TABLE tally (
    tag       INTEGER PRIMARY KEY,
    available INTEGER NOT NULL,
    reserved  INTEGER NOT NULL,
    scanned   INTEGER NOT NULL,
    pending   INTEGER NOT NULL,
    claimed   INTEGER NOT NULL,
    recovered INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL
) STRICT;
