// Tells the end of a hold in the visitor's own time, and claims.
//
// Asks the browser's wallet for its address, if there is a wallet: EIP-6963 announces them, EIP-1193 is the older way.
// Without one, or without this script, the address is typed.
"use strict";
(() => {
  for (const time of document.getElementsByTagName("time")) {
    const end = new Date(time.dateTime);
    const isNear = end - Date.now() < 12 * 3600 * 1000;
    const parts = isNear ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
    time.textContent = end.toLocaleString(document.documentElement.lang, parts);
  }

  const form = document.getElementById("claim");
  if (!form) return;
  const field = form.elements.owner;
  const [typed, button, other, wrong] = ["typed", "press", "other", "wrong"].map((id) => document.getElementById(id));
  let wallet = window.ethereum;
  let byHand = true;

  const choose = (hand) => {
    byHand = hand;
    typed.hidden = !hand;
    field.required = hand;
    other.hidden = hand;
    button.textContent = hand ? form.dataset.claim : form.dataset.wallet;
    if (hand && document.activeElement === other) field.focus();
  };
  const found = (provider) => {
    wallet = provider;
    if (!field.value && wrong.hidden) choose(false);
  };

  if (wallet) found(wallet);
  window.addEventListener("eip6963:announceProvider", (event) => found(event.detail.provider));
  window.dispatchEvent(new Event("eip6963:requestProvider"));
  window.addEventListener("ethereum#initialized", () => found(window.ethereum), { once: true });

  other.addEventListener("click", () => choose(true));
  form.addEventListener("submit", async (event) => {
    if (byHand) return;
    event.preventDefault();
    button.disabled = true;
    button.textContent = form.dataset.waiting;
    try {
      const [address] = await wallet.request({ method: "eth_requestAccounts" });
      if (!address) throw new Error("no account");
      field.value = address;
      form.submit();
    } catch {
      button.disabled = false;
      choose(true);
      wrong.textContent = form.dataset.declined;
      wrong.hidden = false;
    }
  });
})();
