//! Every problem, as it goes out.

use axum::body::to_bytes;
use passpool_core::{KioskName, PassportId, StateName, Timestamp, UserName};

use super::*;

/// The status, the headers that matter, and the body.
async fn show(problem: impl Into<Problem>) -> String {
    let answer = problem.into().into_response();
    let status = answer.status().as_u16();
    let retry = answer.headers().get(header::RETRY_AFTER).map_or("-", |after| after.to_str().unwrap()).to_owned();
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    let body = String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.unwrap().into()).unwrap();
    assert!(body.contains(&format!("\"status\":{status}")));
    format!("{retry} {body}")
}

async fn show_all<P: Into<Problem>>(problems: impl IntoIterator<Item = P>) -> String {
    let mut lines = String::new();
    for problem in problems {
        lines.push_str(&show(problem).await);
        lines.push('\n');
    }
    lines
}

#[tokio::test]
async fn refusals_have_a_status_and_a_code_of_their_own() {
    let (id, user) = (PassportId::new(7).unwrap(), UserName::parse("crm").unwrap());
    let kiosk = KioskName::parse("gala").unwrap();
    let refusals = [
        Refusal::PoolShort { available: 3 },
        Refusal::LinkDead,
        Refusal::WalletServed,
        Refusal::UnknownKiosk(kiosk.clone()),
        Refusal::KioskExists(kiosk),
        Refusal::NoKiosk,
        Refusal::KioskNotYetOpen { opens: Timestamp::from_micros(1_800_000_000_000_000) },
        Refusal::KioskClosed,
        Refusal::TooManyHeld,
        Refusal::WrongState { from: StateName::Claimed, wanted: "reset" },
        Refusal::WrongState { from: StateName::Claimed, wanted: "reset" }.about(id),
        Refusal::Printed,
        Refusal::UnknownPassport(id),
        Refusal::IdUsed(id),
        Refusal::IdDoubled(id),
        Refusal::Count { count: 0, max: 100 },
        Refusal::EndInThePast,
        Refusal::KeyReused,
        Refusal::ReservationOver,
        Refusal::StillRunning,
        Refusal::UserExists(user.clone()),
        Refusal::UnknownUser(user.clone()),
        Refusal::LastAdmin(user),
        Refusal::ImportRunning,
        Refusal::ImportOver,
    ];
    insta::assert_snapshot!(show_all(refusals).await, @r#"
    - {"type":"/problems/pool-short","title":"Too few passports are available","status":409,"detail":"3 passports are available, fewer than were asked for","available":3}
    - {"type":"/problems/link-dead","title":"This link opens nothing","status":404,"detail":"this link opens nothing"}
    - {"type":"/problems/wallet-served","title":"This wallet has its passport","status":409,"detail":"this wallet has its passport of this kiosk"}
    - {"type":"/problems/unknown-kiosk","title":"Unknown kiosk","status":404,"detail":"there is no kiosk gala"}
    - {"type":"/problems/kiosk-exists","title":"The kiosk exists already","status":409,"detail":"the kiosk gala exists already"}
    - {"type":"/problems/no-kiosk","title":"No open kiosk gives this","status":404,"detail":"no open kiosk gives this"}
    - {"type":"/problems/kiosk-not-yet-open","title":"The kiosk is not open yet","status":409,"detail":"the kiosk is not open yet","opens_at":"2027-01-15T08:00:00Z"}
    - {"type":"/problems/kiosk-closed","title":"The kiosk is closed","status":409,"detail":"the kiosk is closed"}
    - {"type":"/problems/too-many-held","title":"Too many passports are held from this address","status":429,"detail":"too many passports are held from this address"}
    - {"type":"/problems/wrong-state","title":"The passport's state does not allow this","status":409,"detail":"a passport that is claimed cannot be reset"}
    - {"type":"/problems/wrong-state","title":"The passport's state does not allow this","status":409,"detail":"passport 7: a passport that is claimed cannot be reset","passport_id":7}
    - {"type":"/problems/printed","title":"The passport's code is printed","status":409,"detail":"the code of this passport is printed already"}
    - {"type":"/problems/unknown-passport","title":"Unknown passport","status":404,"detail":"passport 7 does not exist"}
    - {"type":"/problems/id-used","title":"The id was used before","status":409,"detail":"the id 7 was used before"}
    - {"type":"/problems/id-doubled","title":"An id stands twice","status":422,"detail":"the id 7 stands twice in this import"}
    - {"type":"/problems/count-out-of-range","title":"The count is out of range","status":422,"detail":"a reservation needs between 1 and 100 passports, not 0"}
    - {"type":"/problems/end-in-the-past","title":"The end lies in the past","status":422,"detail":"the end of a hold lies in the past"}
    - {"type":"/problems/idempotency-key-reused","title":"The Idempotency-Key belongs to another call","status":422,"detail":"the Idempotency-Key was used before with other parameters"}
    - {"type":"/problems/reservation-over","title":"The reservation is over","status":409,"detail":"the reservation made under this Idempotency-Key is over: a passport of it was given back"}
    1 {"type":"/problems/still-running","title":"The same call is still running","status":409,"detail":"a call with this Idempotency-Key is still running"}
    - {"type":"/problems/user-exists","title":"The user exists already","status":409,"detail":"the user crm exists already"}
    - {"type":"/problems/unknown-user","title":"Unknown user","status":404,"detail":"there is no user crm"}
    - {"type":"/problems/last-admin","title":"The last admin has to stay","status":409,"detail":"crm is the last user with the right admin, and has to stay"}
    - {"type":"/problems/import-running","title":"Another import is running","status":409,"detail":"another import is running"}
    - {"type":"/problems/import-over","title":"The import is over","status":409,"detail":"this import is over"}
    "#);
}

#[tokio::test]
async fn a_transfer_is_refused_for_its_reason() {
    let reasons = [
        Untransferable::Unknown,
        Untransferable::AlreadyOwner,
        Untransferable::OwnedByAnother,
        Untransferable::Pending,
        Untransferable::NoLink,
        Untransferable::WrongPassphrase,
    ];
    insta::assert_snapshot!(show_all(reasons.map(Refusal::Untransferable)).await, @r#"
    - {"type":"/problems/unknown-passport","title":"Unknown passport","status":404,"detail":"there is no such passport"}
    - {"type":"/problems/already-owner","title":"This wallet is the owner already","status":409,"detail":"this wallet owns the passport already"}
    - {"type":"/problems/owned-by-another","title":"Another wallet is the owner","status":409,"detail":"another wallet owns the passport"}
    - {"type":"/problems/transfer-pending","title":"A transfer is pending","status":409,"detail":"a transfer of the passport is pending already"}
    - {"type":"/problems/no-link","title":"The passport has no link","status":409,"detail":"the passport has no link"}
    - {"type":"/problems/wrong-passphrase","title":"Wrong passphrase","status":403,"detail":"the passphrase is not the one of the passport's link"}
    "#);
}

#[tokio::test]
async fn faults_tell_no_more_than_whether_to_come_again() {
    let faults = [
        Fault::Locked,
        Fault::DiskFull,
        Fault::Closed,
        Fault::Unreachable("10.0.0.7: connection refused".into()),
        Fault::OutcomeUnknown,
        Fault::Moved("the shop has moved to postgres://10.0.0.7/shop".into()),
        Fault::Damaged("passport 7 is gone".into()),
        Fault::Database("no such table: passport".into()),
    ];
    insta::assert_snapshot!(show_all(faults.map(StoreError::from)).await, @r#"
    1 {"type":"/problems/unavailable","title":"Not now","status":503,"detail":"another program keeps the database locked"}
    1 {"type":"/problems/unavailable","title":"Not now","status":503,"detail":"the disk is full or cannot be written"}
    1 {"type":"/problems/unavailable","title":"Not now","status":503,"detail":"the store is closed"}
    1 {"type":"/problems/unavailable","title":"Not now","status":503,"detail":"the database cannot be reached"}
    1 {"type":"/problems/outcome-unknown","title":"Nobody knows whether this was done","status":503,"detail":"the database did not say whether this was done: look, or repeat the call with the same Idempotency-Key"}
    - {"type":"/problems/internal","title":"Internal Server Error","status":500}
    - {"type":"/problems/internal","title":"Internal Server Error","status":500}
    - {"type":"/problems/internal","title":"Internal Server Error","status":500}
    "#);
}

#[tokio::test]
async fn requests_that_lead_nowhere_are_problems_too() {
    let problems = [Problem::NoSuchPath, Problem::WrongMethod, Problem::TooManyRequests(9)];
    insta::assert_snapshot!(show_all(problems).await, @r#"
    - {"type":"/problems/no-such-path","title":"There is nothing here","status":404}
    - {"type":"/problems/wrong-method","title":"This path takes no such method","status":405}
    9 {"type":"/problems/too-many-requests","title":"Too many requests from this address","status":429}
    "#);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_one_by_one() {
    let flaws = vec![
        Flaw::body("/count", "it must be from 1 to 100000"),
        Flaw::parameter("limit", "x"),
        Flaw::header("if-match", "y"),
    ];
    let problems = [
        Problem::Invalid(flaws),
        Problem::Malformed("EOF".into()),
        Problem::WrongMediaType("text/csv"),
        Problem::BodyTooLarge,
    ];
    insta::assert_snapshot!(show_all(problems).await, @r##"
    - {"type":"/problems/invalid-request","title":"The request is invalid","status":422,"detail":"#/count: it must be from 1 to 100000; limit: x; if-match: y","errors":[{"detail":"it must be from 1 to 100000","pointer":"#/count"},{"detail":"x","parameter":"limit"},{"detail":"y","header":"if-match"}]}
    - {"type":"/problems/malformed-body","title":"The body cannot be read","status":400,"detail":"EOF"}
    - {"type":"/problems/wrong-media-type","title":"The body is of another type","status":415,"detail":"the body has to be text/csv"}
    - {"type":"/problems/body-too-large","title":"The body is too large","status":413,"detail":"#: it is larger than this path takes","errors":[{"detail":"it is larger than this path takes","pointer":"#"}]}
    "##);
}
