//! `POST /v1/claims`: a claim by a signature, from whoever knows a link without telling it.

use axum::{extract::State, http::StatusCode, response::Response};
use passpool_core::{ClaimMessage, PassportId, Proof, Refusal, Shown, Signature, WalletAddress};
use passpool_store::Claim;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{body::Json, reply};
use crate::{app::App, http::problem::Problem};

pub(super) const PATH: &str = "/v1/claims";

/// Makes a wallet the owner of a passport.
///
/// Whoever knows a link signs with its passphrase's key, and does not tell the link. The owner may claim again.
#[utoipa::path(post, path = PATH, operation_id = "claimPassport", tag = "claims", security(()), request_body = ClaimBody,
    responses((status = 200, body = Claimed), (status = 404, body = crate::http::problem::Told, content_type = "application/problem+json", description = "The signature opens nothing, whatever is wrong with it")))]
pub(super) async fn claim(State(app): State<App>, Json(body): Json<ClaimBody>) -> Result<Response, Problem> {
    let asked = Asked::read(&body)?;
    let proof = Proof::new(Shown::Signer(asked.signer), app.secret.clone());
    let wish = Claim { passport: asked.passport, proof, owner: asked.new_owner, now: app.clock.now() };
    app.store.claim(wish).await?;
    let (passport_id, owner) = (asked.passport.get(), asked.new_owner.to_string());
    Ok(reply::json(StatusCode::OK, &Claimed { passport_id, owner, state: "claimed" }))
}

/// A claim, signed as Arianee's wallets do it.
#[derive(Deserialize, ToSchema)]
pub(super) struct ClaimBody {
    /// The passport's id, as a number or its digits.
    #[schema(value_type = u64, minimum = 1, maximum = 9007199254740991u64)]
    passport_id: Value,
    /// The wallet that becomes the owner.
    #[schema(pattern = "^0x[0-9a-fA-F]{40}$")]
    new_owner: String,
    /// 65 bytes of an EIP-191 signature.
    #[schema(pattern = "^0x[0-9a-fA-F]{130}$")]
    signature: String,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Claimed {
    passport_id: u64,
    owner: String,
    #[schema(value_type = String)]
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
    fn read(body: &ClaimBody) -> Result<Self, Problem> {
        let passport =
            PassportId::from_json(&body.passport_id).map_err(|wrong| Problem::field("/passport_id", wrong))?;
        let new_owner = WalletAddress::parse(&body.new_owner).map_err(|wrong| Problem::field("/new_owner", wrong))?;
        let signature = Signature::parse(&body.signature).map_err(|wrong| Problem::field("/signature", wrong))?;
        // A signature that is nobody's opens what no signature opens.
        let signer = ClaimMessage::new(passport, new_owner).signer(&signature);
        let signer = signer.map_err(|_| Problem::from(Refusal::LinkDead))?;
        Ok(Self { passport, new_owner, signer })
    }
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
            let asked = Asked::read(&serde_json::from_str(&body).unwrap()).unwrap();
            assert_eq!(asked.signer.to_string(), "0xE79f87d0f0aBF2b91Ed254C02879F63895EDDDBc");
            assert_eq!((asked.passport.get(), asked.new_owner.to_string().as_str()), (440_105_186, OWNER));
        }
    }

    #[test]
    fn what_is_no_claim_names_the_field() {
        let check = |id: Value, owner: &str, signature: &str, pointer: &str| {
            let body = ClaimBody { passport_id: id, new_owner: owner.into(), signature: signature.into() };
            match Asked::read(&body) {
                Err(Problem::Invalid(flaws)) => assert_eq!(flaws[0].pointer.as_deref(), Some(pointer)),
                other => panic!("{pointer}: {other:?}"),
            }
        };
        check(json!(0), OWNER, SIGNATURE, "#/passport_id");
        check(json!(1.5), OWNER, SIGNATURE, "#/passport_id");
        check(json!([]), OWNER, SIGNATURE, "#/passport_id");
        check(json!(1), "7", SIGNATURE, "#/new_owner");
        check(json!(1), &OWNER.replace('C', "c"), SIGNATURE, "#/new_owner");
        check(json!(1), OWNER, "", "#/signature");
        check(json!(1), OWNER, "0x00", "#/signature");
    }
}
