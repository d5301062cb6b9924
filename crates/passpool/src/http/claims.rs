//! `POST /v1/claims`: a claim by a signature, from whoever knows a link without telling it.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use passpool_core::{ClaimMessage, PassportId, Proof, Refusal, Shown, Signature, WalletAddress};
use passpool_store::{Claim, StoreError};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{cors, problem::Problem};
use crate::app::App;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/v1/claims", post(claim).options(cors::preflight))
}

async fn claim(State(app): State<App>, body: Bytes) -> Response {
    let claimed = async {
        let asked = Asked::parse(&body)?;
        let proof = Proof::new(Shown::Signer(asked.signer), app.secret.clone());
        let wish = Claim { passport: asked.passport, proof, owner: asked.new_owner, now: app.clock.now() };
        app.store.claim(wish).await?;
        Ok::<_, Problem>(Claimed {
            passport_id: asked.passport.get(),
            owner: asked.new_owner.to_string(),
            state: "claimed",
        })
    };
    match claimed.await {
        Ok(claimed) => {
            let body = serde_json::to_string(&claimed).expect("a claim is JSON");
            (StatusCode::OK, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

#[derive(Serialize)]
struct Claimed {
    passport_id: u64,
    owner: String,
    state: &'static str,
}

/// What the body says.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    passport: PassportId,
    new_owner: WalletAddress,
    /// Who signed: the passphrase's key, if the claim is good.
    signer: WalletAddress,
}

impl Asked {
    fn parse(body: &[u8]) -> Result<Self, Problem> {
        let body: Map<String, Value> =
            serde_json::from_slice(body).map_err(|_| Problem::Invalid("body", "it is no JSON object".into()))?;
        const FIELDS: [&str; 3] = ["passport_id", "new_owner", "signature"];
        if !body.keys().all(|field| FIELDS.contains(&field.as_str())) {
            return Err(Problem::Invalid("body", format!("it has a field besides {}", FIELDS.join(", "))));
        }
        let passport = PassportId::from_json(body.get("passport_id").unwrap_or(&Value::Null));
        let passport = passport.map_err(|wrong| Problem::Invalid("passport_id", wrong.to_string()))?;
        let new_owner = WalletAddress::parse(text("new_owner", &body)?)
            .map_err(|wrong| Problem::Invalid("new_owner", wrong.to_string()))?;
        let wrong = |wrong: passpool_core::SignatureError| Problem::Invalid("signature", wrong.to_string());
        let signature = Signature::parse(text("signature", &body)?).map_err(wrong)?;
        // A signature that is nobody's opens what no signature opens.
        let signer = ClaimMessage::new(passport, new_owner).signer(&signature);
        let signer = signer.map_err(|_| Problem::Store(StoreError::Refusal(Refusal::LinkDead)))?;
        Ok(Self { passport, new_owner, signer })
    }
}

fn text<'a>(field: &'static str, body: &'a Map<String, Value>) -> Result<&'a str, Problem> {
    body.get(field).and_then(Value::as_str).ok_or_else(|| Problem::Invalid(field, "it must be a text".into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As a wallet signs: id 440105186, passphrase v6lsj4vhg5dx.
    const SIGNATURE: &str = "0xb4a1148fbbfa7365116b99559cd1d348a396f2e6719cfe42112aa50580c2dc58038fead69ae5968e9adcf41e0b21c679191a2eb6a90821e3f1026069426a88901b";
    const OWNER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

    #[test]
    fn a_claim_tells_who_signed_it() {
        for id in [json!(440_105_186), json!("440105186")] {
            let body = json!({"passport_id": id, "new_owner": OWNER, "signature": SIGNATURE}).to_string();
            let asked = Asked::parse(body.as_bytes()).unwrap();
            assert_eq!(asked.signer.to_string(), "0xE79f87d0f0aBF2b91Ed254C02879F63895EDDDBc");
            assert_eq!((asked.passport.get(), asked.new_owner.to_string().as_str()), (440_105_186, OWNER));
        }
    }

    #[test]
    fn what_is_no_claim_names_the_field() {
        let check = |body: Value, field: &str| match Asked::parse(body.to_string().as_bytes()) {
            Err(Problem::Invalid(named, _)) => assert_eq!(named, field, "{body}"),
            other => panic!("{body}: {other:?}"),
        };
        let with = |id: Value, owner: Value, signature: Value| json!({"passport_id": id, "new_owner": owner, "signature": signature});
        check(json!([]), "body");
        check(json!({}), "passport_id");
        check(with(json!(0), json!(OWNER), json!(SIGNATURE)), "passport_id");
        check(with(json!(1.5), json!(OWNER), json!(SIGNATURE)), "passport_id");
        check(with(json!(1), json!(7), json!(SIGNATURE)), "new_owner");
        check(with(json!(1), json!(OWNER.replace('C', "c")), json!(SIGNATURE)), "new_owner");
        check(with(json!(1), json!(OWNER), json!(null)), "signature");
        check(with(json!(1), json!(OWNER), json!("0x00")), "signature");
        let mut more = with(json!(1), json!(OWNER), json!(SIGNATURE));
        more["passphrase"] = json!("v6lsj4vhg5dx");
        check(more, "body");
        assert!(matches!(Asked::parse(b"{"), Err(Problem::Invalid("body", _))));
    }
}
