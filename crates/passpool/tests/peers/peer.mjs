// One question to one of Arianee's own packages: `node peer.mjs QUESTION [ARGUMENT...]` prints its answer as JSON.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.PASSPOOL_TEST_PEERS}/`);
const { Core } = require("@arianee/core");
const { readLink, createLink, calculateImprint } = require("@arianee/utils");
const { ArianeePrivacyGatewayClient } = require("@arianee/arianee-privacy-gateway-client");
const { AbiCoder, getBytes, keccak256 } = require("ethers");

const questions = {
  readLink: (link) => readLink(link),
  createLink: (slug, tokenId, passphrase) => createLink({ slug, suffix: "", tokenId, passphrase }),
  addressOf: (passphrase) => Core.fromPassPhrase(passphrase).getAddress(),
  // As the wallet package signs a claim.
  signClaim: async (passphrase, id, newOwner) => {
    const message = keccak256(AbiCoder.defaultAbiCoder().encode(["uint256", "address"], [id, newOwner]));
    return (await Core.fromPassPhrase(passphrase).signMessage(getBytes(message))).signature;
  },
  readWithPassphrase: (url, certificateId, passphrase) =>
    new ArianeePrivacyGatewayClient(Core.fromPassPhrase(passphrase)).certificateRead(url, { certificateId, passphrase }),
  readWithWallet: (url, certificateId, privateKey) =>
    new ArianeePrivacyGatewayClient(Core.fromPrivateKey(privateKey)).certificateRead(url, { certificateId }),
  // With a schema of these fields, in the spelling of passpool's core: names, and in brackets those of a list's objects.
  calculateImprint: (content, fields) => {
    const words = fields.match(/[^\s[\]]+|\[|\]/g);
    const object = () => {
      const properties = {};
      let last;
      for (let word = words.shift(); word && word !== "]"; word = words.shift()) {
        if (word === "[") properties[last] = { type: "array", items: object() };
        else properties[(last = word)] = { type: "string" };
      }
      return { type: "object", properties };
    };
    const schema = object();
    return calculateImprint(JSON.parse(content), async () => ({ ok: true, status: 200, json: async () => schema }));
  },
};

const [question, ...given] = process.argv.slice(2);
try {
  console.log(JSON.stringify({ answer: await questions[question](...given) }));
} catch (error) {
  console.log(JSON.stringify({ error: error.message }));
}
