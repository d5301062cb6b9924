-- Kiosks: what the brand has opened to everybody, and for how long. Times are microseconds since 1970.
CREATE TABLE kiosk (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    rule        TEXT NOT NULL,
    -- Tags between commas.
    tags        TEXT NOT NULL,
    -- Seconds that a visitor may take to claim.
    hold        INTEGER NOT NULL,
    -- How many passports one visitor may claim, and one wallet.
    per_visitor INTEGER NOT NULL,
    opens       INTEGER,
    closes      INTEGER,
    made_at     INTEGER NOT NULL
) STRICT;

-- The kiosk that handed the passport out, as long as somebody has it.
ALTER TABLE passport ADD COLUMN kiosk INTEGER REFERENCES kiosk (id);

-- How many of a kiosk's passports a wallet has.
CREATE INDEX passport_kiosk ON passport (kiosk, owner) WHERE kiosk IS NOT NULL AND owner IS NOT NULL;

-- Which transfers are on their way, in the order in which they were begun.
CREATE INDEX passport_settle ON passport (settle_by) WHERE settle_by IS NOT NULL;

-- Which visitor of a kiosk has a passport. The row goes when the passport is somebody else's to have.
CREATE TABLE visit (
    -- The passport's seq.
    passport INTEGER PRIMARY KEY REFERENCES passport (seq),
    kiosk    INTEGER NOT NULL REFERENCES kiosk (id),
    -- A browser's number or a wallet's address.
    visitor  BLOB NOT NULL,
    -- A keyed hash of the network address from which it was taken, until somebody claims it.
    address  BLOB
) STRICT;

CREATE INDEX visit_visitor ON visit (kiosk, visitor);
CREATE INDEX visit_address ON visit (address) WHERE address IS NOT NULL;
