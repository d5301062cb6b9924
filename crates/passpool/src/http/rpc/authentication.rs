//! Authentication: what a reader shows to the gateway, in the field that the protocol spells `authentification`.

use passpool_core::{AccessToken, PassportId, Scope, Shown, Signature, Timestamp};
use serde_json::{Map, Value};

use super::envelope::RpcError;

/// How far a message's timestamp may be from now, either way.
const AGE_AT_MOST_MICROS: i64 = 300 * 1_000_000;

/// A passport, and who wants to read it.
#[derive(Debug)]
pub(super) struct Authentication {
    pub(super) passport: PassportId,
    pub(super) shown: Shown,
    /// False of a bearer for another passport. The protocol asks first whose it is.
    pub(super) is_in_scope: bool,
}

impl Authentication {
    /// Reads what was shown. If there are both, the bearer counts.
    pub(super) fn judge(params: &Value, now: Timestamp) -> Result<Self, RpcError> {
        let params = params.as_object().ok_or(RpcError::InvalidParams("params have to be an object"))?;
        let passport = passport(params.get("certificateId"))
            .ok_or(RpcError::InvalidParams("certificateId has to be the id of a certificate"))?;
        let given = |name: &str| params.get("authentification")?.get(name).filter(|value| !value.is_null());
        let shown = match (given("bearer"), given("message"), given("signature")) {
            (Some(bearer), ..) => return by_bearer(bearer, passport, now),
            (None, Some(message), Some(signature)) => by_signature(message, signature, passport, now)?,
            _ => return Err(RpcError::Unauthorized),
        };
        Ok(Self { passport, shown, is_in_scope: true })
    }
}

fn by_bearer(bearer: &Value, passport: PassportId, now: Timestamp) -> Result<Authentication, RpcError> {
    let token = AccessToken::verify(bearer.as_str().unwrap_or_default(), now).map_err(|_| RpcError::BadToken)?;
    let is_in_scope = match token.scope {
        Scope::Wallet => true,
        Scope::Passport(id) => id == passport,
    };
    Ok(Authentication { passport, shown: Shown::Owner(token.wallet), is_in_scope })
}

fn by_signature(message: &Value, signature: &Value, id: PassportId, now: Timestamp) -> Result<Shown, RpcError> {
    let text = message.as_str().ok_or(RpcError::Unauthorized)?;
    let message: Map<String, Value> = serde_json::from_str(text).map_err(|_| RpcError::Unauthorized)?;
    if passport(message.get("certificateId")) != Some(id) {
        return Err(RpcError::OtherPassport);
    }
    let signed_at = timestamp(message.get("timestamp")).ok_or(RpcError::TooOld)?;
    if now.as_micros().abs_diff(signed_at) > AGE_AT_MOST_MICROS.unsigned_abs() {
        return Err(RpcError::TooOld);
    }
    let signature = signature.as_str().and_then(|signature| Signature::parse(signature).ok());
    let signer = signature.and_then(|signature| signature.signer(text.as_bytes()).ok());
    signer.map(Shown::Signer).ok_or(RpcError::Unauthorized)
}

fn passport(id: Option<&Value>) -> Option<PassportId> {
    PassportId::from_json(id?).ok()
}

fn timestamp(timestamp: Option<&Value>) -> Option<i64> {
    timestamp?.as_str()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As the gateway's client signs it at 2026-01-02T03:04:05.678Z: passphrase v6lsj4vhg5dx.
    const MESSAGE: &str = r#"{"certificateId":"440105186","timestamp":"2026-01-02T03:04:05.678Z"}"#;
    const SIGNATURE: &str = "0x1af66ff4e7d5fb5c3c3e9bd824bda0445fa349ef46ddb5ff72aa95c62a2a827f2934ebf0d1a394113bedd4e432562b12332c2b9538181a60e6c9349b3851fd4a1b";
    /// Until 2100, for the wallet 0x7099...79C8.
    const BEARER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJzZWNwMjU2azEifQ==.eyJpc3MiOiIweDcwOTk3OTcwQzUxODEyZGMzQTAxMEM3ZDAxYjUwZTBkMTdkYzc5QzgiLCJzdWIiOiJ3YWxsZXQiLCJleHAiOjQxMDI0NDQ4MDAsImlhdCI6MTcwMDAwMDAwMH0=.0x5315d91d42ff9191e5c99276bf5ad487501ead8cf57b58bd83cb57d71122ff1127a7a27310ddc82be494f134b6c43f660a18d2824afc5e60990d5f23fa36c1741b";

    fn at(seconds: i64) -> Timestamp {
        let signed_at: jiff::Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        Timestamp::from_micros(signed_at.as_microsecond() + seconds * 1_000_000)
    }

    fn params(id: Value, authentification: Value) -> Value {
        json!({"certificateId": id, "authentification": authentification})
    }

    fn signed() -> Value {
        json!({"message": MESSAGE, "signature": SIGNATURE})
    }

    #[test]
    fn a_signed_message_tells_its_signer_for_300_seconds() {
        for seconds in [-300, 0, 300] {
            for id in [json!(440_105_186), json!("440105186")] {
                let judged = Authentication::judge(&params(id, signed()), at(seconds)).unwrap();
                let Shown::Signer(signer) = judged.shown else { panic!("{:?}", judged.shown) };
                assert_eq!(signer.to_string(), "0xE79f87d0f0aBF2b91Ed254C02879F63895EDDDBc");
            }
        }
        for seconds in [-301, 301] {
            let judged = Authentication::judge(&params(json!("440105186"), signed()), at(seconds));
            assert_eq!(judged.unwrap_err(), RpcError::TooOld);
        }
    }

    #[test]
    fn a_bearer_tells_its_wallet_and_goes_before_a_signature() {
        let both = json!({"bearer": BEARER, "message": "{}", "signature": "0x"});
        let judged = Authentication::judge(&params(json!("440105186"), both), at(0)).unwrap();
        let Shown::Owner(owner) = judged.shown else { panic!("{:?}", judged.shown) };
        assert_eq!(owner.to_string(), "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
    }

    /// For the passport 440105186 alone, made at 1795382890.
    const OF_ONE: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJzZWNwMjU2azEifQ==.eyJpc3MiOiIweDcwOTk3OTcwQzUxODEyZGMzQTAxMEM3ZDAxYjUwZTBkMTdkYzc5QzgiLCJzdWIiOiJjZXJ0aWZpY2F0ZSIsImV4cCI6MTc5NTM4MzE5MCwiaWF0IjoxNzk1MzgyODkwLCJzdWJJZCI6NDQwMTA1MTg2LCJuZXR3b3JrIjoidGVzdG5ldCJ9.0xc99cc7b75f9d9df84faef73d68898bef0f79f61665ebf9f1e6d6fde2dbc030c9560f2cd4de82ce5fef2283a93788a0cd4d7b6ac370906320b9b7a9cc925904131b";

    #[test]
    fn a_bearer_for_one_passport_is_out_of_scope_at_another() {
        let now = Timestamp::from_micros(1_795_382_890_000_000);
        for (id, expected) in [(440_105_186, true), (440_105_187, false)] {
            let judged = Authentication::judge(&params(json!(id), json!({"bearer": OF_ONE})), now).unwrap();
            assert!(matches!(judged.shown, Shown::Owner(_)), "{:?}", judged.shown);
            assert_eq!(judged.is_in_scope, expected, "{id}");
        }
        let later = Timestamp::from_micros(1_795_383_190_000_000);
        let over = Authentication::judge(&params(json!(440_105_186), json!({"bearer": OF_ONE})), later);
        assert_eq!(over.unwrap_err(), RpcError::BadToken);
    }

    #[test]
    fn what_cannot_be_judged_has_its_code() {
        let check = |params: Value, expected: RpcError| {
            assert_eq!(Authentication::judge(&params, at(0)).unwrap_err(), expected, "{params}");
        };
        let with = |authentification: Value| params(json!("440105186"), authentification);
        let says = |message: &str| with(json!({"message": message, "signature": SIGNATURE}));
        check(json!([1]), RpcError::InvalidParams("params have to be an object"));
        check(json!({}), RpcError::InvalidParams("certificateId has to be the id of a certificate"));
        check(json!(null), RpcError::InvalidParams("params have to be an object"));
        check(params(json!(0), signed()), RpcError::InvalidParams("certificateId has to be the id of a certificate"));
        check(params(json!("440105187"), signed()), RpcError::OtherPassport);
        check(with(json!(null)), RpcError::Unauthorized);
        check(with(json!({"message": MESSAGE})), RpcError::Unauthorized);
        check(with(json!({"message": MESSAGE, "signature": "0x00"})), RpcError::Unauthorized);
        check(says("not json"), RpcError::Unauthorized);
        check(says(r#"{"timestamp":"2026-01-02T03:04:05.678Z"}"#), RpcError::OtherPassport);
        check(says(r#"{"certificateId":440105186}"#), RpcError::TooOld);
        check(says(r#"{"certificateId":440105186,"timestamp":"yesterday"}"#), RpcError::TooOld);
        check(says(r#"{"certificateId":440105186,"timestamp":1767323045}"#), RpcError::TooOld);
        check(with(json!({"bearer": "nonsense", "message": MESSAGE, "signature": SIGNATURE})), RpcError::BadToken);
        check(with(json!({"bearer": 7})), RpcError::BadToken);
    }
}
