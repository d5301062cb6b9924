//! What can be wrong in each shop, and how the place begins that `check` names. Most of it is wrong in the same way on a
//! file and on a PostgreSQL; where tables differ, each has a statement of its own.

/// One statement that damages a shop.
pub(super) struct Wrong {
    on_files: Option<&'static str>,
    on_postgres: Option<&'static str>,
    pub(super) place: &'static str,
}

impl Wrong {
    /// None if this cannot be wrong there.
    pub(super) fn statement(&self, is_on_postgres: bool) -> Option<&'static str> {
        if is_on_postgres { self.on_postgres } else { self.on_files }
    }
}

const fn both(statement: &'static str, place: &'static str) -> Wrong {
    each(statement, statement, place)
}

const fn each(on_files: &'static str, on_postgres: &'static str, place: &'static str) -> Wrong {
    Wrong { on_files: Some(on_files), on_postgres: Some(on_postgres), place }
}

const fn files(statement: &'static str, place: &'static str) -> Wrong {
    Wrong { on_files: Some(statement), on_postgres: None, place }
}

const fn postgres(statement: &'static str, place: &'static str) -> Wrong {
    Wrong { on_files: None, on_postgres: Some(statement), place }
}

pub(super) const OF_A_DAY: &[Wrong] = &[
    // A state flipped by hand, in every direction.
    both("UPDATE passport SET state = 1 WHERE seq = (SELECT min(seq) FROM passport WHERE state = 0)", "passport "),
    both("UPDATE passport SET state = 2 WHERE seq = (SELECT min(seq) FROM passport WHERE state = 1)", "passport "),
    both("UPDATE passport SET state = 0 WHERE seq = (SELECT min(seq) FROM passport WHERE state = 1)", "passport "),
    both(
        "UPDATE passport SET state = 0, secret = NULL, number = NULL, handed_at = NULL, reservation = NULL
            WHERE seq = (SELECT min(seq) FROM passport WHERE state = 1)",
        "passport ",
    ),
    both(
        "UPDATE passport SET state = 6, secret = NULL, number = NULL, handed_at = NULL, reservation = NULL
            WHERE seq = (SELECT min(seq) FROM passport WHERE state = 0)",
        "passport ",
    ),
    both("UPDATE passport SET state = 9 WHERE seq = (SELECT min(seq) FROM passport)", "passport number 0"),
    // A passport that is gone, or another one.
    both("DELETE FROM passport WHERE seq = (SELECT min(seq) FROM passport)", "journal row "),
    both("DELETE FROM passport WHERE seq = (SELECT max(seq) FROM passport)", "journal row "),
    both("UPDATE passport SET id = id + 1 WHERE seq = (SELECT min(seq) FROM passport)", "journal row "),
    both("UPDATE passport SET id = 0 WHERE seq = (SELECT min(seq) FROM passport)", "passport number 0"),
    both("UPDATE passport SET changed = changed + 1 WHERE seq = (SELECT min(seq) FROM passport)", "passport "),
    postgres("UPDATE passport SET changed_at = changed_at - 1 WHERE seq = 0", "passport "),
    both("UPDATE passport SET content = 99 WHERE seq = (SELECT min(seq) FROM passport)", "passport "),
    both("UPDATE passport SET secret = 9 WHERE seq = (SELECT min(seq) FROM passport WHERE state = 1)", "passport "),
    both("UPDATE passport SET reservation = zeroblob(16) WHERE state = 1", "passport "),
    // Counts that are kept of a tag, here of every passport.
    files("INSERT INTO tally VALUES (0, 1, 0, 0, 0, 0, 0, 0)", "tag number 0"),
    // Tags, and the sets that follow from them.
    files("UPDATE passport SET tags = x'' WHERE seq = (SELECT max(seq) FROM passport)", "tagged "),
    postgres("UPDATE passport SET tags = '{}' WHERE seq = (SELECT max(seq) FROM passport)", "passport number 4096"),
    postgres("UPDATE passport SET tags = '{1,1}' WHERE seq = 0", "passport "),
    postgres("UPDATE passport SET tags = '{2,1}' WHERE seq = 4096", "passport 77"),
    postgres("UPDATE passport SET tags = '{NULL}' WHERE seq = 0", "passport number 0"),
    postgres("UPDATE passport SET tags = '{{1}}' WHERE seq = 0", "passport number 0"),
    each(
        "DELETE FROM pool WHERE (tag, chunk) = (SELECT tag, chunk FROM pool LIMIT 1)",
        "DELETE FROM pool WHERE (tag, seq) = (SELECT tag, seq FROM pool LIMIT 1)",
        "p",
    ),
    files("UPDATE pool SET bits = x'0000'", "pool "),
    files("UPDATE pool SET bits = x'01'", "pool "),
    files("INSERT INTO taken VALUES (7, x'80', x'02')", "pool: what commit 7 has taken"),
    files("INSERT INTO taken VALUES (7, x'0200', x'02')", "pool: what commit 7 has taken"),
    // What was not taken: tag 1 of the first six.
    files("INSERT INTO taken VALUES (7, x'020000000000', x'000202020202')", "pool 1, chunk 0"),
    postgres("INSERT INTO pool SELECT tags[1], seq FROM passport WHERE state = 1 LIMIT 1", "passport number "),
    postgres("INSERT INTO pool VALUES (2, (SELECT max(seq) FROM pool))", "passport number "),
    postgres("INSERT INTO pool VALUES (1, 99)", "passport number 99"),
    files("DELETE FROM tagged WHERE (tag, chunk) = (SELECT tag, chunk FROM tagged WHERE tag > 0 LIMIT 1)", "tagged "),
    files("DELETE FROM tagged WHERE tag = 0", "tagged 0"),
    postgres("UPDATE tagged SET bits = bits & ~8::bigint WHERE (tag, block) = (1, 0)", "passport number 3"),
    postgres("DELETE FROM tagged WHERE (tag, block) = (1, 0)", "passport number 3"),
    postgres(
        "INSERT INTO tagged VALUES (2, 0, 8) ON CONFLICT (tag, block) DO UPDATE SET bits = tagged.bits | 8",
        "passport number 3",
    ),
    postgres("INSERT INTO tagged VALUES (1, 1, 1::bigint << 63)", "passport number 127"),
    postgres("INSERT INTO tagged VALUES (1, 99, 0)", "block 99 of tag number 1"),
    files("DELETE FROM standing", "standing "),
    files("INSERT INTO standing VALUES (4, 0, x'0100')", "standing 4"),
    // What is counted.
    postgres(
        "DELETE FROM tally_move; DELETE FROM tally; INSERT INTO tally VALUES (9, 0,0,0,0,0,0,0, 0)",
        "every passport",
    ),
    postgres("INSERT INTO tally VALUES (9, 1,0,0,0,0,0,0, 1)", "tag number 9"),
    postgres("INSERT INTO tally VALUES (9, 0,0,0,0,0,0,0, 1)", "tally of tag number 9"),
    postgres("INSERT INTO tally_move VALUES (99, NULL, 0, 1, '{0}', '{1}')", "every passport"),
    postgres("INSERT INTO tally_move VALUES (99, NULL, 0, 1, '{1}', '{1}')", "tag vip"),
    postgres("INSERT INTO tally_move VALUES (99, 0, -1, 0, '{2}', '{1}')", "tag watch"),
    postgres("INSERT INTO tally_move VALUES (99, NULL, 0, 7, '{0}', '{0}')", "move 99 of the tally"),
    postgres("INSERT INTO tally_move VALUES (99, NULL, 0, 1, '{0,1}', '{0}')", "move 99 of the tally"),
    postgres("INSERT INTO tally_move VALUES (99, NULL, 0, 1, '{0}', '{0,0}')", "move 99 of the tally"),
    postgres("INSERT INTO tally_move VALUES (99, NULL, 0, 1, '{NULL}', '{1}')", "move 99 of the tally"),
    // What is pointed to.
    both("DELETE FROM tag WHERE name = 'watch'", ""),
    both("UPDATE tag SET name = 'a,b' WHERE name = 'watch'", "tag number 2"),
    both("DELETE FROM content", "passport 77"),
    both("DELETE FROM reservation", "passport "),
    // Rows of the journal that tell something else.
    both("UPDATE journal SET kind = 'reset' WHERE seq = (SELECT max(seq) FROM journal)", "passport 77"),
    both("UPDATE journal SET kind = 'lost' WHERE seq = (SELECT min(seq) FROM journal)", "journal row 1"),
    both("UPDATE journal SET passport = 5 WHERE seq = (SELECT max(seq) FROM journal)", "journal row "),
    both("UPDATE journal SET actor = 'nobody' WHERE seq = (SELECT min(seq) FROM journal)", "journal row 1"),
    both("UPDATE journal SET at = at - 1000000000 WHERE seq = (SELECT max(seq) FROM journal)", "journal row "),
    both("UPDATE journal SET seq = seq + 1 WHERE seq = (SELECT max(seq) FROM journal)", "passport 77"),
    // Where to begin looking for a moment, and which numbers come next.
    postgres("INSERT INTO journal_mark SELECT max(seq), max(at) - 1 FROM journal", "journal mark "),
    postgres("INSERT INTO journal_mark SELECT max(seq), 0 FROM journal", "journal mark "),
    postgres("INSERT INTO journal_mark SELECT 8192, max(at) FROM journal", "journal mark 8192"),
    postgres("ALTER SEQUENCE journal_number RESTART WITH 5", "journal"),
    postgres("ALTER SEQUENCE chunk_number RESTART WITH 1", "passports"),
    // Nobody is left who could repair anything.
    each("DELETE FROM user", "DELETE FROM account", "users: nobody"),
];

pub(super) const OF_LINKS: &[Wrong] = &[
    both("UPDATE passport SET owner = NULL WHERE state = 4", "passport number "),
    both("UPDATE passport SET owner = zeroblob(19) WHERE state = 4", "passport number "),
    both("UPDATE passport SET handed_at = NULL WHERE state = 4", "passport number "),
    both("UPDATE passport SET settle_by = NULL WHERE state = 3", "passport number "),
    both("UPDATE passport SET state = 4, settle_by = NULL WHERE state = 3", "passport "),
    both("UPDATE passport SET settle_by = 1 WHERE state = 4", "passport "),
    both("UPDATE passport SET owner = zeroblob(20) WHERE state IN (1, 2)", "passport "),
    both("UPDATE passport SET sealed = NULL WHERE printed", "passport number "),
    both("UPDATE passport SET sealed = zeroblob(40), secret = 1 WHERE state = 6", "passport 6"),
    both("UPDATE passport SET sealed = zeroblob(40) WHERE number IS NOT NULL", "passport number "),
    both("UPDATE passport SET printed = NULL WHERE printed", ""),
    both("UPDATE passport SET state = 0 WHERE state = 5", "passport "),
    // What ends by itself.
    postgres("DELETE FROM ending WHERE is_transfer", "passport 3"),
    postgres("DELETE FROM ending WHERE NOT is_transfer", "passport "),
    postgres("UPDATE ending SET at = at + 1 WHERE is_transfer", "passport 3"),
    postgres("UPDATE ending SET at = at - 1 WHERE NOT is_transfer", "passport "),
    postgres("UPDATE ending SET is_transfer = NOT is_transfer", "passport 3"),
    postgres("INSERT INTO ending SELECT seq, 1, false FROM passport WHERE state = 4", "passport number "),
    postgres("INSERT INTO ending VALUES (99, 1, false)", "passport number 99"),
    postgres("UPDATE passport SET until = until + 1 WHERE state IN (1, 2) AND until IS NOT NULL", "passport "),
    // Kiosks, and who was there.
    both("UPDATE passport SET kiosk = NULL WHERE kiosk IS NOT NULL", "passport "),
    both("UPDATE passport SET kiosk = 9 WHERE kiosk IS NOT NULL", "passport "),
    both("DELETE FROM visit", "passport "),
    both(
        "INSERT INTO visit (passport, kiosk, visitor) SELECT seq, 1, zeroblob(1) FROM passport WHERE state = 0",
        "passport ",
    ),
    both("INSERT INTO visit (passport, kiosk, visitor) VALUES (99, 1, zeroblob(1))", "passport number 99"),
    both("UPDATE visit SET kiosk = 9", "passport "),
    both(
        "UPDATE visit SET address = zeroblob(16) WHERE passport IN (SELECT seq FROM passport WHERE state = 4)",
        "passport ",
    ),
    postgres("UPDATE visit SET owner = zeroblob(20)", "passport "),
    both("UPDATE kiosk SET tags = ''", "kiosks"),
    both("UPDATE kiosk SET rule = 'xor'", "kiosks"),
    both("UPDATE kiosk SET hold = 0", "kiosks"),
    both("UPDATE kiosk SET name = ' '", "kiosks"),
    both("UPDATE kiosk SET per_visitor = -1", "kiosks"),
    both("DELETE FROM kiosk", "passport "),
];

pub(super) const OF_OPERATORS: &[Wrong] = &[
    // Reservations, and who holds what.
    files("UPDATE reservation SET passports = x'80' WHERE note IS NOT NULL", "reservation rv_"),
    postgres("UPDATE reservation SET passports = '{NULL,1,2,3}' WHERE note IS NOT NULL", "reservation rv_"),
    postgres("UPDATE reservation SET passports = '{{0,1},{2,3}}' WHERE note IS NOT NULL", "reservation rv_"),
    postgres("UPDATE reservation SET passports = '[0:3]={0,1,2,3}' WHERE note IS NOT NULL", "reservation rv_"),
    postgres("UPDATE reservation SET passports = '{0,1,2,99}' WHERE note IS NOT NULL", "reservation rv_"),
    postgres("UPDATE reservation SET passports = '{1,0,2,3}' WHERE note IS NOT NULL", "recipient rc_"),
    both("UPDATE reservation SET count = count + 1 WHERE note IS NOT NULL", "reservation rv_"),
    both("UPDATE reservation SET count = 0 WHERE note IS NOT NULL", "reservation rv_"),
    both("UPDATE reservation SET count = -1 WHERE note IS NOT NULL", "reservation rv_"),
    both("UPDATE reservation SET actor = 'nobody' WHERE note IS NOT NULL", "reservation rv_"),
    both("UPDATE reservation SET rule = 'xor' WHERE note IS NOT NULL", "reservation rv_"),
    both("UPDATE reservation SET rule = NULL WHERE note IS NOT NULL", "reservation rv_"),
    both("UPDATE reservation SET tags = '' WHERE note IS NOT NULL", "reservation rv_"),
    both("UPDATE reservation SET recipients = 3 WHERE note IS NOT NULL", "reservation rv_"),
    both("UPDATE reservation SET id = zeroblob(3) WHERE note IS NOT NULL", "reservation 000000: its name"),
    // The first passport twice, and then the third not at all.
    each(
        "UPDATE reservation SET passports = x'00000202' WHERE note IS NOT NULL",
        "UPDATE reservation SET passports = '{0,0,1,2}' WHERE note IS NOT NULL",
        "reservation rv_",
    ),
    each(
        "UPDATE reservation SET passports = x'000204', count = 3 WHERE note IS NOT NULL",
        "UPDATE reservation SET passports = '{0,1,3}', count = 3 WHERE note IS NOT NULL",
        "reservation rv_",
    ),
    both("DELETE FROM reservation WHERE note IS NOT NULL", "recipient rc_"),
    both(
        "UPDATE passport SET reservation = (SELECT reservation FROM passport WHERE seq = 5) WHERE seq = 1",
        "reservation rv_",
    ),
    both("UPDATE passport SET reservation = zeroblob(3) WHERE seq = 1", "passport "),
    both("UPDATE passport SET reservation = NULL WHERE seq = 1", "recipient rc_"),
    // Recipients: each has the passport that was reserved for it, and nobody another's.
    both("UPDATE recipient SET passport = 99 WHERE passport = 1", "recipient rc_"),
    both(
        "UPDATE recipient SET passport = (SELECT max(seq) FROM passport), left_at = 1 WHERE passport = 3",
        "recipient rc_",
    ),
    both("UPDATE recipient SET passport = 2 WHERE passport = 1", "recipient rc_"),
    both("UPDATE recipient SET passport = 3 - passport WHERE passport IN (1, 2)", "recipient rc_"),
    // At the place of one who was erased.
    both("UPDATE recipient SET passport = 9 WHERE passport = 10", "recipient rc_"),
    both("UPDATE recipient SET reservation = zeroblob(16) WHERE passport = 1", "recipient rc_"),
    both("UPDATE recipient SET left_at = 1 WHERE passport = 1", "recipient rc_"),
    both("UPDATE recipient SET left_at = NULL WHERE passport = 3", "recipient rc_"),
    both("UPDATE recipient SET reference = NULL WHERE passport = 1", "recipient"),
    postgres("UPDATE recipient SET id = zeroblob(3) WHERE passport = 1", "recipient rc_000000"),
    // Records of calls that may be repeated.
    both("UPDATE repeat SET record = zeroblob(15) WHERE at = (SELECT min(at) FROM repeat)", "idempotency record "),
    both("UPDATE repeat SET parameters = zeroblob(17) WHERE at = (SELECT min(at) FROM repeat)", "idempotency record "),
    both("UPDATE repeat SET reservation = zeroblob(16) WHERE at = (SELECT min(at) FROM repeat)", "idempotency record "),
    files("UPDATE repeat SET record = (SELECT record FROM repeat WHERE seq = 2) WHERE seq = 1", "idempotency record 2"),
    // Their index, which has none of them yet.
    files("UPDATE repeat_era SET last = 2", "idempotency record 1: its era's index"),
    files("UPDATE repeat_era SET goal = 2, reached = x'ffffffffffffffff'", "idempotency record 1: its era's index"),
    files("UPDATE repeat_era SET goal = 2", "era 1 of the idempotency records"),
    files("UPDATE repeat_era SET goal = 2, reached = x'00'", "era 1 of the idempotency records"),
    files("UPDATE repeat_era SET goal = last, reached = zeroblob(8)", "era 1 of the idempotency records"),
    files("INSERT INTO repeat_era (id, first, last) VALUES (2, 0, 5)", "era 2 of the idempotency records"),
    files("INSERT INTO repeat_place VALUES (9, zeroblob(8), 99)", "era 9 of the idempotency records"),
    files("INSERT INTO repeat_place VALUES (1, zeroblob(8), 1)", "idempotency record 1: an index"),
    files("DELETE FROM repeat_era", "idempotency records: they have no era"),
    // What was previewed.
    files("UPDATE preview_chunk SET passports = x'80'", "preview rp_"),
    files("UPDATE preview_chunk SET versions = x'80'", "preview rp_"),
    files("UPDATE preview_chunk SET versions = x''", "preview rp_"),
    files("UPDATE preview_chunk SET passports = x'7f', versions = x'02'", "preview rp_"),
    files("UPDATE preview_chunk SET passports = x'02', versions = x'02'", "preview rp_"),
    files("UPDATE preview_chunk SET chunk = 7", "preview rp_"),
    files("UPDATE preview_chunk SET chunk = -1", "preview rp_"),
    postgres("UPDATE preview_passport SET passport = 99 WHERE passport = 0", "preview rp_"),
    postgres("UPDATE preview_passport SET passport = 12 WHERE passport = 0", "preview rp_"),
    postgres("UPDATE preview_passport SET changed = 99 WHERE passport = 0", "preview rp_"),
    postgres(
        "UPDATE preview_passport SET changed = (SELECT changed FROM passport WHERE seq = 1) WHERE passport = 0",
        "preview rp_",
    ),
    both("DELETE FROM preview", "preview rp_"),
    both("UPDATE preview SET id = zeroblob(3)", "preview 000000"),
    // What a reset took, and may be given back.
    both("UPDATE reset SET actor = 'nobody' WHERE undone IS NULL", "reset rs_"),
    both("UPDATE reset SET undone = 1", "reset rs_"),
    both("UPDATE reset SET id = zeroblob(3) WHERE undone IS NULL", "reset 000000"),
    both("DELETE FROM reset WHERE undone IS NULL", "reset rs_"),
    both("UPDATE reset_passport SET passport = 99 WHERE passport = 3", "reset rs_"),
    both("UPDATE reset_passport SET passport = 12 WHERE passport = 3", "reset rs_"),
    both("UPDATE reset_passport SET changed = changed - 1 WHERE passport = 3", "reset rs_"),
    both("UPDATE reset_passport SET changed = (SELECT max(changed) FROM reset_passport)", "journal row "),
    both("UPDATE reset_passport SET state = 6, number = NULL WHERE passport = 3", "reset rs_"),
    both("UPDATE reset_passport SET state = 4 WHERE passport = 3", "reset rs_"),
    both("UPDATE reset_passport SET number = NULL WHERE passport = 3", "resets"),
    both("UPDATE reset_passport SET sealed = zeroblob(1) WHERE passport = 3", "resets"),
    both("UPDATE reset_passport SET secret = 9 WHERE passport = 3", "reset rs_"),
    both("UPDATE reset_passport SET reservation = zeroblob(16) WHERE passport = 3", "reset rs_"),
    both("UPDATE reset_passport SET visitor = NULL WHERE kiosk IS NOT NULL", "reset rs_"),
    both("UPDATE reset_passport SET kiosk = 9 WHERE kiosk IS NOT NULL", "reset rs_"),
    // The journal of what operators did.
    both(
        "DELETE FROM journal WHERE kind = 'extended' AND passport = (SELECT id FROM passport WHERE seq = 5)",
        "passport ",
    ),
    both("UPDATE journal SET kind = 'restored-scanned' WHERE kind = 'restored'", "passport "),
    both("UPDATE journal SET kind = 'shown' WHERE kind = 'created'", "journal row 1"),
    both("UPDATE journal SET kind = 'created' WHERE kind = 'extended'", "journal row "),
    both("UPDATE journal SET detail = replace(detail, 'after', 'before') WHERE kind = 'restored'", "journal row "),
    // What a passport must not remember.
    both("UPDATE passport SET number = 7 WHERE seq = 3", "passport "),
    both("UPDATE passport SET until = 7 WHERE seq = 3", "passport "),
    both("UPDATE passport SET owner = zeroblob(20) WHERE seq = 0", "passport "),
    both("UPDATE passport SET printed = TRUE WHERE seq = 0", "passport "),
    both("INSERT INTO import VALUES (1, 1); INSERT INTO hidden VALUES (0, 1)", "passport "),
    both("INSERT INTO hidden VALUES (7, 9)", "chunk 7"),
    // Users, profiles and keys.
    both("UPDATE profile SET rights = 'certEat' WHERE name = 'till'", "profile till"),
    both("UPDATE profile SET name = 'a b' WHERE name = 'till'", "profile a b"),
    files("UPDATE profile SET is_own = 2 WHERE name = 'till'", "profile till"),
    both("INSERT INTO profile (name, rights, is_own) VALUES ('left', 'certRead', TRUE)", "profile left"),
    both("UPDATE profile SET rights = 'certRead' WHERE rights = 'admin'", "users: nobody"),
    both("DELETE FROM profile WHERE name = 'till'", "user ann"),
    each(
        "UPDATE user SET profile = 99 WHERE name = 'ann'",
        "UPDATE account SET profile = 99 WHERE name = 'ann'",
        "user ann",
    ),
    each(
        "UPDATE user SET name = 'a b' WHERE name = 'ann'",
        "UPDATE account SET name = 'a b' WHERE name = 'ann'",
        "users",
    ),
    each("DELETE FROM user WHERE name = 'bob'", "DELETE FROM account WHERE name = 'bob'", "key pp_"),
    both("UPDATE api_key SET digest = zeroblob(3) WHERE until IS NOT NULL", "key pp_"),
    // PostgreSQL has a constraint for it.
    files("UPDATE api_key SET head = 'pp_twice' WHERE user = (SELECT id FROM user WHERE name = 'bob')", "key pp_twice"),
    both("UPDATE api_key SET used_at = 1 WHERE until IS NOT NULL", "key pp_"),
    // Where links lead.
    both("UPDATE setting SET value = 'nowhere' WHERE name = 'link-base'", "settings"),
];
