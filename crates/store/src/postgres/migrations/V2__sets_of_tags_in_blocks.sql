SET LOCAL lock_timeout = '3s';
SET LOCAL statement_timeout = 0;

-- Servers of the version before fail when they look for passports by a tag, import some or give one other tags, and change
-- nothing by that: all of them are ended first.

-- Nobody makes passports or changes their tags meanwhile.
LOCK TABLE passport IN SHARE ROW EXCLUSIVE MODE;

-- For each tag all passports that have it, whatever their state, in blocks of 64: bit `seq & 63` of the block `seq >> 6`.
-- Who hands out has nothing to do here, so that passports may share a row. A block without a bit is not there.
DROP TABLE tagged;

CREATE TABLE tagged (
    tag   integer NOT NULL,
    block bigint NOT NULL,
    bits  bigint NOT NULL,
    PRIMARY KEY (tag, block)
);

INSERT INTO tagged (tag, block, bits)
    SELECT tag, seq >> 6 AS block, bit_or(1::bigint << (seq & 63)::integer)
    FROM passport CROSS JOIN unnest(tags) AS tag GROUP BY tag, seq >> 6 ORDER BY tag, block;

-- What is made from now on leaves 44 of 100 bytes of each page empty, and no longer 50.
ALTER TABLE passport SET (fillfactor = 56);

ANALYZE tagged;
